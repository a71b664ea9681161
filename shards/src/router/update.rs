//! Changes of plain values: Set replaces, Add and Mul are unsigned big-endian arithmetic on
//! values of equal length that wraps at that length.

use amaters_proto::types;
use bytes::Bytes;

use super::predicate::{Predicate, check_operand, check_plain};
use crate::{
    failure::{Failure, ShownKey},
    limits::{PLAIN_VALUE_BYTES_MAX, UPDATE_STEPS_MAX},
    storage::{Meta, Value},
};

/// Which rows are changed, and how: the steps are applied one after the other.
#[derive(Clone, Debug)]
pub struct Change {
    /// The rows.
    pub predicate: Predicate,
    /// The steps, at least one.
    pub steps: Vec<Step>,
}

/// One change of a value.
#[derive(Clone, Debug)]
pub enum Step {
    /// Replace the value.
    Set(Value),
    /// Add, modulo 256^length.
    Add(Bytes),
    /// Multiply, modulo 256^length.
    Mul(Bytes),
}

impl Change {
    /// Checks and compiles an update. `blob` checks and completes the value of a Set.
    ///
    /// # Errors
    /// A missing part, an operand over 64 bytes, no step or too many.
    pub fn compile(
        predicate: Option<types::Predicate>,
        updates: Vec<types::Update>,
        blob: impl Fn(Option<types::CipherBlob>) -> Result<Value, Failure>,
    ) -> Result<Self, Failure> {
        let predicate = predicate.ok_or(Failure::MissingField("predicate"))?;
        if updates.is_empty() {
            return Err(Failure::MissingField("updates"));
        }
        if updates.len() > UPDATE_STEPS_MAX {
            return Err(Failure::TooLarge(format!(
                "an update has at most {UPDATE_STEPS_MAX} operations, this one {}",
                updates.len()
            )));
        }
        let step = |update: types::Update| {
            use types::update::Operation;
            let value = match update.operation.ok_or(Failure::MissingField("operation"))? {
                Operation::Set(set) => Step::Set(blob(set.value)?),
                Operation::Add(add) => Step::Add(blob(add.value)?.data),
                Operation::Mul(mul) => Step::Mul(blob(mul.value)?.data),
            };
            check_operand(value.operand())?;
            Ok(value)
        };
        let steps = updates.into_iter().map(step).collect::<Result<_, Failure>>()?;
        Ok(Self { predicate: Predicate::compile(predicate)?, steps })
    }

    /// The new value of a row, or none when the row does not match. `now` is in Unix seconds.
    ///
    /// # Errors
    /// The value is no plain value, or lengths differ; the text carries the key.
    pub fn apply(&self, key: &[u8], value: &Value, now: i64) -> Result<Option<Value>, Failure> {
        if !self.predicate.matches(key, &value.data)? {
            return Ok(None);
        }
        let mut changed = value.clone();
        for step in &self.steps {
            check_plain(key, &changed.data)?;
            changed = match step {
                Step::Set(replacement) => replacement.clone(),
                Step::Add(operand) => arithmetic(key, &changed, operand, now, add)?,
                Step::Mul(operand) => arithmetic(key, &changed, operand, now, mul)?,
            };
        }
        Ok(Some(changed))
    }
}

impl Step {
    fn operand(&self) -> &[u8] {
        match self {
            Self::Set(value) => &value.data,
            Self::Add(operand) | Self::Mul(operand) => operand,
        }
    }
}

fn arithmetic(
    key: &[u8],
    value: &Value,
    operand: &[u8],
    now: i64,
    operation: fn(&[u8], &[u8]) -> Vec<u8>,
) -> Result<Value, Failure> {
    if value.data.len() != operand.len() {
        return Err(Failure::InvalidOperation(format!(
            "the value of key {} has {} bytes and the operand {}; arithmetic needs equal lengths",
            ShownKey(key),
            value.data.len(),
            operand.len(),
        )));
    }
    let data = Bytes::from(operation(&value.data, operand));
    let meta = Meta {
        size: data.len() as u64,
        checksum: crc32fast::hash(&data),
        created_at: now,
        ..value.meta
    };
    Ok(Value { data, meta })
}

