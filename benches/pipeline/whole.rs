//! The whole engine in one thread, on wires in memory, re-pricing at every book.

use crate::basis_vault::{EXTERNAL, INSTRUMENTS, blueprint, key_of, ratio, vault_account};
use crate::proof::{Signatory, prove};
use crate::stand_in::{Said, StandIn, bid_ticks};
use criterion::Criterion;
use hdrhistogram::Histogram;
use keel::base::num::Ratio;
use keel::base::time::{MS, Nanos};
use keel::engine::actor::Turn;
use keel::engine::latency::percentiles;
use keel::engine::ports::{Clock, Key};
use keel::engine::switch::Switch;
use keel::exchange::{Exchange, Settings};
use keel::io::clock::LiveClock;
use keel::io::store::{Layout as Pages, PageStore};
use keel::msg::{Command, RatioRound};
use keel::ops::blueprint::Outside;
use keel::sim::ports::Wire;
use keel::topology::{ControlEnds, GatewayEnd, Layout, assemble};
use std::time::{Duration, Instant};

/// How often the prices that stand still are said again.
const KEEP_ALIVE_NS: u64 = 200 * MS;
/// Turns after which an answer that has not come will not come.
const TURNS_MAX: usize = 1_000_000;

struct Rig {
    turns: Vec<Box<dyn Turn>>,
    control: ControlEnds,
    clock: LiveClock,
    /// Public, external, private.
    wires: [Wire; 3],
    venue: StandIn,
    signatory: Signatory,
    /// Keeps the journal's folder in being.
    _folder: tempfile::TempDir,
    book: u64,
    update: u64,
    alive_at: Nanos,
    last: Vec<u8>,
    waits: Histogram<u64>,
}

impl Rig {
    fn open() -> Rig {
        let account = vault_account();
        let mut clock = LiveClock::new();
        let at = clock.now();
        let settings = Settings { accounts: vec![account.clone()], ..Settings::default() };
        let blueprint = blueprint(&mut Exchange::new(settings, at), at, &account);
        let folder = tempfile::tempdir().expect("a folder");
        let store =
            PageStore::open(&folder.path().join("journal"), Pages::default(), &mut |_, _| ()).expect("a journal").0;
        let wires = [Wire::new(), Wire::new(), Wire::new()];
        wires.iter().for_each(Wire::connect);
        let key = key_of(&account);
        let base = &blueprint.instruments[0];
        let signatory = Signatory {
            dialect: blueprint.dialect,
            owner: blueprint.wallet,
            signer: key.address(),
            asset: base.asset,
            sub_id: base.sub_id,
        };
        let outside =
            Outside { wires: wires.clone().into(), clock: clock.clone(), key, store, switch: Switch::local() };
        let (cores, control) = assemble(blueprint.build(outside), &Layout::single(None));
        let mut rig = Rig {
            turns: cores.into_iter().flat_map(|core| core.turns).collect(),
            control,
            clock,
            wires,
            venue: StandIn::new(account.subaccount, INSTRUMENTS),
            signatory,
            _folder: folder,
            book: 0,
            update: 0,
            alive_at: Nanos::ZERO,
            last: Vec::with_capacity(4_096),
            waits: Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("constant bounds"),
        };
        rig.start();
        rig
    }

    /// Until the first order rests and the second book was answered.
    fn start(&mut self) {
        let round = RatioRound {
            feed: 0,
            ratio: ratio("1.0712"),
            updated_at: self.clock.now(),
            read_at: self.clock.now(),
            past: None,
        };
        assert!(self.control.ratios.send(round).is_ok(), "an empty lane");
        let rate = Command::BorrowRate { apr: Ratio::ZERO, read_at: self.clock.now() };
        assert!(self.control.commands.send(rate).is_ok(), "an empty lane");
        for _ in 0..TURNS_MAX {
            self.keep_alive();
            self.settle();
            if self.venue.resting_ticks() == Some(bid_ticks(self.book)) {
                return;
            }
        }
        panic!("the vault never quoted");
    }

    fn turn(&mut self) -> bool {
        self.turns.iter_mut().fold(false, |busy, turn| turn.turn() | busy)
    }

