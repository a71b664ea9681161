//! Conditions on plain values, and what changes them, as words.
//!
//! ```text
//! condition = term { "or" term }           term = factor { "and" factor }
//! factor    = "not" factor | "(" condition ")" | comparison number
//! comparison = "=" "!=" "<" "<=" ">" ">="  number = 42 | 0x002a (as many bytes as digits say)
//! change    = "set" number | "add" number | "mul" number
//! ```

use std::iter::Peekable;

use amaters_proto::types::{
    AddUpdate, AndPredicate, ColumnRef, EqPredicate, GtPredicate, GtePredicate, LtPredicate,
    LtePredicate, MulUpdate, NotPredicate, OrPredicate, Predicate, SetUpdate, Update,
    predicate::Predicate as Condition, update::Operation,
};
use bytes::Bytes;

use super::{failure::Failure, given::from_hex, query};

/// Levels that the server takes.
const DEPTH_MAX: usize = 32;

/// Reads a condition.
pub(crate) fn predicate(text: &str) -> Result<Predicate, Failure> {
    let wrong = |why| Failure::usage(format!("the condition {text:?}: {why}"));
    let words = words(text);
    let mut rest = words.iter().map(String::as_str).peekable();
    let read = either(&mut rest, 0).map_err(wrong)?;
    match rest.next() {
        None => Ok(read),
        Some(word) => Err(wrong(format!("{word:?} is too much"))),
    }
}

/// Reads a change. A number in decimal takes `width` bytes.
pub(crate) fn change(text: &str, width: Option<usize>) -> Result<Update, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("the change {text:?}: {why}; it is set, add or mul and a number"))
    };
    let mut words = text.split_whitespace();
    let verb = words.next().unwrap_or_default().to_ascii_lowercase();
    let value = number(words.next().unwrap_or_default(), width).map_err(wrong)?;
    if let Some(word) = words.next() {
        return Err(wrong(format!("{word:?} is too much")));
    }
    let (column, value) = (column(), Some(query::blob(value)));
    let operation = match verb.as_str() {
        "set" => Operation::Set(SetUpdate { column, value }),
        "add" => Operation::Add(AddUpdate { column, value }),
        "mul" => Operation::Mul(MulUpdate { column, value }),
        other => return Err(wrong(format!("{other:?} is unknown"))),
    };
    Ok(Update { operation: Some(operation) })
}

/// Comparisons and brackets are words also where no space is between.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let kind = |each: char| match each {
        '(' | ')' => 0,
        '<' | '>' | '=' | '!' => 1,
        _ => 2,
    };
    for part in text.split_whitespace() {
        let mut word = String::new();
        for each in part.chars() {
            let goes_on = |word: &String| {
                word.chars().last().is_none_or(|last| kind(last) == kind(each) && kind(each) > 0)
            };
            if !goes_on(&word) {
                words.push(std::mem::take(&mut word));
            }
            word.push(each);
        }
        words.push(word);
    }
    words
}

type Words<'a, I> = Peekable<I>;

fn either<'a, I: Iterator<Item = &'a str>>(
    words: &mut Words<'a, I>,
    depth: usize,
) -> Result<Predicate, String> {
    let mut left = both(words, depth)?;
    while words.next_if(|word| word.eq_ignore_ascii_case("or")).is_some() {
        let (l, r) = (Some(Box::new(left)), Some(Box::new(both(words, depth)?)));
        left = of(Condition::Or(Box::new(OrPredicate { left: l, right: r })));
    }
    Ok(left)
}

fn both<'a, I: Iterator<Item = &'a str>>(
    words: &mut Words<'a, I>,
    depth: usize,
) -> Result<Predicate, String> {
    let mut left = factor(words, depth)?;
    while words.next_if(|word| word.eq_ignore_ascii_case("and")).is_some() {
        let (l, r) = (Some(Box::new(left)), Some(Box::new(factor(words, depth)?)));
        left = of(Condition::And(Box::new(AndPredicate { left: l, right: r })));
    }
    Ok(left)
}

fn factor<'a, I: Iterator<Item = &'a str>>(
    words: &mut Words<'a, I>,
    depth: usize,
) -> Result<Predicate, String> {
    if depth > DEPTH_MAX {
        return Err(format!("more than {DEPTH_MAX} levels"));
    }
    let word = words.next().ok_or("it ends too early")?;
    if word.eq_ignore_ascii_case("not") {
        return Ok(not(factor(words, depth + 1)?));
    }
    if word == "(" {
        let inner = either(words, depth + 1)?;
        return match words.next() {
            Some(")") => Ok(inner),
            _ => Err("a bracket is not closed".into()),
        };
    }
    if !["=", "==", "!=", "<", "<=", ">", ">="].contains(&word) {
        return Err(format!("{word:?} is no comparison: =, !=, <, <=, > or >="));
    }
    let value = number(words.next().unwrap_or_default(), None)?;
    let (column, value) = (column(), Some(query::blob(value)));
    Ok(match word {
        "<" => of(Condition::Lt(LtPredicate { column, value })),
        "<=" => of(Condition::Lte(LtePredicate { column, value })),
        ">" => of(Condition::Gt(GtPredicate { column, value })),
        ">=" => of(Condition::Gte(GtePredicate { column, value })),
        "!=" => not(of(Condition::Eq(EqPredicate { column, value }))),
        _ => of(Condition::Eq(EqPredicate { column, value })),
    })
}