fn add(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut sum = vec![0; left.len()];
    let mut carry = 0;
    for index in (0..left.len()).rev() {
        let digit = u16::from(left[index]) + u16::from(right[index]) + carry;
        sum[index] = digit as u8;
        carry = digit >> 8;
    }
    sum
}

/// Schoolbook multiplication, cut at the length of the operands. By digits of 64 bits: an update is
/// one step of a shard, and single bytes would make it last for a second.
fn mul(left: &[u8], right: &[u8]) -> Vec<u8> {
    let length = left.len();
    let digits = length.div_ceil(DIGIT_BYTES);
    let (left, right) = (digits_of(left), digits_of(right));
    let mut product = [0u64; DIGITS_MAX];
    for low in 0..digits {
        let mut carry = 0u64;
        for high in 0..digits - low {
            let place = &mut product[low + high];
            // At most (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1.
            let sum = u128::from(left[low]) * u128::from(right[high])
                + u128::from(*place)
                + u128::from(carry);
            *place = sum as u64;
            carry = (sum >> u64::BITS) as u64;
        }
    }
    let wide: Vec<u8> = product.iter().rev().flat_map(|digit| digit.to_be_bytes()).collect();
    wide[wide.len() - length..].to_vec()
}

const DIGIT_BYTES: usize = size_of::<u64>();
const DIGITS_MAX: usize = PLAIN_VALUE_BYTES_MAX.div_ceil(DIGIT_BYTES);

/// The digits of a plain value, the lowest first.
fn digits_of(value: &[u8]) -> [u64; DIGITS_MAX] {
    let mut digits = [0; DIGITS_MAX];
    for (digit, bytes) in digits.iter_mut().zip(value.rchunks(DIGIT_BYTES)) {
        *digit = bytes.iter().fold(0, |digit, byte| digit << 8 | u64::from(*byte));
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arithmetic_is_that_of_integers_that_wrap(left: u64, right: u64) {
            let (a, b) = (left.to_be_bytes(), right.to_be_bytes());
            prop_assert_eq!(add(&a, &b), left.wrapping_add(right).to_be_bytes());
            prop_assert_eq!(mul(&a, &b), left.wrapping_mul(right).to_be_bytes());
        }

        #[test]
        fn arithmetic_on_one_and_three_bytes_wraps_there(left: u32, right: u32) {
            let cut = |number: u32| number.to_be_bytes()[1..].to_vec();
            prop_assert_eq!(add(&cut(left), &cut(right)), cut(left.wrapping_add(right)));
            prop_assert_eq!(mul(&cut(left), &cut(right)), cut(left.wrapping_mul(right)));
            prop_assert_eq!(mul(&[left as u8], &[right as u8]), [(left as u8).wrapping_mul(right as u8)]);
        }
    }

    /// The same multiplication, digit by digit as on paper.
    fn mul_on_paper(left: &[u8], right: &[u8]) -> Vec<u8> {
        let mut product = vec![0u32; left.len()];
        for (low, factor) in left.iter().rev().enumerate() {
            for (high, digit) in right.iter().rev().take(left.len() - low).enumerate() {
                product[low + high] += u32::from(*factor) * u32::from(*digit);
            }
        }
        let mut carry = 0;
        let mut digit = |sum: u32| {
            carry += sum;
            let digit = carry as u8;
            carry >>= 8;
            digit
        };
        let mut bytes: Vec<u8> = product.into_iter().map(&mut digit).collect();
        bytes.reverse();
        bytes
    }

    proptest! {
        #[test]
        fn every_length_multiplies_as_on_paper(
            pairs in prop::collection::vec(any::<(u8, u8)>(), 0..=64),
        ) {
            let (left, right): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
            prop_assert_eq!(mul(&left, &right), mul_on_paper(&left, &right));
        }
    }

    #[test]
    fn the_largest_plain_values_multiply() {
        for length in 1..=64 {
            let ones = vec![0xff; length];
            assert_eq!(mul(&ones, &ones), mul_on_paper(&ones, &ones), "{length} bytes");
        }
        assert_eq!(mul(&[0xff; 64], &[0xff; 64])[63], 0x01);
        assert_eq!(add(&[0xff; 64], &[0xff; 64])[63], 0xfe);
        assert!(add(&[], &[]).is_empty() && mul(&[], &[]).is_empty());
    }
}
