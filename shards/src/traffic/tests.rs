use super::{name::KEY_BYTES_KEPT, *};
use crate::storage::disk::sim::Dice as Script;

/// Keys of which number `k` is asked for with the chance 2^-(k + 1).
fn halving(script: &mut Script) -> u32 {
    (script.throw().trailing_zeros()).min(20)
}

fn traffic(seed: u64, begun: Instant) -> Traffic {
    Traffic::new(Partition::new(16, 7), seed, begun, begun)
}

/// For a hundred servers with the same clients: what is told of a key is as certain as it is said to be.
#[test]
fn what_is_told_of_keys_is_as_certain_as_it_is_said_to_be() {
    const SERVERS: u64 = 100;
    const REQUESTS: u32 = 20_000;
    const SECONDS: u64 = 20;

    let begun = Instant::now();
    let now = begun + Duration::from_secs(SECONDS);
    let (mut below, mut above) = (0, 0);
    for server in 0..SERVERS {
        let (traffic, mut script) = (traffic(server, begun), Script::new(1000 + server));
        let mut truth = [0u32; 21];
        for _ in 0..REQUESTS {
            let key = halving(&mut script);
            truth[key as usize] += 1;
            traffic.asked("c", &key.to_be_bytes(), key == 1);
        }
        let answer = Answer::of(vec![traffic.share(now)], 3);
        let of_all = answer.requests_per_second * SECONDS as f64;
        assert!((of_all / f64::from(REQUESTS) - 1.0).abs() < 0.25, "{of_all}");
        let hottest = &answer.keys[0];
        assert_eq!(hottest.name.key, 0u32.to_be_bytes());
        assert_eq!(hottest.name.shard, traffic.partition.shard("c", &[0; 4]));
        for key in &answer.keys {
            let number = u32::from_be_bytes(key.name.key.clone().try_into().unwrap());
            assert_eq!(key.write_samples, if number == 1 { key.samples } else { 0 });
            let truth = f64::from(truth[number as usize]) / SECONDS as f64;
            below += u32::from(truth < key.per_second_least);
            above += u32::from(truth > key.per_second_most);
        }
    }
    // One of forty is 8. Twice as many would be by chance once in hundreds of runs, and the dice are fixed.
    assert!(below < 16 && above < 16, "{below} and {above} of {}", SERVERS * 3);
}

/// Many more keys than counters: a key of two percent is told of beside them, and no cold one as if it were hot.
#[test]
fn a_hot_key_stands_out_of_a_million_cold_ones() {
    let begun = Instant::now();
    let (traffic, mut script) = (traffic(7, begun), Script::new(107));
    for _ in 0..400_000 {
        match script.below(50) {
            0 => traffic.asked("c", b"hot", true),
            _ => traffic.asked("c", &script.below(1_000_000).to_be_bytes(), false),
        }
    }
    let answer = Answer::of(vec![traffic.share(begun + Duration::from_secs(10))], 5);
    let [hot, cold @ ..] = &answer.keys[..] else { panic!("{answer:?}") };
    assert_eq!((&*hot.name.key, &*hot.name.collection), (&b"hot"[..], "c"));
    assert!(hot.per_second_least < 800.0 && 800.0 < hot.per_second_most, "{hot:?}");
    assert!(cold.iter().all(|key| key.per_second < hot.per_second / 4.0), "{answer:?}");
    assert!(answer.others_per_second_max < hot.per_second_least, "{answer:?}");
}

