//! One decoder, and damaged inputs for it until the time is over.

use std::{
    any::Any,
    collections::HashSet,
    env, fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{dice::Dice, memory, mutator::Mutator, watch::Watch};

/// Inputs of a short run, which is part of the ordinary tests.
const ROUNDS_SHORT: u64 = 3000;
/// The seed of short runs: what passed once passes again.
const SEED_SHORT: u64 = 1;
/// Longest time for one input, in a build without optimisation on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Most inputs that are kept to be changed further.
const KEPT_MAX: usize = 1000;
/// Bytes of an input that a fault shows.
const SHOWN_BYTES_MAX: usize = 4096;

/// Makes checksums right again.
type Repair<'a> = Box<dyn Fn(&mut Vec<u8>) + 'a>;
/// From bytes of an input to bytes of memory.
type Bound<'a> = Box<dyn Fn(usize) -> usize + 'a>;

/// A decoder's run, and what it may take.
pub struct Campaign<'a> {
    name: &'a str,
    seeds: Vec<Vec<u8>>,
    repair: Repair<'a>,
    memory_max: Bound<'a>,
    input_bytes_max: usize,
    rounds: u64,
}

/// How inputs were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs that the decoder made something of.
    pub accepted: u64,
    /// Inputs that it refused.
    pub refused: u64,
    /// Different answers, by their words or their shape.
    pub kinds: usize,
}

/// What a decoder must not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It panicked, with these words.
    Panic(String),
    /// It held so many bytes, more than it may.
    Memory { bytes: usize, max: usize },
    /// It took so long.
    Time(Duration),
}

/// An input that shows a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happened.
    pub what: What,
    /// With which input.
    pub input: Vec<u8>,
    /// How to see it again.
    pub seed: u64,
    /// The same.
    pub round: u64,
}

