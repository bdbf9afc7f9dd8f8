//! The invariants a storm is held to, judged from the venue's books, the texts on the wire and the journal: nothing is
//! believed because the engine says so.

use super::Subject;
use crate::actors::risk::{Alarm, Notice, Sample, Stats};
use crate::base::num::Ratio;
use crate::base::time::{Nanos, SEC};
use crate::engine::journal::{LegRecord, OrderRecord};
use crate::exchange::SubaccountReport;
use crate::msg::Mode;
use crate::sim::rig::Rig;
use crate::sim::venue::Said;
use crate::sim::venue::faults::Fault;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Names of all invariants, with what each says.
pub const INVARIANTS: [(&str, &str); 11] = [
    ("name-used-once", "no two different orders or executions carry the same nonce, whatever died between them (O6)"),
    ("journal-before-wire", "a nonce on the wire is in the journal already"),
    ("never-our-fault", "the venue refuses nothing for a reason we could have known (M6, M9, M12)"),
    ("shorts-covered", "options sold never exceed the collateral (M1)"),
    ("legs-whole", "the legs of a spread are equal and opposite (M2)"),
    ("perp-never-long", "the perp position is short or flat (M13)"),
    ("nothing-rests-deaf", "nothing rests at the venue when prices have been silent for long (O3)"),
    ("no-alarm", "no assertion of the engine's own fails and nothing halts it"),
    ("comes-back", "the vault is live again in time (L1)"),
    ("books-agree", "ledger and venue agree to the last unit (M8)"),
    ("delta-one", "the hedge is whole again (M3)"),
];

/// Prices silent for this long: the engine's own patience with a perp or with options, and a round trip or two.
const DEAF_NS: [u64; 2] = [4 * SEC, 7 * SEC];
/// Refusals that are our own fault: wrong amount, own order crossed, fee signed too low, nonce out of its window,
/// parameters the venue cannot read, signatures it cannot verify.
const OUR_FAULT: [i64; 6] = [11_007, 11_012, 11_018, 11_023, -32_602, 14_014];
/// How far from one delta may be in the end.
const DELTA_OFF: Ratio = Ratio::from_raw(20_000_000);

/// What has been seen so far.
pub(super) struct Watch {
    subject: Subject,
    collateral: &'static str,
    names: BTreeMap<String, String>,
    journaled: BTreeSet<String>,
    records: usize,
    /// Prices have been silent since.
    deaf_since: Option<Nanos>,
    /// The engine at work has been since.
    alive_since: Nanos,
    last: Option<(Sample, Stats)>,
    /// Texts of the venue have vanished on a connection that stayed up.
    texts_lost: bool,
    /// The vault waits for an operator, with reason.
    drained: bool,
    violations: Vec<String>,
}

impl Watch {
    pub(super) fn new(subject: Subject, collateral: &'static str) -> Watch {
        Watch {
            subject,
            collateral,
            names: BTreeMap::new(),
            journaled: BTreeSet::new(),
            records: 0,
            deaf_since: None,
            alive_since: Nanos::ZERO,
            last: None,
            texts_lost: false,
            drained: false,
            violations: Vec::new(),
        }
    }

    /// A new engine is about to start.
    pub(super) fn reborn(&mut self, rig: &mut Rig) {
        self.alive_since = rig.venue.now();
        self.deaf_since = None;
        self.last = None;
        self.drained = false;
        // What the dead one still said is judged like everything else.
        self.hear_wire(rig);
    }

    /// Checks everything that must hold at any moment.
    pub(super) fn look(&mut self, rig: &mut Rig, heard: &[Notice]) {
        let at = rig.venue.now();
        let lost = [Fault::ReplyLost, Fault::PrivateSilent];
        self.texts_lost |=
            rig.venue.faults().is_some_and(|faults| lost.iter().any(|f| faults.fired()[*f as usize] > 0));
        heard.iter().for_each(|notice| self.hear(at, notice, self.texts_lost));
        self.hear_wire(rig);
        let Some(books) = rig.venue.report(rig.subaccount()) else { return };
        self.positions(at, &books);
        self.rests_deaf(rig, &books);
    }

