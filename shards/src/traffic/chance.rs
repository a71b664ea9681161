//! What is sampled, and what samples tell of all.

use crate::dice::Dice;

/// Two-sided, so that the truth is outside in one of twenty cases: on either side in one of forty.
const DEVIATIONS: f64 = 1.96;

/// How many are passed over before the next sample, where each is one with the chance 1 / `one_in`: by a count that never
/// varies, clients that do things in turn would be seen at always the same of them.
pub fn gap(dice: &mut Dice, one_in: u32) -> u32 {
    // 53 bits, in (0, 1].
    let share = ((dice.throw() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    (share.ln() / (-1.0 / f64::from(one_in)).ln_1p()) as u32
}

/// The least mean of which so many samples are no surprise (Wilson and Hilferty's approximation, 1931, of the exact interval).
pub fn least(samples: u64) -> f64 {
    match samples {
        0 => 0.0,
        _ => cubed(samples as f64, -DEVIATIONS),
    }
}

/// The greatest.
pub fn most(samples: u64) -> f64 {
    cubed(samples as f64 + 1.0, DEVIATIONS)
}

fn cubed(count: f64, deviations: f64) -> f64 {
    let root = 1.0 - 1.0 / (9.0 * count) + deviations / (3.0 * count.sqrt());
    count * root.max(0.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chance of at most so many events where `mean` are expected.
    fn at_most(count: u64, mean: f64) -> f64 {
        let mut term = (-mean).exp();
        let mut sum = term;
        for number in 1..=count {
            term *= mean / number as f64;
            sum += term;
        }
        sum
    }

    /// The bounds against the sums of Poisson's distribution that they stand for.
    #[test]
    fn bounds_leave_one_case_of_forty_on_either_side() {
        for count in [0, 1, 2, 5, 10, 30, 100, 300] {
            let beyond = at_most(count, most(count));
            assert!((0.024..0.026).contains(&beyond), "{count}: {beyond}");
            if count > 0 {
                let beyond = 1.0 - at_most(count - 1, least(count));
                assert!(beyond < 0.026 && (count < 5 || beyond > 0.023), "{count}: {beyond}");
            }
        }
        assert_eq!(least(0), 0.0);
    }

    #[test]
    fn one_of_so_many_is_sampled() {
        let mut dice = Dice::new(7);
        for one_in in [1u32, 2, 32, 1000] {
            const GAPS: u32 = 100_000;
            let passed: u64 = (0..GAPS).map(|_| u64::from(gap(&mut dice, one_in)) + 1).sum();
            let mean = passed as f64 / f64::from(GAPS);
            assert!((mean / f64::from(one_in) - 1.0).abs() < 0.02, "{one_in}: {mean}");
        }
    }
}
