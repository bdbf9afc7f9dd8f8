//! Judges an account after a kill: the venue's own record against the journal, and neither against what the engine says.

use crate::process::books::VenueOrder;
use keel::base::ids::Nonce;
use keel::engine::journal::{LegRecord, OrderRecord};
use keel::io::store::read_records;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a kill must not do, each with how often it was looked for.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Orders of the venue looked for in the journal.
    pub orders: usize,
    /// Records of the journal read.
    pub records: usize,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

/// Nonces in a journal, in the order in which they were written.
pub fn journaled(folder: &Path) -> Result<Vec<Nonce>, String> {
    let mut nonces = Vec::new();
    let mut visit = |_: u64, record: &[u8]| {
        let order = OrderRecord::read(record).map(|order| order.nonce);
        // The legs of a package share its name.
        let leg = || LegRecord::read(record).filter(|leg| leg.leg == 0).map(|leg| leg.nonce);
        nonces.extend(order.or_else(leg));
    };
    if folder.join("lock").exists() {
        read_records(folder, &mut visit).map_err(|why| why.to_string())?;
    }
    Ok(nonces)
}

/// Holds what the venue has seen against what the journal knows.
pub fn judge(journal: &[Nonce], venue: &[VenueOrder]) -> Verdict {
    let mut faults = Vec::new();
    let known: BTreeSet<Nonce> = journal.iter().copied().collect();
    if let Some(pair) = journal.windows(2).find(|pair| pair[0] >= pair[1]) {
        faults.push(format!("nonce reuse: the journal has {} after {}", pair[1].0, pair[0].0));
    }
    let mut ids: BTreeMap<Nonce, &str> = BTreeMap::new();
    for order in venue {
        if !known.contains(&order.nonce) {
            faults.push(format!("lost order: the venue has nonce {}, the journal does not", order.nonce.0));
        }
        if ids.insert(order.nonce, &order.id).is_some_and(|other| other != order.id) {
            faults.push(format!("nonce reuse: the venue has two orders of nonce {}", order.nonce.0));
        }
    }
    faults.extend(doubles(venue));
    Verdict { orders: venue.len(), records: journal.len(), faults }
}

/// Orders of one instrument and side that rested at the same time: one intent that became two.
fn doubles(venue: &[VenueOrder]) -> Vec<String> {
    let mut lines: BTreeMap<&(String, String), Vec<&VenueOrder>> = BTreeMap::new();
    // What was cancelled in the speed bump never came to the book.
    let came = |order: &&VenueOrder| order.status == "open" || order.to_ms >= order.from_ms;
    for order in venue.iter().filter(|order| !order.immediate).filter(came) {
        lines.entry(&order.what).or_default().push(order);
    }
    let mut faults = Vec::new();
    for ((instrument, side), mut orders) in lines {
        orders.sort_by_key(|order| (order.from_ms, order.nonce));
        for pair in orders.windows(2) {
            let end = if pair[0].status == "open" { u64::MAX } else { pair[0].to_ms };
            if pair[1].from_ms < end && pair[0].id != pair[1].id {
                faults
                    .push(format!("duplicate intent: {instrument} {side} {} and {} rested at once", pair[0], pair[1]));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(nonce: u64, from_ms: u64, to_ms: u64) -> VenueOrder {
        VenueOrder {
            id: format!("id-{nonce}"),
            nonce: Nonce(nonce),
            what: ("WEETH-USDC".into(), "buy".into()),
            immediate: false,
            status: "cancelled".into(),
            from_ms,
            to_ms,
        }
    }

    #[test]
    fn each_fault_is_seen_and_a_sound_record_has_none() {
        let nonces = |list: &[u64]| list.iter().copied().map(Nonce).collect::<Vec<_>>();
        let sound = [order(1, 0, 10), order(2, 10, 20)];
        assert_eq!(judge(&nonces(&[1, 2, 3]), &sound).faults, Vec::<String>::new());
        let sell = VenueOrder { what: ("WEETH-USDC".into(), "sell".into()), ..order(3, 0, 20) };
        let hedge = VenueOrder { immediate: true, ..order(4, 5, 5) };
        assert_eq!(judge(&nonces(&[1, 2, 3, 4]), &[sound[0].clone(), sell, hedge]).faults, Vec::<String>::new());
        let stopped = order(2, 9, 8);
        assert_eq!(judge(&nonces(&[1, 2]), &[sound[0].clone(), stopped]).faults, Vec::<String>::new());
        let twin = VenueOrder { id: "other".into(), ..order(2, 20, 30) };
        let resting = VenueOrder { status: "open".into(), ..order(1, 0, 0) };
        for (journal, venue, words) in [
            (nonces(&[1]), vec![order(1, 0, 1), order(2, 1, 2)], "lost order"),
            (nonces(&[1, 2, 2]), vec![], "the journal has 2 after 2"),
            (nonces(&[1, 3, 2]), vec![], "the journal has 2 after 3"),
            (nonces(&[2]), vec![order(2, 0, 20), twin], "two orders of nonce 2"),
            (nonces(&[1, 2]), vec![order(1, 0, 10), order(2, 9, 20)], "rested at once"),
            (nonces(&[1, 2]), vec![resting, order(2, 9, 20)], "rested at once"),
        ] {
            let faults = judge(&journal, &venue).faults;
            assert!(faults.len() == 1 && faults[0].contains(words), "{faults:?}");
        }
    }
}