    /// True if the vault waits for an operator, with reason.
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }

    fn broken(&mut self, at: Nanos, invariant: usize, seen: &str) {
        let name = INVARIANTS[invariant].0;
        if !self.violations.iter().any(|known| known.starts_with(name)) {
            self.violations.push(format!("{name} at {} ms: {seen}", at.ms()));
        }
    }

    fn hear(&mut self, at: Nanos, notice: &Notice, texts_lost: bool) {
        match notice {
            Notice::Sample { sample, stats, .. } => {
                if stats.violations > 0 {
                    self.broken(at, 7, "an assertion of the engine failed");
                }
                self.last = Some((*sample, *stats));
            }
            Notice::Alarm { alarm: Alarm::Concern(_), .. } => {}
            // Texts that vanish on a connection that stays up leave differences nothing explains: an operator looks.
            Notice::Alarm { alarm: Alarm::Mismatch, .. } if texts_lost => self.drained = true,
            Notice::Alarm { alarm, .. } => self.broken(at, 7, &format!("{alarm:?}")),
            Notice::Mode { mode: Mode::Halted, .. } => self.broken(at, 7, "halted"),
            _ => {}
        }
    }

    fn hear_wire(&mut self, rig: &mut Rig) {
        let records = rig.journal_after(self.records);
        self.records += records.len();
        let nonce = |record: &[u8; 64]| {
            let order = OrderRecord::read(record).map(|order| order.nonce);
            order.or_else(|| LegRecord::read(record).map(|leg| leg.nonce)).map(|nonce| nonce.0.to_string())
        };
        self.journaled.extend(records.iter().filter_map(nonce));
        for said in rig.venue.take_tape() {
            if said.by_engine { self.sent(&said) } else { self.answered(&said) }
        }
    }

    fn sent(&mut self, said: &Said) {
        let Ok(frame) = serde_json::from_str::<serde_json::Value>(&said.text) else {
            return self.broken(said.at, 2, "a text that is not JSON");
        };
        let method = frame["method"].as_str().unwrap_or_default();
        if !matches!(method, "private/order" | "private/replace" | "private/execute_quote") {
            return;
        }
        let nonce = match &frame["params"]["nonce"] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !self.journaled.contains(&nonce) {
            self.broken(said.at, 1, &format!("{nonce} is not in the journal"));
        }
        let before = self.names.insert(nonce.clone(), said.text.clone());
        if before.is_some_and(|before| before != said.text) {
            self.broken(said.at, 0, &nonce);
        }
    }

    fn answered(&mut self, said: &Said) {
        if !said.text.contains("\"error\"") {
            return;
        }
        let frame: serde_json::Value = serde_json::from_str(&said.text).unwrap_or_default();
        let code = frame["error"]["code"].as_i64().unwrap_or_default();
        if OUR_FAULT.contains(&code) {
            self.broken(said.at, 2, &said.text);
        }
    }

    fn positions(&mut self, at: Nanos, books: &SubaccountReport) {
        let base = books.balances.get(self.collateral).copied().unwrap_or_default();
        let (mut short, mut sum) = (Decimal::ZERO, Decimal::ZERO);
        for (name, position) in &books.positions {
            if name.ends_with("-PERP") {
                if position.amount > Decimal::ZERO {
                    self.broken(at, 5, &format!("{} of {name}", position.amount));
                }
                continue;
            }
            short += (-position.amount).max(Decimal::ZERO);
            sum += position.amount;
        }
        let Subject::Auction(vault) = self.subject else { return };
        let product = vault.product();
        if product.side() == crate::base::ids::Side::Sell && short > base {
            self.broken(at, 3, &format!("{short} short against {base} {}", self.collateral));
        }
        if product.is_spread() && !sum.is_zero() {
            self.broken(at, 4, &format!("legs differ by {sum}"));
        }
    }

    /// Judged only while cancels can get through: an engine at work, a private connection that has not just suffered.
    fn rests_deaf(&mut self, rig: &mut Rig, books: &SubaccountReport) {
        let at = rig.venue.now();
        let deaf_ns = DEAF_NS[usize::from(self.subject != Subject::Basis)];
        let Some(faults) = rig.venue.faults() else {
            self.deaf_since = None;
            return;
        };
        let able = at.since(faults.private_hurt_at()) > deaf_ns && at.since(self.alive_since) > deaf_ns;
        if !faults.is_deaf(at) || !rig.is_alive() {
            self.deaf_since = None;
            return;
        }
        let since = *self.deaf_since.get_or_insert(at);
        if able && at.since(since) > deaf_ns && books.open_orders > 0 && rig.venue.private_up_since() < since {
            self.broken(at, 6, &format!("{} orders after {} ms", books.open_orders, at.since(since) / 1_000_000));
        }
    }

    /// Checks what must hold once the faults have been over for a while.
    pub(super) fn healed(&mut self, rig: &Rig) {
        let at = rig.venue.now();
        let (Some((sample, _)), Some(books)) = (self.last, rig.venue.report(rig.subaccount())) else {
            return self.broken(at, 8, "nothing was heard of the vault");
        };
        if sample.mode != Mode::Live {
            self.broken(at, 8, &format!("{:?}", sample.mode));
        }
        let position = |name: &str| books.positions.get(name).map_or(Decimal::ZERO, |position| position.amount);
        let same = |ours: String, venue: Decimal| ours.parse::<Decimal>().is_ok_and(|ours| ours == venue);
        let base = books.balances.get(self.collateral).copied().unwrap_or_default();
        let mut agree = same(sample.base.to_string(), base);
        if self.subject == Subject::Basis {
            agree &= same(sample.perp.to_string(), position("ETH-PERP"));
        }
        for held in sample.held.iter().flatten() {
            let name = rig.instrument(held.instrument).map(|instrument| instrument.name);
            agree &= name.is_some_and(|name| same(held.amount.to_string(), position(name.as_str())));
        }
        if !agree {
            self.broken(at, 9, &format!("{sample:?} against {books:?}"));
        }
        if self.subject == Subject::Basis && (sample.delta - Ratio::ONE).abs() > DELTA_OFF {
            self.broken(at, 10, &format!("delta {}", sample.delta));
        }
    }

    /// What was broken, and fills of the last engine.
    pub(super) fn end(self) -> (Vec<String>, u64) {
        (self.violations, self.last.map_or(0, |(_, stats)| stats.fills))
    }
}
