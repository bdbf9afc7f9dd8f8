//! What recording costs an actor: a record of each kind onto mapped pages of a real disk, page turns and checks included.
//!
//! Records are due at fixed times, whatever the one before took. `record` is the time inside the call, `due` the time from
//! the moment it was due until it was written: a stall is charged to every record that waited behind it. Both hold one
//! reading of the clock, which is shown. `cargo bench --bench tape`

use hdrhistogram::Histogram;
use keel::base::digest::digest;
use keel::base::ids::{InstrumentId, Nonce, Side, SubaccountId, VaultId};
use keel::base::num::{Amount, Cash, Price};
use keel::base::time::Nanos;
use keel::engine::journal::{Charged, OrderRecord};
use keel::engine::ports::{Clock, Event, Store};
use keel::engine::tape::{Recorder, Source, Tape};
use keel::io::clock::LiveClock;
use keel::io::store::PageStore;
use keel::io::tape::{Limits, Recording};
use keel::ops::journal::JOURNAL;
use std::hint::{black_box, spin_loop};
use std::path::Path;

/// Records a second: ten times what a busy actor hears.
const RATE: u64 = 50_000;
/// Seconds of each kind.
const SECONDS: u64 = 2;
/// Frames of the venue's ticker, and of a deep book, with how many come a second: 30 and 20 MB.
const FRAMES: [(usize, u64); 2] = [(600, RATE), (4_000, RATE / 10)];
const SECOND_NS: u64 = 1_000_000_000;

/// Times of one kind of record, ns.
struct Times {
    inside: Histogram<u64>,
    due: Histogram<u64>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10 * SECOND_NS, 3).expect("constant bounds")
}

/// Writes so many records a second at fixed times.
fn paced_at(rate: u64, clock: &mut LiveClock, mut write: impl FnMut(Nanos, u64)) -> Times {
    let mut times = Times { inside: histogram(), due: histogram() };
    let began = clock.now();
    for number in 0..SECONDS * rate {
        let due = began.plus(number * (SECOND_NS / rate));
        let mut now = clock.now();
        while now < due {
            spin_loop();
            now = clock.now();
        }
        write(now, number);
        let done = clock.now();
        times.inside.saturating_record(done.since(now));
        times.due.saturating_record(done.since(due));
    }
    times
}

/// Writes records at the usual rate.
fn paced(clock: &mut LiveClock, write: impl FnMut(Nanos, u64)) -> Times {
    paced_at(RATE, clock, write)
}

fn print(name: &str, times: &Times) {
    let row = |histogram: &Histogram<u64>| {
        let at = |quantile| histogram.value_at_quantile(quantile);
        format!("{:>8} {:>8} {:>8} {:>10}", at(0.5), at(0.99), at(0.999), histogram.max())
    };
    println!("{name:<24} {:>8.0} {} {}", times.inside.mean(), row(&times.inside), row(&times.due));
}

fn order(at: Nanos, nonce: u64) -> [u8; keel::engine::journal::RECORD] {
    let record = OrderRecord {
        at,
        nonce: Nonce(nonce),
        replaces: Nonce(0),
        vault: VaultId(0),
        subaccount: SubaccountId(7),
        instrument: InstrumentId(1),
        side: Side::Buy,
        price: Price::ONE,
        amount: Amount::ONE,
        expires_s: 1_800_000_300,
        charged: Charged::of(Cash::ONE),
        perp: false,
    };
    record.write()
}

fn taped(clock: &mut LiveClock, folder: &Path) {
    let limits = Limits { free_mib_min: 1, ..Limits::default() };
    let (recording, mut tapes) = Recording::begin(folder, limits, (1, ""), &[]).expect("room for tapes");
    let Tape::Recording(tape) = &mut tapes[0] else { panic!("a tape that records") };
    print("tick", &paced(clock, |at, _| tape.plain(black_box(at), Source::Tick)));
    print("message of a lane", &paced(clock, |at, number| tape.lane(black_box(at), Source::Facts, number)));
    for (bytes, rate) in FRAMES {
        let frame = vec![b'7'; bytes];
        let write = |tape: &mut Recorder, at| tape.event(black_box(at), Source::Venue, &Event::Text(&frame));
        print(&format!("frame of {bytes} bytes"), &paced_at(rate, clock, |at, _| write(tape, at)));
    }
    assert_eq!(recording.trouble(), None, "the keeper kept up");
}

fn journaled(clock: &mut LiveClock, folder: &Path) {
    let (mut store, _) = PageStore::open(folder, JOURNAL, &mut |_, _| ()).expect("room for a journal");
    print("order in the journal", &paced(clock, |at, nonce| store.append(black_box(&order(at, nonce)))));
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut clock = LiveClock::new();
    println!("{RATE} records a second, a tenth of the longest frames; ns");
    println!("{:<24} {:>8} {:>37} {:>37}", "", "mean", "record: p50 p99 p99.9 max", "due: p50 p99 p99.9 max");
    print("the clock alone", &paced(&mut clock, |_, _| ()));
    taped(&mut clock, folder.path());
    journaled(&mut clock, &folder.path().join("journal"));
    let words: Vec<u64> = (0..8_192).collect();
    let state = |_, _| {
        black_box(digest(black_box(&words)));
    };
    print("digest of 64 KiB of state", &paced(&mut clock, state));
}
