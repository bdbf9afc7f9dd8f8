//! Rows of the catalogue of faults that no kind of fault stands for.

/// Each with where it is tested instead, or why it is not.
pub const ELSEWHERE: [(&str, &str); 36] = [
    ("N6", "frames split at every byte: tests/transport_frames.rs; a storm's wire carries whole texts"),
    ("N7", "many frames in one read: tests/transport_frames.rs and tests/transport_loopback.rs"),
    ("N8", "an oversize frame: tests/transport_frames.rs, to the byte"),
    ("N17", "pings and pongs: tests/transport_loopback.rs"),
    (
        "C1",
        "a node that is down: tests/contract_stories; a ratio once read counts for half an hour (market/fair tests)",
    ),
    ("C2", "a node that is slow: tests/contract_stories; of ratios as C1"),
    ("C4", "a node of another chain: tests/chain_anvil.rs"),
    ("C5", "reorgs: tests/chain_stories and tests/chain_anvil.rs"),
    (
        "C6",
        "every guard of the contracts by its name: tests/mandate_evm.rs and its neighbours; transactions: tests/chain_anvil.rs",
    ),
    ("C7", "a transaction that is never mined: tests/chain_anvil.rs"),
    ("C8", "a transaction in whose place another was mined: tests/chain_stories"),
    ("C9", "a receipt that does not come: tests/chain_random.rs"),
    ("C10", "a signature revoked by a newer one: tests/chain_stories and tests/chain_anvil.rs"),
    ("C11", "signatures disabled by the owner: tests/chain_stories and tests/chain_anvil.rs"),
    ("C12", "parameters made tighter: what the contract then refuses never leaves (tests/sim_presign.rs)"),
    ("C13", "capital on the move beside an auction: tests/keeper_stories and tests/keeper_anvil.rs"),
    ("C14", "a fill that the chain refuses afterwards: tests/sim_v2.rs"),
    ("C15", "an option nobody bought: actors/risk tests; a token that nobody knows is not tested"),
    ("C16", "gas too dear: tests/chain_anvil.rs and tests/chain_stories"),
    ("T3", "the wall clock is read once, at the start, where a frozen one is a wrong one (T1)"),
    ("T4", "a clock that goes back is held where it was: io/clock tests"),
    ("T6", "a beat that is late: ops/sentry tests and tests/sentry_process.rs; turns that are late are H3 and H4"),
    ("T7", "the second of an expiry: market/forward and exchange/tests/options; whole weeks: tests/sim_weeks.rs"),
    ("D6", "every flipped bit: io/store tests"),
    ("D9", "an old page in a new one's place: io/store tests"),
    ("D10", "two writers: io/store tests, by the lock on the folder"),
    ("H5", "a full lane: base/queue tests; what it does to an engine is a bend of our own code (B)"),
    ("H6", "cores that are missing or shared: io/host tests and tests/configs/bad"),
    ("H7", "the key's page is locked: io/key tests; a host that refuses the lock: tests/processes/cli.rs"),
    ("H8", "a death of a thread: tests/processes/crash_loop.rs; in a storm every death is a kill (H1)"),
    ("H9", "a second start: io/store tests and io/claim tests"),
    ("M10", "settlement at 08:00 and the roll after it: tests/sim_weeks.rs; a storm is over before"),
    ("P1", "every bad configuration: tests/config_files.rs"),
    (
        "P6",
        "an account of somebody else: tests/processes/cli.rs; two of one owner's that are swapped are not told apart",
    ),
    ("P7", "a key or a venue of another network: tests/processes/cli.rs and tests/configs/bad"),
    ("B", "our own code is bent at the places of base/buggify in every storm of a build with bends"),
];

#[cfg(test)]
mod tests {
    use super::super::CATALOGUE;
    use super::ELSEWHERE;
    use std::collections::BTreeSet;

    /// Letters of the catalogue and how many rows each has.
    const ROWS: [(&str, u32); 8] =
        [("N", 19), ("V", 35), ("C", 16), ("T", 7), ("D", 10), ("H", 9), ("M", 14), ("P", 8)];

    #[test]
    fn every_row_is_a_kinds_or_says_where_it_is_tested() {
        let mut rows = vec!["B".to_owned()];
        for (letter, count) in ROWS {
            rows.extend((1..=count).map(|number| format!("{letter}{number}")));
        }
        let drawn: BTreeSet<&str> = CATALOGUE.iter().flat_map(|kind| kind.catalogue.split(' ')).collect();
        let listed: BTreeSet<&str> = ELSEWHERE.iter().map(|(row, _)| *row).collect();
        assert_eq!(listed.len(), ELSEWHERE.len(), "each once");
        for row in &rows {
            assert!(drawn.contains(row.as_str()) != listed.contains(row.as_str()), "{row}");
        }
        let unknown = drawn.union(&listed).find(|row| !rows.iter().any(|known| known == *row));
        assert_eq!(unknown, None, "no such row");
        assert!(ELSEWHERE.iter().all(|(_, where_to)| !where_to.is_empty()));
    }
}
