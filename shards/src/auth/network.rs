//! Networks that requests come from, as `10.0.0.0/8`.

use std::{net::IpAddr, str::FromStr};

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// In the form of IPv6.
    base: u128,
    mask: u128,
}

impl Network {
    /// Whether an address lies in it. An IPv4 client of an IPv6 socket has a mapped address.
    pub(super) fn has(self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.base
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no network, as 10.0.0.0/8 or fd00::/8, and no address");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let length_max = if address.is_ipv4() { 32 } else { 128 };
        let length: u32 = match length {
            None => length_max,
            Some(length) => length.parse().map_err(|_| wrong())?,
        };
        if length > length_max {
            return Err(format!("{text:?}: a length is at most {length_max} there"));
        }
        let mask = u128::MAX.checked_shl(length_max - length).unwrap_or(0);
        let base = bits(address);
        if base & mask != base {
            return Err(format!("{text:?} has bits behind its length"));
        }
        Ok(Self { base, mask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().has(address.parse().unwrap())
    }

    #[test]
    fn addresses_lie_in_the_networks_whose_bits_they_share() {
        assert!(has("10.0.0.0/8", "10.255.1.2") && !has("10.0.0.0/8", "11.0.0.0"));
        assert!(has("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(has("127.0.0.1", "127.0.0.1") && !has("127.0.0.1", "127.0.0.2"));
        assert!(has("fd00::/8", "fd12::1") && !has("fd00::/8", "fe80::1"));
        assert!(has("::/0", "10.0.0.1") && has("::/0", "fe80::1"));
        assert!(has("0.0.0.0/0", "10.0.0.1") && !has("0.0.0.0/0", "fe80::1"));
        assert!(
            has("192.168.1.128/25", "192.168.1.200") && !has("192.168.1.128/25", "192.168.1.1")
        );
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "fd00::1/8",
            "10.0.0.0/",
            "host/8",
            "10.0.0/8",
            "1.2.3.4/-1",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
