//! `ExecuteInteractive`: many requests of one stream are under way at once, and are answered in their order.
//!
//! ```text
//! requests ─► waiting ───────────────────────► running ──► done ──► answered, behind all that came before
//!             while one that came before it      queries     │
//!             and touches the same is under way              └ held until it is its turn, and the peer has room
//! ```
//!
//! Always true: two requests of a stream of which one writes what the other touches run one after the other, in their order;
//! nothing more is read from the stream while as much is held for it as may be.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use amaters_proto::{
    aql::QueryRequest, errors::ErrorResponse, query::query::Query as Kind, types::Key,
};
use bytes::Bytes;
use futures_util::{
    Stream, StreamExt as _,
    future::LocalBoxFuture,
    stream::{self, FuturesUnordered},
};
use prost::Message as _;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    foresight::Foresight,
    inbound::{Inbound, Trouble},
    outbound::{Gone, Outbound},
    serve::{Limit, contained},
    status::error_response,
    unary::query,
};
use crate::{
    auth::access::Access,
    core::Core,
    failure::Failure,
    limits::{INTERACTIVE_BYTES_MAX, INTERACTIVE_REQUESTS_MAX},
    payload::{Charge, Flight, Writer},
    router::operation::Reply,
    rpc::{
        amount,
        answer::{Answer, ErrorAnswer, QueryAnswer},
    },
    throttle::Cost,
};

/// Serves a stream to its end.
///
/// # Errors
/// The stream is gone, or does not go on; what it has asked for before is answered first.
pub async fn serve(
    core: &Rc<Core>,
    access: Rc<Access>,
    flight: &Rc<Flight>,
    inbound: &mut Inbound,
    outbound: &mut Outbound,
) -> Result<(), Trouble> {
    // A message that has come in part waits there while nothing is read.
    let requests = stream::unfold(Some(inbound), |inbound| async move {
        let inbound = inbound?;
        match inbound.next(false).await {
            Ok(message) => message.map(|message| (Ok(message), Some(inbound))),
            Err(trouble) => Some((Err(trouble), None)),
        }
    });
    let mut requests = pin!(requests);
    let mut pipeline = Pipeline::new(core, access, flight);
    poll_fn(|cx| pipeline.poll(requests.as_mut(), outbound, cx)).await
}

/// The requests of a stream that have not been answered.
struct Pipeline {
    core: Rc<Core>,
    /// Who asks, as it was when the last request began.
    access: Rc<Access>,
    flight: Rc<Flight>,
    /// In the order in which they came.
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: u64,
    running: FuturesUnordered<Running>,
    /// Bytes of requests and of answers that wait for their turn.
    bytes: usize,
    foresight: Foresight,
    /// No more requests come, for this reason.
    ended: Option<Result<(), Trouble>>,
}

/// A query under way, which ends with the number of its slot.
type Running = LocalBoxFuture<'static, (u64, Result<Reply, Failure>)>;

struct Slot {
    stage: Stage,
    touches: Option<Touches>,
    request_id: Option<String>,
    limit: Limit,
    bytes: usize,
    charge: Charge,
    /// What the answer of a read is taken to have.
    awaited: Option<Charge>,
}

/// An answer whose turn it is.
struct Answered {
    result: Result<Reply, ErrorResponse>,
    request_id: Option<String>,
    millis: u64,
}

enum Stage {
    Waiting(Box<QueryRequest>),
    Running,
    Done(Result<Reply, Failure>),
}

/// What a request reads or writes, as hashes. Two that share one run one after the other, and nothing else follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Touches {
    collection: u64,
    /// None: all of the collection.
    key: Option<u64>,
    writes: bool,
}

impl Pipeline {
    fn new(core: &Rc<Core>, access: Rc<Access>, flight: &Rc<Flight>) -> Self {
        let bytes_max = bytes_max(core);
        Self {
            core: Rc::clone(core),
            access,
            flight: Rc::clone(flight),
            slots: VecDeque::new(),
            first: 0,
            running: FuturesUnordered::new(),
            bytes: 0,
            foresight: Foresight::new(bytes_max, Rc::clone(&core.awaited)),
            ended: None,
        }
    }

