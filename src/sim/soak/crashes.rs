//! Crash enumeration: short stories, each run once for every moment at which its engine can die, restarted, and judged.
//!
//! A moment is a turn of an actor that wrote to the journal, sent a private text or took one. What was handed to the
//! connection in that round is delivered in one run and lost in another.

use super::{Case, Storm, Subject, Violation};
use crate::base::time::{Nanos, SEC};
use crate::sim::venue::Fate;
use crate::sim::venue::faults::Faults;
use crate::sim::weeks::Vault;
use rust_decimal::Decimal;

/// How long an engine that was restarted is watched: start, login, snapshot, and the books once more.
const AFTER_S: u64 = 24;

/// A short story.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tale {
    /// Its name.
    pub name: &'static str,
    /// Who is in it.
    subject: Subject,
    /// Its seed.
    seed: u64,
    /// Seconds before it begins.
    lead_s: u64,
    /// Length in milliseconds.
    length_ms: u64,
    /// Replies are lost, doubled and late meanwhile.
    ill: bool,
    /// The engine has died once already when it begins.
    reborn: bool,
    /// Cash there is at first: what a settlement has left.
    cash: i64,
    /// It begins this long before the collateral auction instead of the option auction, seconds.
    collateral: bool,
}

const fn tale(name: &'static str, subject: Subject, seed: u64, lead_s: u64, length_ms: u64) -> Tale {
    Tale { name, subject, seed, lead_s, length_ms, ill: false, reborn: false, cash: 0, collateral: false }
}

/// Every story.
pub const TALES: [Tale; 12] = [
    tale("quote, fill, hedge", Subject::Basis, 1, 9, 600),
    Tale { ill: true, ..tale("replace while replies are lost", Subject::Basis, 3, 9, 600) },
    Tale { reborn: true, ..tale("recovery", Subject::Basis, 5, 8, 600) },
    tale("four seconds of market making", Subject::Basis, 13, 12, 4_000),
    Tale { reborn: true, ill: true, ..tale("recovery while replies are lost", Subject::Basis, 11, 9, 1_500) },
    tale("a call is offered and re-priced", Subject::Auction(Vault::Harvest), 8, 4, 6_000),
    Tale { reborn: true, ..tale("recovery in an auction", Subject::Auction(Vault::Harvest), 16, 20, 3_000) },
    tale("a call spread is asked for and executed", Subject::Auction(Vault::SafeHarvest), 2, 4, 40_000),
    tale("a put spread is asked for and executed", Subject::Auction(Vault::Maxi), 10, 4, 40_000),
    tale("a call spread is bought", Subject::Auction(Vault::Bull), 6, 4, 40_000),
    Tale {
        cash: 4_000,
        collateral: true,
        ..tale("cash becomes collateral", Subject::Auction(Vault::Harvest), 24, 1, 60_000)
    },
    Tale {
        cash: -4_000,
        collateral: true,
        ..tale("collateral pays a debt", Subject::Auction(Vault::Maxi), 4, 1, 60_000)
    },
];

/// One death in a story, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Number of the moment, from one; zero for the run without a death.
    pub moment: u64,
    /// What became of the texts of the last round.
    pub fate: Fate,
    /// Invariants broken.
    pub violations: Vec<Violation>,
}

impl Tale {
    fn open(&self) -> Result<Storm, String> {
        let mut storm = Storm::open_as(&Case::of(self.seed), (self.subject, self.collateral), false)?;
        let account = storm.rig.subaccount();
        let cash = Decimal::from(self.cash);
        storm.rig.venue.mishap(|exchange, at, out| exchange.deposit(account, "USDC", cash, at, out));
        storm.seen.moments.calm = None;
        storm.go(self.lead_s)?;
        if self.reborn {
            storm.die()?;
        }
        if self.ill {
            storm.rig.venue.mistreat(Some(Faults::of_replies(self.seed)));
        }
        Ok(storm)
    }

    fn end(&self, storm: &Storm) -> Nanos {
        storm.rig.venue.now().plus(self.length_ms * SEC / 1_000)
    }

    /// How many moments it has.
    ///
    /// # Errors
    /// It could not begin; in words.
    pub fn moments(&self) -> Result<u64, String> {
        let mut storm = self.open()?;
        let (before, end) = (storm.rig.venue.deeds(), self.end(&storm));
        while storm.rig.venue.now() < end {
            storm.step()?;
        }
        Ok(storm.rig.venue.deeds() - before)
    }

    /// The story with a death after its moment number `moment`, or without one for zero.
    ///
    /// # Errors
    /// It could not begin; in words.
    pub fn kill_at(&self, moment: u64, fate: Fate) -> Result<Death, String> {
        let mut storm = self.open()?;
        let end = self.end(&storm);
        if moment > 0 {
            storm.rig.venue.stop_after(moment, fate);
        }
        while storm.rig.venue.now() < end && !storm.rig.venue.is_stopped() {
            storm.step()?;
        }
        storm.rig.venue.mistreat(None);
        storm.seen.moments.calm = Some(storm.rig.venue.now());
        if moment > 0 {
            storm.die()?;
        }
        storm.go(AFTER_S)?;
        Ok(Death { moment, fate, violations: storm.violations })
    }
}