#[test]
fn what_was_seen_is_told_for_a_window_and_forgotten_after_two() {
    let begun = Instant::now();
    let at = |windows: u32| begun + WINDOW * windows;
    let traffic = traffic(1, begun);
    for _ in 0..10_000 {
        traffic.asked("c", b"old", false);
    }
    traffic.moved("c", b"old", 900);
    traffic.tick(at(1) - Duration::from_millis(1));
    traffic.tick(at(1));
    traffic.moved("c", b"old", 700);
    traffic.moved("c", b"new", 800);
    let answer = Answer::of(vec![traffic.share(at(2))], 10);
    assert_eq!((answer.window, answer.keys.len()), (2 * WINDOW, 1));
    assert_eq!(answer.keys[0].samples, answer.samples);
    let values: Vec<_> = answer.values.iter().map(|v| (&*v.name.key, v.bytes)).collect();
    assert_eq!(values, [(&b"old"[..], 900), (b"new", 800)]);

    traffic.tick(at(2));
    let answer = Answer::of(vec![traffic.share(at(2))], 10);
    assert_eq!((answer.window, answer.samples, answer.keys.len()), (WINDOW, 0, 0));
    let lengths: Vec<_> = answer.values.iter().map(|value| value.bytes).collect();
    assert_eq!(lengths, [800, 700]);
    traffic.tick(at(3));
    assert!(Answer::of(vec![traffic.share(at(3))], 10).values.is_empty());
}

#[test]
fn windows_of_all_reactors_end_at_the_same_moments() {
    let started = Instant::now();
    let after = |millis| started + Duration::from_millis(millis);
    // One is ready later than the other, one looks seldom.
    let ready = [after(10), after(20_000)];
    let both = ready.map(|now| Traffic::new(Partition::new(2, 7), 1, started, now));
    let windows = |now| both.each_ref().map(|traffic| traffic.share(now).window());
    assert_eq!(windows(after(25_000)), [24_990, 5000].map(Duration::from_millis));
    for (now, expected) in
        [(30_050, [30_040, 10_050]), (60_099, [30_099; 2]), (200_000, [140_000; 2])]
    {
        both.iter().for_each(|traffic| traffic.tick(after(now)));
        assert_eq!(windows(after(now)), expected.map(Duration::from_millis), "{now}");
    }
}

/// Reactors know different keys; the answer has the hottest of all, and a bound for all others.
#[test]
fn shares_are_put_together_and_cut() {
    let begun = Instant::now();
    let shares = (0..4u8).map(|reactor| {
        let traffic = traffic(u64::from(reactor), begun);
        for round in 0..20_000u32 {
            traffic.asked("c", &[reactor, (round % 4 / 2) as u8], false);
        }
        traffic.moved("c", &[reactor; 300], 1000 + usize::from(reactor));
        traffic.share(begun + Duration::from_secs(1))
    });
    let answer = Answer::of(shares.collect(), 3);
    assert_eq!((answer.keys.len(), answer.values.len()), (3, 3));
    // Each of the eight keys is asked for 10,000 times.
    assert!(answer.others_per_second_max > 9_000.0, "{answer:?}");
    assert!((60_000.0..100_000.0).contains(&answer.requests_per_second), "{answer:?}");
    assert_eq!(answer.values[0].bytes, 1003);
    assert_eq!(answer.values[0].name.key, [3; KEY_BYTES_KEPT]);
    assert_eq!(answer.values[0].name.key_bytes, 300);
}

/// Printed where the tests are optimised.
#[test]
#[ignore = "prints times"]
fn times_of_requests() {
    const ROUNDS: u32 = 10_000_000;

    let traffic = traffic(1, Instant::now());
    let mut script = Script::new(1);
    let keys: Vec<_> = (0..100_000).map(|_| script.throw().to_be_bytes()).collect();
    let spent = |what: &str, act: &dyn Fn(&[u8], usize)| {
        let begun = Instant::now();
        for round in 0..ROUNDS as usize {
            act(&keys[round % keys.len()], round);
        }
        println!("{what}: {:.1} ns", begun.elapsed().as_nanos() as f64 / f64::from(ROUNDS));
    };
    spent("nothing", &|key, _| {
        std::hint::black_box(key);
    });
    spent("request of one of many keys", &|key, _| traffic.asked("default", key, false));
    spent("request of a hot key", &|_, _| traffic.asked("default", b"hot", false));
    spent("value of the usual length", &|key, _| traffic.moved("default", key, 100));
    spent("value that is one of the largest", &|_, round| {
        traffic.moved("default", &keys[round % 32], 1_000_000 + round % 32);
    });
}
