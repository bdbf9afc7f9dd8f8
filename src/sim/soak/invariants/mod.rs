//! The invariants a storm is held to: a table of named functions over what has been seen, asked after every step.

mod data;
mod money;
mod orders;
mod recovery;
mod signing;

pub(super) use money::OFF_GRID;

use super::excuses;
use super::seen::Seen;

/// One invariant.
#[derive(Clone, Copy)]
pub struct Invariant {
    /// Its rows in the catalogue of invariants.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub says: &'static str,
    /// What was seen that breaks it, if anything.
    pub broken: fn(&Seen) -> Option<String>,
}

const fn row(
    id: &'static str,
    name: &'static str,
    says: &'static str,
    broken: fn(&Seen) -> Option<String>,
) -> Invariant {
    Invariant { id, name, says, broken }
}

/// Every invariant that is judged here.
pub const INVARIANTS: [Invariant; 47] = [
    row("M1", "shorts-covered", "options sold never exceed the collateral", money::shorts_covered),
    row("M2", "legs-whole", "the legs of a spread are equal and opposite", money::legs_whole),
    row("M3", "delta-one", "a hedge ends near one delta, and so does a storm", money::delta_one),
    row(
        "M3",
        "hedges-are-needed",
        "no more of the perp is traded than fills of the base ask for",
        money::hedges_are_needed,
    ),
    row("M4", "cash-first", "no option is traded while cash is below its limit", money::cash_first),
    row("M5", "priced-near", "no order is far on its wrong side of the venue's mark", money::priced_near),
    row("M6", "fee-enough", "the venue never finds the signed fee too low", money::fee_enough),
    row("M6", "fee-modest", "no fee is signed that is a large share of the order", money::fee_modest),
    row(
        "M7",
        "loses-within-its-limit",
        "a Delta-1 vault loses no more against mark than its mandate's sum allows, however often its engine dies",
        money::loses_within_its_limit,
    ),
    row("M8", "books-agree", "ledger and venue agree to the last unit", money::books_agree),
    row("M8", "twin-agrees", "the ledger is what a slow twin makes of the same fills", money::twin_agrees),
    row("M9", "never-crosses-itself", "no two orders of ours can trade with each other", money::never_crosses_itself),
    row("M10", "worst-case-covered", "if all that rests fills now, M1 and M13 hold", money::worst_case_covered),
    row(
        "M11",
        "no-late-options",
        "no option order rests whose option lives too short, and none near its expiry",
        money::no_late_options,
    ),
    row("M12", "on-grid", "the venue never finds tick, step or instrument wrong", money::on_grid),
    row("M13", "perp-never-long", "the perp position is short or flat", money::perp_never_long),
    row("O1", "counts-what-rests", "what the engine counts as live is what rests", orders::counts_what_rests),
    row("O2", "fills-once", "a trade counts once, and no order fills beyond its amount", orders::fills_once),
    row("O3", "nothing-rests-deaf", "nothing rests when prices have been silent for long", orders::nothing_rests_deaf),
    row("O4", "unknown-ends", "orders of unknown fate become definite in time", orders::unknown_ends),
    row("O5", "one-per-side", "at most one order of a side rests in an instrument", orders::one_per_side),
    row("O6", "name-used-once", "no two different texts carry the same nonce", orders::name_used_once),
    row("O7", "cancels-get-through", "the venue never refuses a cancel for its rate", orders::cancels_get_through),
    row("O8", "stop-stops", "after a stop nothing leaves, and what rests goes", orders::stop_stops),
    row("O9", "short-lived", "every order says how late is too late, and how long it lives", orders::short_lived),
    row("O10", "strangers-go", "an order of somebody else is cancelled, with an alarm", orders::strangers_go),
    row(
        "O4 R5",
        "looks-before-it-trades",
        "in a new session nothing is signed before the account was listed",
        orders::looks_before_it_trades,
    ),
    row("K1", "nonces-rise", "nonces strictly rise, in the journal and on the wire", signing::nonces_rise),
    row("K2", "nonces-are-now", "a nonce is close to the venue's clock", signing::nonces_are_now),
    row(
        "K4",
        "never-our-fault",
        "the venue refuses nothing but what a race with it explains",
        signing::never_our_fault,
    ),
    row("K5", "sized", "no order is larger than the vault's limit", signing::sized),
    row("K6", "expiry-in-window", "the venue never finds an expiry or a moment wrong", signing::expiry_in_window),
    row("K8", "wiped-signs-nothing", "after the signer's switch nothing is signed", signing::wiped_signs_nothing),
    row(
        "K9",
        "journal-before-wire",
        "a nonce is in the journal before its text is handed to the wire",
        signing::journal_before_wire,
    ),
    row(
        "K9",
        "failed-sync-stops",
        "nothing is sealed on a journal that could not be synced",
        signing::failed_sync_stops,
    ),
    row(
        "D2",
        "nothing-placed-deaf",
        "nothing new is sent when prices have been silent for long",
        data::nothing_placed_deaf,
    ),
    row("D4", "time-never-falls", "moments never go back within a life", data::time_never_falls),
    row(
        "T",
        "queue-twin-agrees",
        "every actor takes what was said to it, in that order and once, but for what is counted as overwritten",
        data::queue_twin_agrees,
    ),
    row(
        "D1 D3",
        "book-twin-agrees",
        "books are the texts that arrived, and values show the newest of them",
        data::book_twin_agrees,
    ),
    row(
        "T",
        "option-twin-agrees",
        "option values and deltas are what the textbook makes of the ticker",
        data::option_twin_agrees,
    ),
    row(
        "M14",
        "mandate-twin-agrees",
        "the contract in unbounded integers signs whatever risk granted",
        signing::mandate_twin_agrees,
    ),
    row("A", "no-alarm", "no assertion of the engine's own fails, and nothing stops it without cause", data::no_alarm),
    row(
        "R2",
        "the-dead-leave-nothing",
        "orders of an engine that died do not rest on",
        recovery::the_dead_leave_nothing,
    ),
    row(
        "O8",
        "a-stop-outlives-the-engine",
        "after a death a vault that was stopped takes no risk before a person has resumed it",
        recovery::a_stop_outlives_the_engine,
    ),
    row("R5 L1", "comes-back", "the vault is live again in time", recovery::comes_back),
    row("L3", "trades-again", "a vault that is live in a market that trades asks or quotes", recovery::trades_again),
    row("P1", "says-why", "who drains or halts says why just before", recovery::says_why),
];