    /// Answers everything and turns the engine until both have nothing left to do.
    fn settle(&mut self) {
        loop {
            let busy = self.turn();
            if !(self.answer() | busy) {
                return;
            }
        }
    }

    fn answer(&mut self) -> bool {
        let mut any = false;
        for place in 0..self.wires.len() {
            while let Some(text) = self.wires[place].take() {
                any = true;
                self.reply(place, &text);
                self.wires[place].give_back(text);
            }
        }
        any
    }

    fn reply(&mut self, place: usize, text: &[u8]) {
        let ms = self.clock.now().ms();
        let wire = &self.wires[place];
        let said = self.venue.hear(text, ms, &mut |reply| wire.deliver(Nanos::ZERO, reply.as_bytes()));
        assert!(said.is_some(), "{}", String::from_utf8_lossy(text));
    }

    fn keep_alive(&mut self) {
        let at = self.clock.now();
        if at.since(self.alive_at) < KEEP_ALIVE_NS {
            return;
        }
        self.alive_at = at;
        self.update += 1;
        for place in 0..2 {
            self.wires[0].deliver(Nanos::ZERO, self.venue.ticker(place, at.ms()).as_bytes());
        }
        self.wires[1].deliver(Nanos::ZERO, self.venue.external(EXTERNAL, self.update).as_bytes());
        while self.control.notices.receive().is_some() {}
    }

    /// One book in, its replace out: the time between.
    fn once(&mut self) -> Duration {
        self.keep_alive();
        self.settle();
        self.book += 1;
        let ms = self.clock.now().ms();
        self.wires[0].deliver(Nanos::ZERO, self.venue.book(self.book, ms).as_bytes());
        let started = Instant::now();
        let mut turns = 0;
        let text = loop {
            self.turn();
            if let Some(text) = self.wires[2].take() {
                break text;
            }
            turns += 1;
            assert!(turns < TURNS_MAX, "book {} was not answered", self.book);
        };
        let took = started.elapsed();
        let ms = self.clock.now().ms();
        let wire = &self.wires[2];
        let said = self.venue.hear(&text, ms, &mut |reply| wire.deliver(Nanos::ZERO, reply.as_bytes()));
        if said == Some(Said::Session) {
            // A regular look at the clock or the account came first: that turn is no sample.
            self.wires[2].give_back(text);
            self.settle();
            return self.once();
        }
        assert_eq!(said, Some(Said::Priced { ticks: bid_ticks(self.book) }), "{}", String::from_utf8_lossy(&text));
        self.last.clear();
        self.last.extend_from_slice(&text);
        self.wires[2].give_back(text);
        self.waits.saturating_record(took.as_nanos() as u64);
        took
    }

    /// Checks the last order's signature and prints where the time went.
    fn close(self) {
        prove(&self.last, &self.signatory).expect("the measured order is real");
        let total = percentiles(&self.waits);
        println!(
            "\nframe bytes in → signed replace bytes out, one thread, wires in memory (µs, {} samples)",
            total.count
        );
        println!("{:<12}{:>9}{:>9}{:>9}{:>9}", "", "p50", "p99", "p99.9", "max");
        let line = |name: &str, p: keel::engine::latency::Percentiles| {
            let us = |ns: u64| ns as f64 / 1e3;
            println!("{name:<12}{:>9.2}{:>9.2}{:>9.2}{:>9.1}", us(p.p50), us(p.p99), us(p.p999), us(p.max));
        };
        let ends = self.turns.into_iter().filter_map(Turn::finish);
        let gateway = ends.filter_map(|end| end.downcast::<GatewayEnd>().ok()).next().expect("the gateway's end");
        gateway.latency.market().into_iter().filter(|(name, _)| *name != "total").for_each(|(name, p)| line(name, p));
        line("whole", total);
        println!();
    }
}

/// The composite, as criterion sees it and as a histogram.
pub fn whole(c: &mut Criterion) {
    let mut rig = Rig::open();
    for _ in 0..2_000 {
        rig.once();
    }
    rig.waits.reset();
    c.bench_function("whole/book_to_signed_replace", |b| {
        b.iter_custom(|iters| (0..iters).map(|_| rig.once()).sum());
    });
    rig.close();
}