impl<'a> Campaign<'a> {
    /// Begins with `seeds`: what our own writers write, one of each kind.
    pub fn new(name: &'a str, seeds: Vec<Vec<u8>>) -> Self {
        assert!(!seeds.is_empty(), "{name}: nothing to begin with");
        let longest = seeds.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            name,
            seeds,
            repair: Box::new(|_| ()),
            memory_max: Box::new(|bytes| 64 * 1024 + 16 * bytes),
            input_bytes_max: 2 * longest + 64,
            rounds: ROUNDS_SHORT,
        }
    }

    /// Makes checksums right again, so that the code behind them is reached. One input in eight is left as it is.
    pub fn repair(mut self, repair: impl Fn(&mut Vec<u8>) + 'a) -> Self {
        self.repair = Box::new(repair);
        self
    }

    /// The most memory that the decoder may hold for an input of so many bytes.
    pub fn memory_max(mut self, memory_max: impl Fn(usize) -> usize + 'a) -> Self {
        self.memory_max = Box::new(memory_max);
        self
    }

    /// Another number of inputs in a short run, for decoders that take long.
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// Runs, and panics at a fault, or if all inputs were accepted or all refused: then it has not been where it should.
    ///
    /// The decoder gives a number for the shape of what it accepted, or the words of its refusal.
    ///
    /// # Panics
    /// As said.
    pub fn run(self, decode: impl FnMut(&[u8]) -> Result<u64, String>) {
        let (name, (seed, end)) = (self.name, End::of_environment(self.rounds));
        match self.search(seed, end, decode) {
            Ok(tally) => {
                println!("{name}: {tally}, seed {seed}");
                assert!(tally.accepted > 0, "{name}: no damaged input was accepted: {tally}");
                assert!(tally.refused > 0, "{name}: no damaged input was refused: {tally}");
            }
            Err(fault) => panic!("{name}: {fault}"),
        }
    }

    /// Runs for so many rounds and gives the first fault, if there is one.
    ///
    /// # Errors
    /// The fault.
    pub fn rounds_of(
        self,
        seed: u64,
        decode: impl FnMut(&[u8]) -> Result<u64, String>,
    ) -> Result<Tally, Fault> {
        let end = End::Round(self.rounds);
        self.search(seed, end, decode)
    }

    fn search(
        self,
        seed: u64,
        end: End,
        mut decode: impl FnMut(&[u8]) -> Result<u64, String>,
    ) -> Result<Tally, Fault> {
        let mut kept = self.seeds.clone();
        let mut mutator = Mutator { dice: Dice::new(seed), bytes_max: self.input_bytes_max };
        let mut answers: HashSet<String> = HashSet::new();
        let mut tally = Tally::default();
        let watch = Watch::begin(self.name, seed);
        let mut judge = |input: &[u8], round| {
            watch.round(round);
            let judged = self.judge(input, &mut decode);
            judged.map_err(|what| Fault { what, input: input.to_vec(), seed, round })
        };
        for (index, input) in self.seeds.iter().enumerate() {
            let answer = judge(input, 0)?;
            assert!(answer.is_ok(), "{}: seed {index} is refused: {answer:?}", self.name);
            answers.insert(kind_of(&answer));
        }
        for round in 1.. {
            if end.is_at(round) {
                break;
            }
            let mut input = mutator.dice.any_of(&kept).clone();
            let other = mutator.dice.any_of(&kept);
            mutator.mutate(&mut input, other);
            if !mutator.dice.one_in(8) {
                (self.repair)(&mut input);
            }
            if kept.contains(&input) {
                continue;
            }
            let answer = judge(&input, round)?;
            match answer {
                Ok(_) => tally.accepted += 1,
                Err(_) => tally.refused += 1,
            }
            if answers.insert(kind_of(&answer)) && kept.len() < KEPT_MAX {
                kept.push(input);
            }
        }
        tally.kinds = answers.len();
        Ok(tally)
    }

    fn judge(
        &self,
        input: &[u8],
        decode: &mut impl FnMut(&[u8]) -> Result<u64, String>,
    ) -> Result<Result<u64, String>, What> {
        let max = (self.memory_max)(input.len());
        let started = Instant::now();
        let (answer, bytes) = memory::peak(|| catch_unwind(AssertUnwindSafe(|| decode(input))));
        let took = started.elapsed();
        let answer = answer.map_err(|panic| What::Panic(words(&*panic)))?;
        if bytes > max {
            return Err(What::Memory { bytes, max });
        }
        if took > TIME_MAX {
            return Err(What::Time(took));
        }
        Ok(answer)
    }
}

/// When a run is over.
#[derive(Clone, Copy)]
enum End {
    Round(u64),
    At(Instant),
}

impl End {
    /// The seed and the end. `AMATERS_FUZZ_SECONDS` makes a long run, with a seed that is new each time unless
    /// `AMATERS_FUZZ_SEED` names one.
    fn of_environment(rounds: u64) -> (u64, Self) {
        let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
        let end = number("AMATERS_FUZZ_SECONDS")
            .map(|seconds| Self::At(Instant::now() + Duration::from_secs(seconds)));
        let new =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        let seed = number("AMATERS_FUZZ_SEED");
        let seed = seed.unwrap_or_else(|| if end.is_some() { new() } else { SEED_SHORT });
        (seed, end.unwrap_or(Self::Round(rounds)))
    }

    fn is_at(self, round: u64) -> bool {
        match self {
            Self::Round(last) => round > last,
            // The clock is not for every round.
            Self::At(end) => round.is_multiple_of(64) && Instant::now() >= end,
        }
    }
}

