//! Conditions on plain values: compiled once from the wire, evaluated for each row.
//!
//! Values have no columns: a condition looks at the whole value. Both sides are unsigned
//! big-endian integers of at most 64 bytes, so `00 05` equals `05`; no leading zeros means
//! plain bytewise order. A longer value is a ciphertext, and comparing it is refused with its key.

use std::cmp::Ordering;

use amaters_proto::types;
use bytes::Bytes;

use crate::{
    failure::{Failure, ShownKey},
    limits::{PLAIN_VALUE_BYTES_MAX, PREDICATE_DEPTH_MAX, PREDICATE_NODES_MAX},
};

/// A checked condition: bounded in depth and size, operands at most 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// The value stands in this relation to the operand.
    Compare(Relation, Bytes),
    /// Both hold.
    And(Box<Predicate>, Box<Predicate>),
    /// At least one holds.
    Or(Box<Predicate>, Box<Predicate>),
    /// It does not hold.
    Not(Box<Predicate>),
}

/// How a value stands to an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Less.
    Lt,
    /// Greater or equal.
    Gte,
    /// Less or equal.
    Lte,
}

impl Predicate {
    /// Checks and compiles a condition.
    ///
    /// # Errors
    /// A missing part, an operand over 64 bytes, too deep or too large a tree.
    pub fn compile(wire: types::Predicate) -> Result<Self, Failure> {
        let mut nodes = 0;
        compile(wire, 0, &mut nodes)
    }

    /// Whether the row matches.
    ///
    /// # Errors
    /// The row's value is longer than a plain value; the text carries the key.
    pub fn matches(&self, key: &[u8], value: &[u8]) -> Result<bool, Failure> {
        check_plain(key, value)?;
        Ok(self.holds(value))
    }

    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Compare(relation, operand) => relation.holds(compare(value, operand)),
            Self::And(left, right) => left.holds(value) && right.holds(value),
            Self::Or(left, right) => left.holds(value) || right.holds(value),
            Self::Not(inner) => !inner.holds(value),
        }
    }
}

impl Relation {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Gt => ordering.is_gt(),
            Self::Lt => ordering.is_lt(),
            Self::Gte => ordering.is_ge(),
            Self::Lte => ordering.is_le(),
        }
    }
}

/// Refuses a row that needs homomorphic evaluation.
///
/// # Errors
/// The value is longer than 64 bytes; the text carries the key.
pub fn check_plain(key: &[u8], value: &[u8]) -> Result<(), Failure> {
    if value.len() <= PLAIN_VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(Failure::InvalidOperation(format!(
        "the value of key {} has {} bytes; only plain values of at most {PLAIN_VALUE_BYTES_MAX} \
         bytes can be compared and changed",
        ShownKey(key),
        value.len(),
    )))
}

/// Orders two unsigned big-endian integers of any lengths.
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let left = without_leading_zeros(left);
    let right = without_leading_zeros(right);
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

fn compile(wire: types::Predicate, depth: usize, nodes: &mut usize) -> Result<Predicate, Failure> {
    use types::predicate::Predicate as Wire;

    *nodes += 1;
    if depth >= PREDICATE_DEPTH_MAX || *nodes > PREDICATE_NODES_MAX {
        return Err(Failure::TooLarge(format!(
            "the predicate is larger than {PREDICATE_DEPTH_MAX} levels or {PREDICATE_NODES_MAX} \
             conditions"
        )));
    }
    let mut inner = |wire: Option<Box<types::Predicate>>, name| {
        let wire = wire.ok_or(Failure::MissingField(name))?;
        compile(*wire, depth + 1, nodes).map(Box::new)
    };
    Ok(match wire.predicate.ok_or(Failure::MissingField("predicate"))? {
        Wire::Eq(eq) => Predicate::Compare(Relation::Eq, operand(eq.value)?),
        Wire::Gt(gt) => Predicate::Compare(Relation::Gt, operand(gt.value)?),
        Wire::Lt(lt) => Predicate::Compare(Relation::Lt, operand(lt.value)?),
        Wire::Gte(gte) => Predicate::Compare(Relation::Gte, operand(gte.value)?),
        Wire::Lte(lte) => Predicate::Compare(Relation::Lte, operand(lte.value)?),
        Wire::And(and) => Predicate::And(inner(and.left, "left")?, inner(and.right, "right")?),
        Wire::Or(or) => Predicate::Or(inner(or.left, "left")?, inner(or.right, "right")?),
        Wire::Not(not) => Predicate::Not(inner(not.predicate, "predicate")?),
    })
}

