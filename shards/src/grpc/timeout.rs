//! `grpc-timeout`: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").

use std::time::Duration;

/// The time a client gives a call; none when the header says nothing that the format allows.
pub fn parse(header: &[u8]) -> Option<Duration> {
    const DIGITS_MAX: usize = 8;

    let (unit, digits) = header.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::Campaign;

    use super::*;

    #[test]
    fn units_and_borders_are_those_of_the_format() {
        assert_eq!(parse(b"30S"), Some(Duration::from_secs(30)));
        assert_eq!(parse(b"30000000u"), Some(Duration::from_secs(30)));
        assert_eq!(parse(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "S", "123456789S", "1x", "-1S", "1.5S", " 1S"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
    #[test]
    fn fuzz_timeouts() {
        let seeds = ["30S", "99999999H", "1M", "250m", "5u", "7n"];
        let seeds = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
        Campaign::new("grpc-timeout", seeds).run(|bytes| {
            let timeout = parse(bytes).ok_or("no timeout")?;
            assert!(timeout <= Duration::from_secs(99_999_999 * 3600));
            Ok(timeout.as_secs())
        });
    }
}