/// What tells one kind of answer from another: words without their numbers, shapes by their magnitude.
fn kind_of(answer: &Result<u64, String>) -> String {
    match answer {
        Ok(shape) if *shape < 16 => format!("{shape}"),
        Ok(shape) => format!("2^{}", shape.ilog2()),
        Err(text) => text.chars().filter(|next| !next.is_ascii_digit()).collect(),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, refused, kinds } = self;
        write!(out, "{accepted} inputs accepted, {refused} refused, {kinds} kinds of answers")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, input, seed, round } = self;
        writeln!(
            out,
            "{what:?} in round {round}: AMATERS_FUZZ_SEED={seed}; {} bytes:",
            input.len()
        )?;
        input.iter().take(SHOWN_BYTES_MAX).try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Length u32, then so many numbers u16, then a sum over all: a format that is like ours.
    fn written(numbers: &[u16]) -> Vec<u8> {
        let mut bytes = (numbers.len() as u32).to_le_bytes().to_vec();
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes.extend([0; 2]);
        seal(&mut bytes);
        bytes
    }

    fn sum(bytes: &[u8]) -> u16 {
        bytes.iter().fold(7, |sum, byte| sum.rotate_left(3) ^ u16::from(*byte))
    }

    fn seal(bytes: &mut [u8]) {
        if let Some(at) = bytes.len().checked_sub(2) {
            let sum = sum(&bytes[..at]).to_le_bytes();
            bytes[at..].copy_from_slice(&sum);
        }
    }

    /// Which bound a decoder is without.
    #[derive(Clone, Copy, PartialEq)]
    enum Planted {
        Nothing,
        /// Takes the memory that the length asks for.
        Memory,
        /// Takes the bytes that the length asks for.
        Index,
        /// Adds numbers that do not fit.
        Overflow,
        /// Believes that what it read is what it would write.
        OtherForm,
    }

    fn decode(bytes: &[u8], planted: Planted) -> Result<u64, String> {
        let (body, end) = bytes.split_last_chunk().ok_or("short")?;
        if sum(body) != u16::from_le_bytes(*end) {
            return Err("checksum".into());
        }
        let (length, body) = body.split_first_chunk().ok_or("no length")?;
        let length = u32::from_le_bytes(*length) as usize;
        if planted == Planted::Memory {
            drop(std::hint::black_box(Vec::<u8>::with_capacity(length.min(1 << 30))));
        }
        if planted == Planted::Index {
            return Ok(body[..length.saturating_mul(2)].len() as u64);
        }
        if planted != Planted::OtherForm && body.len() != length.saturating_mul(2) {
            return Err("length".into());
        }
        let numbers: Vec<u16> =
            body.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        if planted == Planted::Overflow {
            return Ok(numbers.iter().sum::<u16>().into());
        }
        assert_eq!(written(&numbers), bytes, "it would be written in another way");
        Ok(numbers.len() as u64)
    }

    fn campaign() -> Campaign<'static> {
        Campaign::new("planted", vec![written(&[]), written(&[1, 2, 3]), written(&[9; 40])])
    }

    fn found(planted: Planted) -> Option<What> {
        let found =
            campaign().repair(|bytes| seal(bytes)).rounds_of(1, |bytes| decode(bytes, planted));
        found.err().map(|fault| fault.what)
    }

    #[test]
    fn planted_faults_are_found() {
        assert!(matches!(found(Planted::Memory), Some(What::Memory { .. })));
        let panic = |planted| match found(planted) {
            Some(What::Panic(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(panic(Planted::Index).contains("out of range"));
        assert!(panic(Planted::Overflow).contains("overflow"));
        assert!(panic(Planted::OtherForm).contains("another way"));
    }

    #[test]
    fn a_sound_decoder_is_left_in_peace_and_a_fault_comes_again() {
        assert_eq!(found(Planted::Nothing), None);
        let fault = || {
            campaign()
                .repair(|bytes| seal(bytes))
                .rounds_of(5, |bytes| decode(bytes, Planted::Index))
        };
        let (first, second) = (fault().unwrap_err(), fault().unwrap_err());
        assert_eq!(first, second);
        assert!(first.to_string().contains("AMATERS_FUZZ_SEED=5"), "{first}");
    }

    #[test]
    #[should_panic(expected = "no damaged input was accepted")]
    fn a_campaign_that_never_gets_past_the_checksum_fails() {
        // Numbers that change with every checksum: nothing but what was written passes.
        let strict = |bytes: &[u8]| match bytes == written(&[1, 2, 3]) {
            true => Ok(0),
            false => Err("checksum".to_owned()),
        };
        Campaign::new("strict", vec![written(&[1, 2, 3])]).run(strict);
    }
}
