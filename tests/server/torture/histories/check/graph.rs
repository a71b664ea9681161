//! Which call comes before which, and why.
//!
//! Nodes are the calls and, behind them, instants. An instant stands between all that had ended by then and all that
//! began later, so that real time takes a number of edges that grows with the calls, not with their pairs:
//!
//! ```text
//!  calls that ended ──► instant ──► next instant ──► …
//!                          └──► calls that began behind it
//! ```

use std::collections::VecDeque;

use super::super::call::Key;

/// Calls and instants, with edges from what comes first.
#[derive(Debug)]
pub(super) struct Graph {
    calls: usize,
    edges: Vec<Vec<Edge>>,
    /// Of each node a row of bits, one for each call that comes behind it.
    reach: Vec<u64>,
}

/// To what comes later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) to: u32,
    pub(super) why: Why,
}

/// Why one call comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It had ended when the other began.
    Time,
    /// The other found what it wrote.
    Found(Key),
    /// Both wrote the key; a third call, which comes behind the first one, found what the second one wrote.
    Overwritten { key: Key, by_reader: u32 },
    /// It found what the other replaced.
    Replaced(Key),
}

/// When a call may have happened, and whether it must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) must: bool,
}

/// How many edges of each kind there are.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Edges {
    pub(in super::super) time: u64,
    pub(in super::super) found: u64,
    pub(in super::super) overwritten: u64,
    pub(in super::super) replaced: u64,
}

impl Graph {
    /// Of calls in real time. Nothing comes behind a call that need not have happened.
    pub(super) fn in_time(spans: &[Span]) -> Self {
        let calls = spans.len();
        let mut instants: Vec<u64> =
            spans.iter().filter(|span| span.must).map(|span| span.ended).collect();
        instants.sort_unstable();
        instants.dedup();
        let nodes = calls + instants.len();
        let mut graph = Self { calls, edges: vec![Vec::new(); nodes], reach: Vec::new() };
        for later in 1..instants.len() {
            graph.add(calls + later - 1, calls + later, Why::Time);
        }
        for (call, span) in spans.iter().enumerate() {
            let before = instants.partition_point(|instant| *instant < span.begun);
            if before > 0 {
                graph.add(calls + before - 1, call, Why::Time);
            }
            if span.must {
                let instant = instants.partition_point(|instant| *instant < span.ended);
                graph.add(call, calls + instant, Why::Time);
            }
        }
        graph
    }

    pub(super) fn add(&mut self, from: usize, to: usize, why: Why) {
        self.edges[from].push(Edge { to: to as u32, why });
    }

    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    pub(super) fn edges(&self, node: usize) -> &[Edge] {
        &self.edges[node]
    }

    /// How many edges lead to each node.
    pub(super) fn edges_in(&self) -> Vec<u32> {
        let mut edges_in = vec![0; self.edges.len()];
        self.edges.iter().flatten().for_each(|edge| edges_in[edge.to as usize] += 1);
        edges_in
    }

    pub(super) fn count(&self) -> Edges {
        let mut count = Edges::default();
        for edge in self.edges.iter().flatten() {
            match edge.why {
                Why::Time => count.time += 1,
                Why::Found(_) => count.found += 1,
                Why::Overwritten { .. } => count.overwritten += 1,
                Why::Replaced(_) => count.replaced += 1,
            }
        }
        count
    }

    /// Whether `to` comes behind `from`, as of the last [`Graph::close`].
    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        self.reach[from * self.width() + to / 64] & 1 << (to % 64) != 0
    }

    fn width(&self) -> usize {
        self.calls.div_ceil(64)
    }

    /// Computes what comes behind what.
    ///
    /// # Errors
    /// A call comes behind itself: the shortest way around.
    pub(super) fn close(&mut self) -> Result<(), Vec<(usize, Edge)>> {
        let mut edges_in = self.edges_in();
        let mut order: Vec<usize> =
            (0..self.edges.len()).filter(|node| edges_in[*node] == 0).collect();
        let mut next = 0;
        while let Some(node) = order.get(next).copied() {
            next += 1;
            for edge in &self.edges[node] {
                let left = &mut edges_in[edge.to as usize];
                *left -= 1;
                if *left == 0 {
                    order.push(edge.to as usize);
                }
            }
        }
        if order.len() < self.edges.len() {
            let is_left = edges_in.iter().map(|left| *left > 0).collect();
            return Err(self.shortest_cycle(is_left));
        }
        let width = self.width();
        self.reach = vec![0; self.edges.len() * width];
        for node in order.into_iter().rev() {
            for edge in &self.edges[node] {
                let to = edge.to as usize;
                if to < self.calls {
                    self.reach[node * width + to / 64] |= 1 << (to % 64);
                }
                for word in 0..width {
                    self.reach[node * width + word] |= self.reach[to * width + word];
                }
            }
        }
        Ok(())
    }

    /// The cycle with the fewest calls among these nodes, of which at least one is in a cycle.
    fn shortest_cycle(&self, mut is_left: Vec<bool>) -> Vec<(usize, Edge)> {
        const STARTS_MAX: usize = 256;
        self.drop_ends(&mut is_left);
        let starts = (0..self.calls).filter(|call| is_left[*call]).take(STARTS_MAX);
        let cycles = starts.filter_map(|start| self.cycle_through(start, &is_left));
        cycles.min_by_key(Vec::len).unwrap_or_default()
    }

    /// Drops the nodes from which no cycle can be reached.
    fn drop_ends(&self, is_left: &mut [bool]) {
        loop {
            let leads_on =
                |node: usize| self.edges[node].iter().any(|edge| is_left[edge.to as usize]);
            let ends: Vec<usize> =
                (0..is_left.len()).filter(|node| is_left[*node] && !leads_on(*node)).collect();
            if ends.is_empty() {
                return;
            }
            ends.into_iter().for_each(|node| is_left[node] = false);
        }
    }

    /// The way from a call back to it over the fewest calls. A way over instants counts as one edge.
    fn cycle_through(&self, start: usize, is_left: &[bool]) -> Option<Vec<(usize, Edge)>> {
        let mut came: Vec<Option<(usize, Edge)>> = vec![None; self.edges.len()];
        let mut queue = VecDeque::from([start]);
        let mut is_done = vec![false; self.edges.len()];
        while let Some(node) = queue.pop_front() {
            if std::mem::replace(&mut is_done[node], true) {
                continue;
            }
            for edge in &self.edges[node] {
                let to = edge.to as usize;
                if to == start {
                    came[start] = Some((node, *edge));
                    return Some(self.way(start, &came));
                }
                if !is_left[to] || is_done[to] || came[to].is_some() && node < self.calls {
                    continue;
                }
                came[to] = Some((node, *edge));
                // Instants cost nothing.
                if node < self.calls { queue.push_back(to) } else { queue.push_front(to) }
            }
        }
        None
    }

    /// From the last edge back to the first, without instants.
    fn way(&self, start: usize, came: &[Option<(usize, Edge)>]) -> Vec<(usize, Edge)> {
        let mut way = Vec::new();
        let mut to = start;
        while let Some((mut from, edge)) = came[to] {
            while from >= self.calls {
                let Some((before, _)) = came[from] else { break };
                from = before;
            }
            way.push((from, Edge { to: to as u32, ..edge }));
            to = from;
            if to == start {
                break;
            }
        }
        way.reverse();
        way
    }
}