    fn poll(
        &mut self,
        mut requests: Pin<&mut impl Stream<Item = Result<Bytes, Trouble>>>,
        outbound: &mut Outbound,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Trouble>> {
        if outbound.poll_reset(cx).is_ready() {
            // What runs is dropped, and with it its place in the queues of locks.
            return Poll::Ready(Err(Trouble::Gone));
        }
        let mut taken = 0;
        loop {
            let mut progress = false;
            while let Poll::Ready(Some((number, result))) = self.running.poll_next_unpin(cx) {
                self.finish((number - self.first) as usize, result, cx);
                progress = true;
            }
            progress |= self.poll_answers(outbound, cx)?;
            while self.has_room() {
                let Poll::Ready(next) = requests.as_mut().poll_next(cx) else { break };
                match next {
                    Some(Ok(message)) => self.take(message, cx),
                    Some(Err(Trouble::Gone)) => return Poll::Ready(Err(Trouble::Gone)),
                    Some(Err(trouble)) => self.ended = Some(Err(trouble)),
                    None => self.ended = Some(Ok(())),
                }
                (progress, taken) = (true, taken + 1);
            }
            if let Some(ended) = self.ended.take_if(|_| self.slots.is_empty()) {
                return Poll::Ready(ended);
            }
            if !progress {
                return Poll::Pending;
            }
            if taken >= INTERACTIVE_REQUESTS_MAX {
                // Others want their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Sends the answers whose turn it is, as far as the peer has room; tells whether there was one.
    fn poll_answers(
        &mut self,
        outbound: &mut Outbound,
        cx: &mut Context<'_>,
    ) -> Result<bool, Gone> {
        let mut progress = false;
        while self.slots.front().is_some_and(Slot::is_done) {
            match outbound.poll_room(cx) {
                Poll::Pending => break,
                Poll::Ready(room) => room?,
            }
            outbound.push(&self.next_answers())?;
            progress = true;
        }
        Ok(progress)
    }

    /// Takes the answers whose turn it is, until they are long enough for a frame.
    fn next_answers(&mut self) -> Vec<Answered> {
        /// As long as all that are under way, where they are short.
        const BYTES: usize = 16 * 1024;

        let (mut answers, mut bytes) = (Vec::new(), 0);
        while bytes < BYTES
            && self.slots.front().is_some_and(Slot::is_done)
            && let Some(slot) = self.slots.pop_front()
        {
            self.first += 1;
            self.bytes -= slot.bytes;
            bytes += slot.bytes;
            answers.extend(slot.answered());
        }
        answers
    }

    /// Whether one more request may be taken. One may always.
    fn has_room(&self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let held = self.bytes + self.foresight.awaited();
        let of_connection = self.flight.connection() + self.foresight.awaited();
        self.slots.is_empty()
            || self.slots.len() < INTERACTIVE_REQUESTS_MAX
                && held < bytes_max(&self.core)
                // What comes in pieces finds room as well.
                && of_connection < self.core.connection_bytes_max() / 2
    }

    fn take(&mut self, message: Bytes, cx: &mut Context<'_>) {
        let limit = Limit { begun: Instant::now(), header: None };
        let bytes = message.len();
        let paid = self.access.pay(&self.core, limit.begun, Cost::REQUEST);
        let (stage, request_id) = match paid.and_then(|()| amount::check(&message)) {
            Err(failure) => (Stage::Done(Err(failure)), amount::request_id(&message)),
            Ok(()) => match QueryRequest::decode(message) {
                Err(error) => (Stage::Done(Err(Failure::Malformed(error.to_string()))), None),
                Ok(mut request) => {
                    let request_id = request.request_id.take();
                    (Stage::Waiting(Box::new(request)), request_id)
                }
            },
        };
        let touches = match &stage {
            Stage::Waiting(request) => Touches::of(request),
            Stage::Running | Stage::Done(_) => None,
        };
        let charge = Charge::new(&self.flight, bytes);
        self.bytes += bytes;
        let slot = Slot { stage, touches, request_id, limit, bytes, charge, awaited: None };
        self.slots.push_back(slot);
        self.begin_if_due(self.slots.len() - 1, cx);
    }

    /// Begins a request that waits, unless it has to. What memory can tell is done at once.
    fn begin_if_due(&mut self, index: usize, cx: &mut Context<'_>) {
        let slot = &self.slots[index];
        let Stage::Waiting(request) = &slot.stage else { return };
        let before = self.slots.range(..index).filter(|slot| !matches!(slot.stage, Stage::Done(_)));
        let touched = before.filter_map(|slot| slot.touches);
        if slot.touches.is_some_and(|touches| touched.into_iter().any(|t| t.excludes(touches))) {
            return;
        }
        let deadline = slot.limit.deadline(request.timeout_ms);
        let is_late = deadline.is_some_and(|deadline| deadline.at <= Instant::now());
        let slot = &mut self.slots[index];
        let stage = std::mem::replace(&mut slot.stage, Stage::Running);
        let Stage::Waiting(request) = stage else { return };
        if is_late {
            let timeout_ms = request.timeout_ms.unwrap_or_default();
            let late = Failure::Timeout { millis: timeout_ms.into(), write: false };
            slot.stage = Stage::Done(Err(late));
            return;
        }
        match self.access.renewed(&self.core) {
            Ok(access) => self.access = access,
            Err(failure) => {
                slot.stage = Stage::Done(Err(failure));
                return;
            }
        }
        let is_read = slot.touches.is_some_and(|touches| !touches.writes);
        slot.awaited = is_read.then(|| self.foresight.begin());
        let (core, access) = (Rc::clone(&self.core), Rc::clone(&self.access));
        let (limit, number) = (slot.limit, self.first + index as u64);
        let mut running: Running = Box::pin(async move {
            let answered =
                contained(async { Ok(query(&core, &access, *request, limit).await) }).await;
            let result = answered.unwrap_or_else(|trouble| match trouble {
                Trouble::Failure(failure) => Err(failure),
                _ => Err(Failure::Internal("a query ended in a strange way".into())),
            });
            (number, result)
        });
        match running.as_mut().poll(cx) {
            Poll::Ready((_, result)) => self.finish(index, result, cx),
            Poll::Pending => self.running.push(running),
        }
    }

    fn finish(&mut self, index: usize, result: Result<Reply, Failure>, cx: &mut Context<'_>) {
        let slot = &mut self.slots[index];
        let bytes = result.as_ref().map_or(0, Reply::bytes);
        if slot.awaited.take().is_some() {
            self.foresight.learn(bytes);
        }
        // The request is gone, the answer is here.
        self.bytes = self.bytes - slot.bytes + bytes;
        slot.bytes = bytes;
        slot.charge.set(bytes);
        slot.stage = Stage::Done(result);
        for waiting in index + 1..self.slots.len() {
            self.begin_if_due(waiting, cx);
        }
    }
}

/// Bytes that may be held for one stream: a part of what its connection may hold.
fn bytes_max(core: &Core) -> usize {
    INTERACTIVE_BYTES_MAX.min(core.settings.limits.connection_bytes_max / 4)
}

impl Slot {
    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    fn answered(self) -> Option<Answered> {
        let Stage::Done(result) = self.stage else { return None };
        let result = result.map_err(|failure| error_response(&failure));
        Some(Answered { result, request_id: self.request_id, millis: self.limit.millis() })
    }
}

impl Answer for Answered {
    fn length(&self) -> usize {
        let (request_id, millis) = (self.request_id(), self.millis);
        match &self.result {
            Ok(reply) => QueryAnswer { reply, request_id, millis }.length(),
            Err(error) => ErrorAnswer { error, request_id, millis }.length(),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let (request_id, millis) = (self.request_id(), self.millis);
        match &self.result {
            Ok(reply) => QueryAnswer { reply, request_id, millis }.write(writer),
            Err(error) => ErrorAnswer { error, request_id, millis }.write(writer),
        }
    }
}

impl Answered {
    fn request_id(&self) -> Option<&[u8]> {
        self.request_id.as_deref().map(str::as_bytes)
    }
}

impl Touches {
    /// None: nothing, because it will be refused.
    fn of(request: &QueryRequest) -> Option<Self> {
        let of_key = |collection: &str, key: &Option<Key>, writes| {
            let collection = xxh3_64(collection.as_bytes());
            let key = xxh3_64_with_seed(&key.as_ref()?.data, collection);
            Some(Self { collection, key: Some(key), writes })
        };
        let of_all = |collection: &str, writes| {
            Some(Self { collection: xxh3_64(collection.as_bytes()), key: None, writes })
        };
        match request.query.as_ref()?.query.as_ref()? {
            Kind::Get(get) => of_key(&get.collection, &get.key, false),
            Kind::Set(set) => of_key(&set.collection, &set.key, true),
            Kind::Delete(delete) => of_key(&delete.collection, &delete.key, true),
            Kind::Range(range) => of_all(&range.collection, false),
            Kind::Filter(filter) => of_all(&filter.collection, false),
            Kind::Update(update) => of_all(&update.collection, true),
        }
    }

    /// Whether the two must not run at once.
    fn excludes(self, other: Self) -> bool {
        let share_keys = match (self.key, other.key) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.collection == other.collection && share_keys && (self.writes || other.writes)
    }
}

#[cfg(test)]
mod tests {
    use amaters_proto::query::{
        DeleteQuery, FilterQuery, GetQuery, Query, RangeQuery, SetQuery, UpdateQuery,
    };

    use super::*;

    fn touches(kind: Kind) -> Touches {
        let query = Some(Query { query: Some(kind) });
        Touches::of(&QueryRequest { query, ..Default::default() }).unwrap()
    }

    #[test]
    fn requests_exclude_each_other_where_one_writes_what_the_other_touches() {
        let key = |name: &'static str| Some(Key { data: Bytes::from_static(name.as_bytes()) });
        let in_c = || "c".to_owned();
        let get =
            |name, collection: String| touches(Kind::Get(GetQuery { collection, key: key(name) }));
        let set = |name, collection| {
            touches(Kind::Set(SetQuery { collection, key: key(name), value: None }))
        };
        let delete = touches(Kind::Delete(DeleteQuery { collection: in_c(), key: key("k") }));
        let range = touches(Kind::Range(RangeQuery { collection: in_c(), ..Default::default() }));
        let filter =
            touches(Kind::Filter(FilterQuery { collection: in_c(), ..Default::default() }));
        let update =
            touches(Kind::Update(UpdateQuery { collection: in_c(), ..Default::default() }));
        let (read, write) = (get("k", in_c()), set("k", in_c()));
        let elsewhere = [get("l", in_c()), set("l", in_c()), get("k", "d".into())];
        let excluding = [
            (read, vec![write, delete, update]),
            (write, vec![read, write, delete, range, filter, update]),
            (delete, vec![read, write, delete, range, filter, update]),
            (range, vec![write, delete, update]),
            (filter, vec![write, delete, update]),
            (update, vec![read, write, delete, range, filter, update]),
        ];
        for (one, excluded) in &excluding {
            for (other, _) in &excluding {
                let expected = excluded.contains(other);
                assert_eq!(one.excludes(*other), expected, "{one:?} and {other:?}");
            }
        }
        for one in [read, write, delete] {
            assert!(elsewhere.iter().all(|other| !one.excludes(*other)));
        }
    }

    #[test]
    fn what_will_be_refused_is_in_nobodys_way() {
        assert_eq!(Touches::of(&QueryRequest::default()), None);
        let query = Some(Query { query: Some(Kind::Get(GetQuery::default())) });
        assert_eq!(Touches::of(&QueryRequest { query, ..Default::default() }), None);
    }
}
