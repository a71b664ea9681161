//! Buckets over a clock that tests turn.

use super::{
    table::{SETS_AND_WAYS, Table},
    *,
};

const ONE: Cost = Cost { requests: 1, bytes: 0 };

struct Site {
    reactors: Vec<Throttle>,
    shared: Arc<Throttling>,
    begun: Instant,
}

impl Site {
    fn new(reactors: usize, rates: Rates) -> Self {
        let shared = Arc::new(Throttling::new(reactors, rates));
        let reactors =
            (0..reactors).map(|reactor| Throttle::new(Arc::clone(&shared), reactor)).collect();
        Self { reactors, begun: shared.started, shared }
    }

    fn at(&self, millis: u64) -> Instant {
        self.begun + Duration::from_millis(millis)
    }

    fn payer(&self, address: &str, principal: &str) -> Payer {
        self.shared.payer(address.parse().unwrap(), principal)
    }

    fn tick(&self, millis: u64) {
        self.reactors.iter().for_each(|reactor| reactor.tick(self.at(millis)));
    }

    /// How many of those who ask as often as this in each of so many milliseconds are let through, on the reactors by turns.
    fn served(&self, payers: &[(Payer, u64)], millis: u64) -> Vec<u64> {
        let mut served = vec![0; payers.len()];
        for milli in 0..millis {
            if milli % 100 == 0 {
                self.tick(milli);
            }
            for (payer, (count, each)) in
                payers.iter().zip(&mut served).map(|((p, each), c)| (p, (c, each)))
            {
                for number in 0..*each {
                    let reactor = &self.reactors[(milli + number) as usize % self.reactors.len()];
                    *count += u64::from(reactor.pay(*payer, self.at(milli), ONE).is_ok());
                }
            }
        }
        served
    }
}

fn requests_per_principal(rate: u64) -> Rates {
    Rates { requests_per_principal: rate, ..Rates::default() }
}

#[test]
fn a_greedy_client_gets_its_rate_and_a_polite_one_all_it_wants() {
    for reactors in [1, 2, 8] {
        let site = Site::new(reactors, requests_per_principal(1000));
        let (greedy, polite) = (site.payer("10.0.0.1", "greedy"), site.payer("10.0.0.1", "polite"));
        let served = site.served(&[(greedy, 20), (polite, 0)], 30_000);
        let polite_served = (0..30_000).filter(|milli| milli % 2 == 0);
        // One at a time, each 2 ms, on one reactor.
        let polite_served = polite_served
            .filter(|milli| site.reactors[0].pay(polite, site.at(30_000 + milli), ONE).is_ok());
        assert_eq!(polite_served.count(), 15_000, "{reactors}");
        // Never less than the rate; at most what all reactors let through before they know of each other.
        let most = 30_000 + 1000 * reactors as u64 + reactors as u64;
        assert!((30_000..=most).contains(&served[0]), "{reactors}: {served:?}");
    }
}

#[test]
fn over_a_long_time_reactors_together_let_the_rate_through_and_no_more() {
    let site = Site::new(4, requests_per_principal(100));
    let payer = site.payer("10.0.0.1", "a");
    let first = site.served(&[(payer, 4)], 600_000)[0];
    assert!((60_000..=60_410).contains(&first), "{first}");
}

#[test]
fn whoever_is_refused_is_told_when_to_come_back_and_is_not_charged() {
    let site = Site::new(1, Rates { requests_per_address: 10, ..Rates::default() });
    let payer = site.payer("10.0.0.1", "a");
    let reactor = &site.reactors[0];
    let batch = Cost { requests: 100, bytes: 0 };
    reactor.pay(payer, site.at(0), batch).unwrap();
    let over = reactor.pay(payer, site.at(0), ONE).unwrap_err();
    // A hundred cost ten seconds, of which one is credit.
    assert_eq!((over.limit, over.wait), (Limit::RequestsPerAddress, Duration::from_secs(9)));
    assert!(over.is_news);
    for _ in 0..1000 {
        assert!(!reactor.pay(payer, site.at(8999), ONE).unwrap_err().is_news);
    }
    reactor.pay(payer, site.at(9000), ONE).unwrap();
}

#[test]
fn bytes_are_counted_beside_requests() {
    let rates = Rates { bytes_per_principal: 1000, requests_per_address: 5, ..Rates::default() };
    let site = Site::new(1, rates);
    let payer = site.payer("10.0.0.1", "a");
    let reactor = &site.reactors[0];
    reactor.pay(payer, site.at(0), Cost { requests: 1, bytes: 500 }).unwrap();
    reactor.charge(payer, site.at(0), Cost { requests: 0, bytes: 4500 });
    let over = reactor.pay(payer, site.at(0), ONE).unwrap_err();
    assert_eq!((over.limit, over.wait), (Limit::BytesPerPrincipal, Duration::from_secs(4)));
    // Somebody else of the same address is bounded by what the address may ask.
    let other = site.payer("10.0.0.1", "b");
    (0..5).for_each(|_| reactor.pay(other, site.at(0), ONE).unwrap());
    assert_eq!(reactor.pay(other, site.at(0), ONE).unwrap_err().limit, Limit::RequestsPerAddress);
}

