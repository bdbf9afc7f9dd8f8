//! The whole engine, once live, takes no memory: every turn of every actor is counted by the allocator itself while
//! it quotes, fills, hedges, replaces, cancels, reconciles, renews its login proof and its key's blinding, and
//! comes back from a lost session.

#[path = "support/basis_vault.rs"]
mod basis_vault;

use basis_vault::{blueprint, key_of, vault_account};
use keel::actors::risk::{Notice, Stats};
use keel::base::time::{Nanos, SEC};
use keel::engine::actor::Turn;
use keel::engine::switch::Switch;
use keel::engine::tape::Tape;
use keel::exchange::Settings;
use keel::exchange::world::WorldSettings;
use keel::io::store::{Layout as Pages, PageStore};
use keel::io::tape::{Limits, Recording};
use keel::msg::Mode;
use keel::ops::blueprint::Outside;
use keel::sim::venue::SimVenue;
use keel::topology::{ControlEnds, Layout, Parts, assemble};
use std::alloc::{GlobalAlloc, Layout as Shape, System};
use std::any::Any;
use std::cell::Cell;

const START: Nanos = Nanos(1_800_000_000 * SEC);

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    static TURNS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what is taken while the thread is watched.
struct Counting;

fn count() {
    if WATCHED.with(Cell::get) {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
    }
}

// SAFETY: every call goes to the system's allocator unchanged; the counts are a thread's own cells without destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, shape: Shape) -> *mut u8 {
        count();
        unsafe { System.alloc(shape) }
    }

    unsafe fn realloc(&self, place: *mut u8, shape: Shape, bytes: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(place, shape, bytes) }
    }

    unsafe fn dealloc(&self, place: *mut u8, shape: Shape) {
        unsafe { System.dealloc(place, shape) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An actor's turn, watched from its first instruction to its last.
struct Watched(Box<dyn Turn>);

impl Turn for Watched {
    fn turn(&mut self) -> bool {
        TURNS.with(|turns| turns.set(turns.get() + 1));
        let before = TAKEN.with(Cell::get);
        WATCHED.with(|watched| watched.set(true));
        let busy = self.0.turn();
        WATCHED.with(|watched| watched.set(false));
        let taken = TAKEN.with(Cell::get) - before;
        if taken > 0 {
            println!("{} took memory {taken} times in one turn", self.0.name());
        }
        busy
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn finish(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.0.finish()
    }
}

struct Run {
    venue: SimVenue,
    turns: Vec<Box<dyn Turn>>,
    control: ControlEnds,
    stats: Stats,
    mode: Mode,
}

impl Run {
    fn open(store: PageStore, tapes: [Tape; 7]) -> Run {
        let account = vault_account();
        let settings = Settings { seed: 7, accounts: vec![account.clone()], ..Settings::default() };
        let mut venue = SimVenue::open(settings, WorldSettings::demo(7, 60), START);
        let blueprint = blueprint(&mut venue.exchange, START, &account);
        let outside = Outside {
            wires: venue.wires().into(),
            clock: venue.clock(),
            key: key_of(&account),
            store,
            switch: Switch::local(),
        };
        let parts = Parts { tapes, ..blueprint.build(outside) };
        let (cores, control) = assemble(parts, &Layout::single(None));
        let watched = |turn| Box::new(Watched(turn)) as Box<dyn Turn>;
        let turns = cores.into_iter().flat_map(|core| core.turns).map(watched).collect();
        Run { venue, turns, control, stats: Stats::default(), mode: Mode::Starting }
    }

    fn until(&mut self, second: u64) {
        self.venue.run(START.plus(second * SEC), &mut self.turns, &mut self.control);
        while let Some(notice) = self.control.notices.receive() {
            if let Notice::Sample { stats, sample, .. } = notice {
                (self.stats, self.mode) = (stats, sample.mode);
            }
        }
    }
}

#[test]
fn the_counter_sees_what_a_turn_takes() {
    struct Greedy;
    impl Turn for Greedy {
        fn turn(&mut self) -> bool {
            std::hint::black_box(Vec::<u8>::with_capacity(1));
            false
        }
        fn name(&self) -> &'static str {
            "greedy"
        }
    }
    let before = TAKEN.with(Cell::get);
    Watched(Box::new(Greedy)).turn();
    std::hint::black_box(Vec::<u8>::with_capacity(1));
    assert_eq!(TAKEN.with(Cell::get) - before, 1);
}

#[test]
fn nothing_is_taken_once_live() {
    let home = tempfile::tempdir().expect("a folder");
    let pages = Pages { records_per_page: 16_383, pages_kept: 2 };
    let folder = home.path().join("journal");
    let store = PageStore::open(&folder, pages, &mut |_, _| ()).expect("a journal").0;
    // Every actor's tape runs along, over several pages.
    let limits = Limits { free_mib_min: 1, ..Limits::default() };
    let (recording, tapes) = Recording::begin(&folder, limits, (6, ""), &[]).expect("tapes");
    let mut run = Run::open(store, tapes);
    run.until(12);
    let warm = run.stats;
    assert_eq!(run.mode, Mode::Live);
    assert!(warm.fills > 0 && warm.hedges > 0 && warm.replaces > 0, "not warm: {warm:?}");

    let (taken, turns) = (TAKEN.with(Cell::get), TURNS.with(Cell::get));
    run.until(40);
    run.venue.cut_private();
    run.until(60);
    let (taken, turns) = (TAKEN.with(Cell::get) - taken, TURNS.with(Cell::get) - turns);
    let stats = run.stats;
    println!("{turns} turns, {taken} allocations, {stats:?}, tapes ended early: {:?}", recording.trouble());
    assert_eq!(taken, 0, "in {turns} turns");
    assert!(turns > 100_000, "{turns}");
    for (what, before, after) in [
        ("quotes", warm.quotes, stats.quotes),
        ("fills", warm.fills, stats.fills),
        ("hedges", warm.hedges, stats.hedges),
        ("replaces", warm.replaces, stats.replaces),
        ("cancels", warm.cancels, stats.cancels),
        ("reconciliations", warm.reconciled, stats.reconciled),
    ] {
        assert!(after > before, "no {what} while watched: {stats:?}");
    }
    assert_eq!(stats.violations, 0);
}