/// A number as the server compares it: unsigned, highest byte first.
fn number(word: &str, width: Option<usize>) -> Result<Bytes, String> {
    if let Some(digits) = word.strip_prefix("0x") {
        return from_hex(digits.as_bytes())
            .map(Bytes::from)
            .map_err(|why| format!("{word}: {why}"));
    }
    let number: u128 = word.parse().map_err(|_| format!("{word:?} is no number: 42, or 0x002a"))?;
    let bytes = number.to_be_bytes();
    let needed = (bytes.len() - number.leading_zeros() as usize / 8).max(1);
    let width = width.unwrap_or(needed);
    if width < needed {
        return Err(format!("{number} does not fit into {width} bytes"));
    }
    let mut padded = vec![0; width.saturating_sub(bytes.len())];
    padded.extend_from_slice(&bytes[bytes.len() - width.min(bytes.len())..]);
    Ok(padded.into())
}

fn of(condition: Condition) -> Predicate {
    Predicate { predicate: Some(condition) }
}

fn not(inner: Predicate) -> Predicate {
    of(Condition::Not(Box::new(NotPredicate { predicate: Some(Box::new(inner)) })))
}

/// Values have no columns; the protocol has a place for a name.
fn column() -> Option<ColumnRef> {
    Some(ColumnRef { name: "value".into() })
}

/// The operand of a comparison or a change, for tests.
#[cfg(test)]
fn operand(value: &Option<amaters_proto::types::CipherBlob>) -> String {
    super::entry::hex(&value.as_ref().unwrap().data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(read: &Predicate) -> String {
        let boxed = |inner: &Option<Box<Predicate>>| told(inner.as_ref().unwrap());
        match read.predicate.as_ref().unwrap() {
            Condition::Eq(eq) => format!("={}", operand(&eq.value)),
            Condition::Gt(gt) => format!(">{}", operand(&gt.value)),
            Condition::Gte(gte) => format!(">={}", operand(&gte.value)),
            Condition::Lt(lt) => format!("<{}", operand(&lt.value)),
            Condition::Lte(lte) => format!("<={}", operand(&lte.value)),
            Condition::And(and) => format!("({} & {})", boxed(&and.left), boxed(&and.right)),
            Condition::Or(or) => format!("({} | {})", boxed(&or.left), boxed(&or.right)),
            Condition::Not(not) => format!("!{}", boxed(&not.predicate)),
        }
    }

    #[test]
    fn conditions_are_read_with_their_usual_precedence() {
        for (text, expected) in [
            ("> 30", ">1e"),
            (">=256 and not = 300", "(>=0100 & !=012c)"),
            ("<1 or >2 and <3", "(<01 | (>02 & <03))"),
            ("( <1 or >2 ) and != 0x0005", "((<01 | >02) & !=0005)"),
            ("NOT(=0)", "!=00"),
        ] {
            assert_eq!(told(&predicate(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_a_reason() {
        let deep = format!("{}= 1", "not ".repeat(40));
        for (text, why) in [
            ("", "ends too early"),
            ("> ", "no number"),
            ("> x", "no number"),
            ("30", "no comparison"),
            ("> 1 > 2", "too much"),
            ("( > 1", "not closed"),
            ("> 0x1", "not pairs"),
            (deep.as_str(), "more than 32 levels"),
        ] {
            let told = predicate(text).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn changes_are_as_wide_as_asked_for() {
        let value = |text, width| match change(text, width).unwrap().operation.unwrap() {
            Operation::Set(set) => operand(&set.value),
            Operation::Add(add) => operand(&add.value),
            Operation::Mul(mul) => operand(&mul.value),
        };
        assert_eq!(value("add 1", None), "01");
        assert_eq!(value("mul 1", Some(4)), "00000001");
        assert_eq!(value("set 0x0a0b", None), "0a0b");
        assert_eq!(value("SET 7", Some(20)).len(), 40);
        for wrong in ["", "add", "sub 1", "add 1 2", "add 256 "] {
            let width = wrong.contains("256").then_some(1);
            assert!(change(wrong, width).is_err(), "{wrong}");
        }
    }
}