#[test]
fn wrong_credentials_are_counted_by_address_over_all_reactors() {
    let site = Site::new(2, Rates { auth_failures_per_address: 60, ..Rates::default() });
    let payer = site.payer("10.0.0.1", "");
    let mut tried = 0;
    for milli in 0..1000 {
        site.tick(milli);
        let reactor = &site.reactors[milli as usize % 2];
        if reactor.may_fail(payer, site.at(milli)).is_ok() {
            reactor.has_failed(payer, site.at(milli));
            tried += 1;
        }
    }
    assert!((60..=64).contains(&tried), "{tried}");
    let over = site.reactors[0].may_fail(payer, site.at(999)).unwrap_err();
    assert_eq!(over.limit, Limit::AuthFailuresPerAddress);
    assert!(site.reactors[0].may_fail(site.payer("10.0.0.2", ""), site.at(1000)).is_ok());
}

#[test]
fn a_network_of_ipv6_is_one_address() {
    let site = Site::new(1, Rates::default());
    let address = |text: &str| site.payer(text, "a").address;
    assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
    assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
    assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
    assert_ne!(address("10.0.0.1"), address("10.0.0.2"));
}

#[test]
fn what_is_not_bounded_is_not_counted() {
    let site = Site::new(1, Rates::default());
    let payer = site.payer("10.0.0.1", "a");
    let reactor = &site.reactors[0];
    reactor.pay(payer, site.at(0), Cost { requests: u64::MAX, bytes: u64::MAX }).unwrap();
    reactor.has_failed(payer, site.at(0));
    assert!(reactor.tables.borrow().addresses.is_none());
    site.shared.set(Rates { requests_per_address: 1, ..Rates::default() });
    reactor.pay(payer, site.at(0), ONE).unwrap();
    reactor.pay(payer, site.at(0), ONE).unwrap();
    assert!(reactor.pay(payer, site.at(0), ONE).is_err());
    site.shared.set(Rates::default());
    reactor.pay(payer, site.at(0), ONE).unwrap();
}

/// A debt is not lost among a million strangers, and the table is as large as before.
#[test]
fn a_million_addresses_neither_pay_a_debt_nor_take_memory() {
    let site = Site::new(1, Rates { requests_per_address: 10, ..Rates::default() });
    let debtor = site.payer("10.0.0.1", "a");
    let reactor = &site.reactors[0];
    reactor.pay(debtor, site.at(0), Cost { requests: 1000, bytes: 0 }).unwrap();
    for number in 0..1_000_000u32 {
        let stranger = site.shared.payer(IpAddr::V4((0x1400_0000 + number).into()), "a");
        // Each asks once, so few of them are refused for what others owe.
        let _ = reactor.pay(stranger, site.at(u64::from(number) / 100), ONE);
        if number % 50_000 == 0 {
            let millis = u64::from(number) / 100;
            assert!(reactor.pay(debtor, site.at(millis), ONE).is_err(), "{number}");
        }
    }
    let tables = reactor.tables.borrow();
    assert_eq!(tables.addresses.as_ref().map(Table::places), Some(SETS_AND_WAYS));
    assert!(tables.principals.is_none() && tables.failures.is_none());
}

/// What it costs; the figures are in docs/reference/limits.md.
#[test]
fn cost() {
    let rounds: u32 = if cfg!(debug_assertions) { 10_000 } else { 20_000_000 };
    for (name, rates, reactors) in [
        ("off", Rates::default(), 2),
        ("requests per principal", requests_per_principal(1_000_000_000), 2),
        (
            "all four",
            Rates {
                requests_per_address: 1_000_000_000,
                requests_per_principal: 1_000_000_000,
                bytes_per_address: 1_000_000_000_000,
                bytes_per_principal: 1_000_000_000_000,
                ..Rates::default()
            },
            2,
        ),
    ] {
        let site = Site::new(reactors, rates);
        let payers: Vec<_> =
            (0..1000).map(|n| site.payer("10.0.0.1", &format!("principal-{n}"))).collect();
        let (reactor, now) = (&site.reactors[0], site.at(1));
        let begun = Instant::now();
        for round in 0..rounds {
            let payer = payers[round as usize % payers.len()];
            let cost = Cost { requests: 1, bytes: 100 };
            std::hint::black_box(reactor.pay(payer, now, cost)).unwrap();
        }
        let each = begun.elapsed() / rounds;
        println!("{name}: {each:?} for a request");
    }
}