fn operand(wire: Option<types::CipherBlob>) -> Result<Bytes, Failure> {
    let data = wire.ok_or(Failure::MissingField("value"))?.data;
    check_operand(&data)?;
    Ok(data)
}

/// Refuses an operand that is no plain value.
///
/// # Errors
/// It is longer than 64 bytes.
pub fn check_operand(data: &[u8]) -> Result<(), Failure> {
    if data.len() <= PLAIN_VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(Failure::InvalidOperation(format!(
        "the operand has {} bytes; only plain values of at most {PLAIN_VALUE_BYTES_MAX} bytes can \
         be compared and changed",
        data.len()
    )))
}

#[cfg(test)]
mod tests {
    use types::predicate::Predicate as Wire;

    use super::*;

    fn blob(data: &'static [u8]) -> Option<types::CipherBlob> {
        Some(types::CipherBlob { data: Bytes::from_static(data), metadata: None })
    }

    fn gt(data: &'static [u8]) -> types::Predicate {
        let gt = types::GtPredicate { column: None, value: blob(data) };
        types::Predicate { predicate: Some(Wire::Gt(gt)) }
    }

    fn lt(data: &'static [u8]) -> types::Predicate {
        let lt = types::LtPredicate { column: None, value: blob(data) };
        types::Predicate { predicate: Some(Wire::Lt(lt)) }
    }

    fn not(inner: types::Predicate) -> types::Predicate {
        let not = types::NotPredicate { predicate: Some(Box::new(inner)) };
        types::Predicate { predicate: Some(Wire::Not(Box::new(not))) }
    }

    #[test]
    fn order_is_that_of_unsigned_big_endian_integers() {
        assert_eq!(compare(&[0x80], &[0x7f]), Ordering::Greater);
        assert_eq!(compare(&[0x01, 0x00], &[0xff]), Ordering::Greater);
        assert_eq!(compare(&[0x00, 0x05], &[0x05]), Ordering::Equal);
        assert_eq!(compare(&[], &[0x00]), Ordering::Equal);
        assert_eq!(compare(b"abc", b"abd"), Ordering::Less);
    }

    #[test]
    fn and_or_not_are_evaluated_properly() {
        let and =
            types::AndPredicate { left: Some(Box::new(gt(&[1]))), right: Some(Box::new(lt(&[9]))) };
        let between = types::Predicate { predicate: Some(Wire::And(Box::new(and))) };
        let inside = Predicate::compile(between.clone()).unwrap();
        let outside = Predicate::compile(not(between)).unwrap();
        for (value, expected) in [(1u8, false), (2, true), (8, true), (9, false)] {
            assert_eq!(inside.matches(b"k", &[value]).unwrap(), expected);
            assert_eq!(outside.matches(b"k", &[value]).unwrap(), !expected);
        }
        let or =
            types::OrPredicate { left: Some(Box::new(gt(&[9]))), right: Some(Box::new(lt(&[1]))) };
        let either = types::Predicate { predicate: Some(Wire::Or(Box::new(or))) };
        let either = Predicate::compile(either).unwrap();
        assert!(either.matches(b"k", &[0]).unwrap() && either.matches(b"k", &[10]).unwrap());
        assert!(!either.matches(b"k", &[5]).unwrap());
    }

    #[test]
    fn a_ciphertext_is_refused_with_its_key() {
        let predicate = Predicate::compile(gt(&[1])).unwrap();
        assert!(predicate.matches(b"k", &[7; 64]).is_ok());
        let failure = predicate.matches(b"users:42", &[7; 65]).unwrap_err();
        assert!(matches!(failure, Failure::InvalidOperation(_)));
        assert!(failure.to_string().contains("users:42"), "{failure}");
    }

    #[test]
    fn depth_size_and_missing_parts_are_refused() {
        let deep = (0..PREDICATE_DEPTH_MAX).fold(gt(&[1]), |inner, _| not(inner));
        assert!(matches!(Predicate::compile(deep), Err(Failure::TooLarge(_))));
        let empty = types::Predicate { predicate: None };
        assert!(matches!(Predicate::compile(empty), Err(Failure::MissingField("predicate"))));
        assert!(Predicate::compile(gt(&[1; 65])).is_err());
    }
}