/// Invariants of the catalogue that are not judged here, and where they are, or why not.
pub const ELSEWHERE: [(&str, &str); 13] = [
    ("K3 K10", "v2's one live signature: v3, which the storms trade, has none of it"),
    ("K7", "key bytes in memory and files: tests/processes/signer.rs"),
    (
        "D5 D6",
        "sources that disagree are guards of their own (market/fair tests), and a peg that stays broken drains (risk tests); \
         judged by what they would lead to (M5)",
    ),
    (
        "D7",
        "equal digests: eight of every 128 seeds run twice, and with --again one of every vault in a process of its own",
    ),
    ("R1", "replay of the journal's inputs: keel replay"),
    ("R3", "the lost tail is a fault here; judged by K1, O10 and R2"),
    ("R4", "torn pages are the file's own business (tests/journal_kill.rs); here a torn record is a lost one"),
    ("R6", "a second instance needs a second process: the lock on the folder"),
    ("R7", "repeated deaths are counted by the process, not by the actors"),
    ("R8", "older journals: engine/journal tests"),
    ("L2", "turns are the simulator's own; real ones are measured by the watchdog"),
    ("P2", "times on the real binary: keel-tools controls"),
    ("P3 P4", "commands and ports: ops tests"),
];

/// Names what is broken now, each with what was seen. What something else explains is counted instead.
pub fn broken(seen: &mut Seen) -> Vec<(&'static Invariant, String)> {
    let found = INVARIANTS.iter().filter_map(|invariant| Some((invariant, (invariant.broken)(seen)?)));
    let found: Vec<(&Invariant, String)> = found.collect();
    found
        .into_iter()
        .filter(|(invariant, _)| match excuses::of(invariant.name, seen) {
            None => true,
            Some(why) => {
                seen.excuse(invariant.name.to_owned(), why);
                false
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_of_the_catalogue_is_judged_or_says_where() {
        let ids = INVARIANTS
            .iter()
            .flat_map(|one| one.id.split(' '))
            .chain(ELSEWHERE.iter().flat_map(|(id, _)| id.split(' ')));
        let ids: BTreeSet<&str> = ids.collect();
        let all = [("M", 14), ("O", 10), ("K", 10), ("D", 7), ("R", 8), ("L", 3), ("P", 4)];
        for (letter, count) in all {
            for number in 1..=count {
                let id = format!("{letter}{number}");
                assert!(ids.contains(id.as_str()), "{id}");
            }
        }
        let names: BTreeSet<&str> = INVARIANTS.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), INVARIANTS.len());
    }
}
