//! How much a request unpacks to, told before it is unpacked: an empty query is two bytes on the wire and a hundred times as
//! many in memory, and so is a node of a predicate.

use super::fields::{Fields, Wire};
use crate::{
    failure::Failure,
    limits::{BATCH_QUERIES_MAX, CONDITION_BYTES_MAX, CONDITIONS_MAX},
};

const QUERY: u32 = 1;
const REQUEST_ID: u32 = 2;
const FILTER: u32 = 4;
const UPDATE: u32 = 5;
const CONDITION: u32 = 6;

/// Refuses a `QueryRequest` or a `BatchRequest` that takes far more memory than its bytes. What is malformed passes up to
/// there: prost stops at the same place, and has the words for it.
///
/// # Errors
/// [`Failure::TooLarge`].
pub fn check(message: &[u8]) -> Result<(), Failure> {
    let (mut queries, mut condition_bytes) = (0, 0);
    let mut fields = Fields(message);
    while let Some(Some(field)) = fields.next() {
        let (QUERY, Wire::Bytes(query)) = field else { continue };
        queries += 1;
        condition_bytes += conditions(query);
        if queries > BATCH_QUERIES_MAX {
            let text =
                format!("a batch has at most {BATCH_QUERIES_MAX} queries, this one has more");
            return Err(Failure::TooLarge(text));
        }
        if condition_bytes > CONDITION_BYTES_MAX {
            return Err(Failure::TooLarge(format!(
                "the filters and updates of a request have at most {CONDITION_BYTES_MAX} bytes in \
                 all, these have more"
            )));
        }
    }
    Ok(())
}

/// The same of a `ConditionalBatchRequest`.
///
/// # Errors
/// [`Failure::TooLarge`].
pub fn check_conditional(message: &[u8]) -> Result<(), Failure> {
    let (mut conditions, mut fields) = (0, Fields(message));
    while let Some(Some((field, _))) = fields.next() {
        conditions += usize::from(field == CONDITION);
    }
    if conditions > CONDITIONS_MAX {
        let text =
            format!("a batch has at most {CONDITIONS_MAX} conditions, this one has {conditions}");
        return Err(Failure::TooLarge(text));
    }
    check(message)
}

/// The request id of a request that is not unpacked.
pub fn request_id(message: &[u8]) -> Option<String> {
    let mut fields = Fields(message);
    let mut id = None;
    while let Some(Some(field)) = fields.next() {
        if let (REQUEST_ID, Wire::Bytes(bytes)) = field {
            id = std::str::from_utf8(bytes).ok().map(str::to_owned);
        }
    }
    id
}

/// Bytes of the filters and updates of a query.
fn conditions(query: &[u8]) -> usize {
    let (mut bytes, mut fields) = (0, Fields(query));
    while let Some(Some(field)) = fields.next() {
        if let (FILTER | UPDATE, Wire::Bytes(condition)) = field {
            bytes += condition.len();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use amaters_fuzz::memory;
    use amaters_proto::{
        aql::{BatchRequest, QueryRequest},
        kv::v1::{Condition, ConditionalBatchRequest},
        query::{FilterQuery, GetQuery, Query, UpdateQuery, query::Query as Kind},
        types::{AndPredicate, Predicate, Update, predicate::Predicate as Wire},
    };
    use prost::Message;

    use super::*;

    fn batch(kind: &Kind, count: usize) -> Vec<u8> {
        let query = Query { query: Some(kind.clone()) };
        let request_id = Some("id".to_owned());
        BatchRequest { queries: vec![query; count], request_id, ..Default::default() }
            .encode_to_vec()
    }

    fn update(updates: usize) -> Kind {
        let updates = vec![Update::default(); updates];
        Kind::Update(UpdateQuery { updates, ..Default::default() })
    }

    fn filter(levels: usize) -> Kind {
        let both = |inner: Predicate| {
            let inner = Some(Box::new(inner));
            let both = AndPredicate { left: inner.clone(), right: inner };
            Predicate { predicate: Some(Wire::And(Box::new(both))) }
        };
        let predicate = Some((0..levels).fold(Predicate::default(), |inner, _| both(inner)));
        Kind::Filter(FilterQuery { predicate, ..Default::default() })
    }

    #[test]
    fn what_clients_send_passes() {
        for kind in [Kind::Get(GetQuery::default()), update(16), filter(5)] {
            check(&batch(&kind, BATCH_QUERIES_MAX)).unwrap();
            let query = Some(Query { query: Some(kind) });
            let request = QueryRequest { query, ..Default::default() };
            check(&request.encode_to_vec()).unwrap();
        }
    }

    #[test]
    fn many_conditions_are_refused() {
        let request = |count| {
            let conditions = vec![Condition::default(); count];
            ConditionalBatchRequest { conditions, ..Default::default() }.encode_to_vec()
        };
        check_conditional(&request(CONDITIONS_MAX)).unwrap();
        let refused = check_conditional(&request(CONDITIONS_MAX + 1));
        assert!(matches!(refused, Err(Failure::TooLarge(_))), "{refused:?}");
        let many = batch(&Kind::Get(GetQuery::default()), BATCH_QUERIES_MAX + 1);
        assert!(matches!(check_conditional(&many), Err(Failure::TooLarge(_))));
    }

    #[test]
    fn many_queries_and_long_conditions_are_refused_with_the_id() {
        let many = batch(&Kind::Get(GetQuery::default()), BATCH_QUERIES_MAX + 1);
        let long = batch(&update(CONDITION_BYTES_MAX / 2 + 1), 1);
        let together = batch(&filter(10), 200);
        for message in [&many, &long, &together] {
            assert!(matches!(check(message), Err(Failure::TooLarge(_))), "{} bytes", message.len());
            assert_eq!(request_id(message).as_deref(), Some("id"));
        }
    }

    /// What passes takes no more memory than this, whatever its bytes are.
    #[test]
    fn what_passes_unpacks_to_a_bounded_amount() {
        let empty = batch(&Kind::Get(GetQuery::default()), BATCH_QUERIES_MAX);
        let updates = batch(&update(CONDITION_BYTES_MAX / 2 - 100), 1);
        let predicates = batch(&filter(16), 1);
        for message in [empty, updates, predicates] {
            check(&message).unwrap();
            let (decoded, bytes) = memory::peak(|| BatchRequest::decode(&message[..]).unwrap());
            println!("{} bytes unpack to {bytes}", message.len());
            assert!(bytes > 0 && bytes < 200 * CONDITION_BYTES_MAX, "{bytes} of {}", message.len());
            drop(decoded);
        }
    }

    /// Groups and fixed fields, which nobody sends, hide nothing behind them.
    #[test]
    fn fields_of_other_kinds_are_stepped_over() {
        let many = batch(&Kind::Get(GetQuery::default()), BATCH_QUERIES_MAX + 1);
        let before: [&[u8]; 4] =
            [&[0x7d, 1, 2, 3, 4], &[0x79, 1, 2, 3, 4, 5, 6, 7, 8], &[0x7b, 0x7c], &[0x78, 5]];
        for before in before {
            let message = [before, &many].concat();
            assert!(BatchRequest::decode(&message[..]).is_ok());
            assert!(check(&message).is_err(), "{before:x?}");
        }
    }
}
