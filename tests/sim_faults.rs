//! The Delta-1 vault on a private connection that loses, doubles, delays and reorders what the venue says, and that is
//! cut at random moments: once the faults end, ledger and exchange agree, delta is one and the vault is at work.

#[path = "support/basis_vault.rs"]
mod basis_vault;

use basis_vault::{blueprint, key_of, ratio, vault_account};
use keel::actors::risk::Notice;
use keel::base::num::{Amount, Ratio};
use keel::base::time::{MS, Nanos, SEC};
use keel::engine::ports::{Event, Transport};
use keel::engine::switch::Switch;
use keel::exchange::Settings;
use keel::exchange::world::WorldSettings;
use keel::msg::Mode;
use keel::ops::blueprint::{Blueprint, Outside};
use keel::sim::ports::{MemoryStore, Wire};
use keel::sim::venue::SimVenue;
use keel::topology::{Layout, assemble};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const START: Nanos = Nanos(1_800_000_000 * SEC);

/// A transport that mistreats what it hears while `faulty` is set.
struct Lossy {
    wire: Wire,
    draws: ChaCha8Rng,
    faulty: Arc<AtomicBool>,
    held: Vec<(Nanos, Vec<u8>)>,
}

impl Lossy {
    fn new(wire: Wire, place: u64, seed: u64, faulty: &Arc<AtomicBool>) -> Lossy {
        let draws = ChaCha8Rng::seed_from_u64(seed * 10 + place);
        Lossy { wire, draws, faulty: Arc::clone(faulty), held: Vec::new() }
    }

    /// When to deliver the copies of a frame: none, one or two moments.
    fn fate(draws: &mut ChaCha8Rng, at: Nanos) -> Vec<Nanos> {
        match draws.random_range(0..100) {
            0..4 => vec![],
            4..8 => vec![at, at.plus(draws.random_range(0..300) * MS)],
            8..16 => vec![at.plus(draws.random_range(0..300) * MS)],
            _ => vec![at],
        }
    }
}

impl Transport for Lossy {
    fn poll(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> bool {
        let Lossy { wire, draws, faulty, held } = self;
        let faulty = faulty.load(Ordering::Relaxed);
        let mut busy = wire.poll(at, &mut |event| match event {
            Event::Text(text) if faulty => {
                held.extend(Lossy::fate(draws, at).into_iter().map(|due| (due, text.to_vec())));
            }
            Event::Down(_) | Event::Up { .. } => {
                held.clear();
                sink(event);
            }
            Event::Text(_) => sink(event),
        });
        while let Some(place) = held.iter().position(|(due, _)| *due <= at) {
            let (_, text) = held.remove(place);
            sink(Event::Text(&text));
            busy = true;
        }
        busy
    }

    fn send(&mut self, at: Nanos, text: &[u8]) -> bool {
        self.wire.send(at, text)
    }

    fn drop_connection(&mut self) {
        self.wire.drop_connection();
    }
}

fn heals(seed: u64) {
    let account = vault_account();
    let settings = Settings { seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(seed, 120), START);
    let plan = blueprint(&mut venue.exchange, START, &account);
    let blueprint = Blueprint { cancel_on_disconnect: seed.is_multiple_of(2), ..plan };
    let [public, external, private] = venue.wires();
    let faulty = Arc::new(AtomicBool::new(true));
    let calm = Arc::new(AtomicBool::new(false));
    let wires = [
        Lossy::new(public, 1, seed, &calm),
        Lossy::new(external, 2, seed, &calm),
        Lossy::new(private, 3, seed, &faulty),
    ];
    let outside = Outside {
        wires: wires.into(),
        clock: venue.clock(),
        key: key_of(&account),
        store: MemoryStore::default(),
        switch: Switch::local(),
    };
    let (cores, mut control) = assemble(blueprint.build(outside), &Layout::single(None));
    let mut turns = cores.into_iter().flat_map(|core| core.turns).collect::<Vec<_>>();

    let mut cuts = ChaCha8Rng::seed_from_u64(seed);
    let (mut last, mut alarms) = (None, Vec::new());
    for step in 0..300 {
        if step == 150 {
            faulty.store(false, Ordering::Relaxed);
        }
        if step < 150 && cuts.random_range(0..100) < 3 {
            venue.cut_private();
        }
        let pause = cuts.random_range(1..200) * MS;
        venue.run(venue.now().plus(pause), &mut turns, &mut control);
        while let Some(notice) = control.notices.receive() {
            match notice {
                Notice::Sample { sample, stats, .. } => last = Some((sample, stats)),
                Notice::Alarm { alarm, .. } => alarms.push((step, alarm)),
                _ => {}
            }
        }
    }
    let (sample, stats) = last.expect("samples");
    let books = venue.report(101).expect("account");
    let perp = books.positions.get("ETH-PERP").map_or(Amount::ZERO, |p| p.amount.to_string().parse().expect("number"));
    let story = format!("seed {seed}: {sample:?}\n{stats:?}\n{alarms:?}");
    assert_eq!(books.balances["WEETH"].to_string().parse::<Amount>().expect("number"), sample.base, "{story}");
    assert_eq!(perp, sample.perp, "{story}");
    assert_eq!(sample.mode, Mode::Live, "{story}");
    assert!((sample.delta - Ratio::ONE).abs() <= ratio("0.01"), "{story}");
    assert!(stats.fills > 3, "{story}");
    assert_eq!(stats.violations, 0, "{story}");
}

#[test]
fn what_is_lost_doubled_or_late_is_made_good() {
    (12..20).for_each(heals);
}
