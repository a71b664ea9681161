//! Gets and sets that are encoded when they are sent, because there are more than memory holds, and
//! answers that the book judges, each of them whole.

use std::time::Instant;

use amaters_proto::{aql::QueryResponse, errors::ErrorCode};
use bytes::Bytes;
use prost::Message as _;

use super::book::{Book, Shared, Size};
use crate::{
    script::amaters::{COLLECTION, blob, check_set, framed, get, in_band_code, set, value_of},
    wire::{Body, Script},
};

/// Answers to a set after which it is worth trying again.
pub(super) const AGAIN: [usize; 2] =
    [ErrorCode::ErrorServerOverloaded as usize, ErrorCode::ErrorNetworkTimeout as usize];

/// Sets; a request's number is that of the write.
#[derive(Debug)]
pub(super) struct Sets {
    book: Shared,
    /// Keys and values, which do not change while these sets are sent.
    names: Book,
}

impl Sets {
    pub(super) fn new(book: &Shared) -> Self {
        Self { book: book.clone(), names: book.open().clone() }
    }
}

impl Script for Sets {
    fn request(&self, request: u32) -> Bytes {
        let (size, write) = Size::of(request);
        let ledger = self.names.ledger(size);
        framed(set(COLLECTION, ledger.key(write), ledger.value(write)))
    }

    fn wants_whole(&self, _: u32) -> bool {
        false
    }

    fn check(&self, request: u32, body: &Body<'_>) -> Result<usize, String> {
        let checked = check_set(body);
        let mut book = self.book.open();
        match &checked {
            Ok(()) => book.answer(request, Instant::now()),
            Err(_) if in_band_code(body).is_some_and(|code| AGAIN.contains(&code)) => {
                book.refuse(request);
            }
            // It stays without an answer, and the run fails.
            Err(_) => {}
        }
        checked.map(|()| book.ledger(Size::of(request).0).entry_bytes() as usize)
    }
}

/// Gets; a request's number is that of the place.
#[derive(Debug)]
pub(super) struct Gets {
    now: Shared,
    /// What had been answered before the first of these gets was sent.
    before: Book,
}

impl Gets {
    pub(super) fn new(book: &Shared) -> Self {
        Self { now: book.clone(), before: book.open().clone() }
    }
}

impl Script for Gets {
    fn request(&self, request: u32) -> Bytes {
        let (size, place) = Size::of(request);
        framed(get(COLLECTION, self.before.ledger(size).key(place)))
    }

    fn wants_whole(&self, _: u32) -> bool {
        true
    }

    fn check(&self, request: u32, body: &Body<'_>) -> Result<usize, String> {
        let message = body.whole.and_then(|whole| whole.get(5..)).ok_or("half an answer")?;
        let response = QueryResponse::decode(message).map_err(|error| error.to_string())?;
        let found = value_of(response)?;
        let (size, place) = Size::of(request);
        let before = self.before.ledger(size);
        let issued = self.now.open().ledger(size).issued();
        before.judge(place, issued, found.as_ref().map(|found| &found.data[..]))?;
        match found {
            Some(found) if found == blob(found.data.clone()) => Ok(found.data.len()),
            Some(_) => Err(format!("wrong: metadata of {}", before.key(place))),
            None => Err("absent".into()),
        }
    }
}
