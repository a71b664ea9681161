//! A violation in words.

use std::{fmt::Write as _, ops::Range};

use super::{
    super::call::{GARBAGE, Key, Shown, name},
    Contradiction, Life, Stuck,
    graph::{Edge, Why},
};

/// Calls that are shown of those that could come next.
const NEXT_MAX: usize = 8;

impl Life<'_> {
    /// Each call of a cycle, with why it comes before the next.
    pub(super) fn explain_cycle(&self, cycle: &[(usize, Edge)]) -> String {
        let count = cycle.len();
        let mut text = format!(
            "each of these {count} calls must come before the next, the last before the first:"
        );
        let mut witnesses = Vec::new();
        for (place, (call, edge)) in cycle.iter().enumerate() {
            let next = letter((place + 1) % count);
            let _ = write!(text, "\n  {}: {}", letter(place), self.calls[*call]);
            let why = match edge.why {
                Why::Time => format!("it had ended when {next} began"),
                Why::Found(key) => format!("{next} found the {} that it wrote", name(key)),
                Why::Replaced(key) => {
                    let found = self.found(*call, key);
                    format!("it found {} = {found}, and {next} wrote over that", name(key))
                }
                Why::Overwritten { key, by_reader } => {
                    let witness = letter(count + witnesses.len());
                    witnesses.push(by_reader as usize);
                    let name = name(key);
                    format!(
                        "both wrote {name}; {witness} comes behind it and found the {name} of {next}"
                    )
                }
            };
            let _ = write!(text, "\n     before {next}: {why}");
        }
        for (place, witness) in witnesses.into_iter().enumerate() {
            let _ = write!(text, "\n  {}: {}", letter(count + place), self.calls[witness]);
        }
        text
    }

    pub(super) fn explain_contradiction(&self, contradiction: &Contradiction) -> String {
        match *contradiction {
            Contradiction::Unwritten(call, key, version) => {
                let (name, shown) = (name(key), Shown(version));
                let wrote =
                    |(keys, written): (Range<Key>, _)| written == version && keys.contains(&key);
                let refused = self.refused.iter().find(|call| call.versions().any(wrote));
                let call = self.calls[call];
                match refused {
                    Some(refused) => format!(
                        "{name} = {shown} was found, but the call that wrote it was refused:\n  {call}\n  {refused}"
                    ),
                    None => format!("{name} = {shown} was found, which no call wrote:\n  {call}"),
                }
            }
            Contradiction::Undeleted(call, key) => format!(
                "{} was found absent, but every delete comes too late:\n  {}",
                name(key),
                self.calls[call]
            ),
        }
    }

    pub(super) fn explain_stuck(&self, stuck: &Stuck, key: Option<Key>) -> String {
        let Stuck { is_certain, taken, next } = stuck;
        let what = match is_certain {
            true => "no order of the calls explains all answers",
            false => "no order was found that explains all answers, and the search was given up",
        };
        let of = key.map_or(String::new(), |key| format!(" about {}", name(key)));
        let mut text = format!("{what}{of}; at best {taken} fit, and then none of these:");
        for (call, objection) in next.iter().take(NEXT_MAX) {
            let _ = write!(text, "\n  {}\n     {objection}", self.calls[*call]);
        }
        text
    }

    fn found(&self, call: usize, key: Key) -> Shown {
        let found = self.effects[call].found().find(|(found, _)| *found == key);
        Shown(found.map_or(GARBAGE, |(_, version)| version))
    }
}

fn letter(place: usize) -> String {
    let letter = char::from(b'A' + (place % 26) as u8);
    if place < 26 { letter.into() } else { format!("{letter}{}", place / 26) }
}
