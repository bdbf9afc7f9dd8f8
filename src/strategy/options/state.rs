//! What an option vault remembers between two looks; all of it but the milestone may be lost without harm.

use crate::base::ids::{Nonce, Uuid};
use crate::base::num::Price;
use crate::base::time::{Nanos, SEC};
use crate::msg::{Act, Concern, Demand, Milestone, Phase, Purpose, Tale};
use crate::strategy::options::OptionView;
use crate::strategy::options::selector::Pick;

/// Makers paused at once; the one whose pause ends first gives way.
const PAUSED_MAX: usize = 8;
/// Doublings of a maker's pause: beyond, it outlasts any lot.
const STRIKES_MAX: u32 = 8;
/// Tickers of the whole chain arrive within this long after a start.
const FIRST_TICKERS_NS: u64 = 5 * SEC;
/// Least time between two displayed demands.
const DEMAND_NS: u64 = SEC;
/// Refusals of wishes in a row that are no race any more.
const REFUSED_ROW: u32 = 5;
/// A refusal this long after the one before begins a row anew.
const REFUSED_ROW_NS: u64 = 60 * SEC;

/// A maker whose quotes are left alone for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Paused {
    maker: u64,
    strikes: u32,
    until: Nanos,
}

/// One RFQ of the auction, beside what the conversation says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lot {
    /// Its name, once seen.
    pub name: Nonce,
    /// When it was last asked for.
    pub asked_at: Nanos,
    /// The last withdrawal said, and when.
    pub unasked: Option<(Uuid, Nanos)>,
    /// What a unit of the cheapest quote would have cost before fees in the lot before.
    pub unit_cost: Option<Price>,
    /// The same in this lot.
    pub seen_cost: Option<Price>,
    /// Maker of the quote whose execution was wished last.
    dealt_with: Option<u64>,
    paused: [Paused; PAUSED_MAX],
}

impl Lot {
    /// A new RFQ is under way: strikes count from zero, and the price seen last is what a unit may cost.
    pub fn begin(&mut self, name: Nonce) {
        if self.name == name {
            return;
        }
        self.name = name;
        self.unit_cost = self.seen_cost.take();
        for paused in &mut self.paused {
            paused.strikes = 0;
        }
    }

    /// True while quotes of this maker are left alone.
    pub fn is_paused(&self, maker: u64, at: Nanos) -> bool {
        self.paused.iter().any(|paused| paused.maker == maker && at < paused.until)
    }

    /// Notes whose quote is about to be executed, if the next wish is that.
    pub fn deal_with(&mut self, maker: Option<u64>) {
        self.dealt_with = maker;
    }

    /// Leaves a maker alone for `pause · 2^strikes`.
    pub fn strike(&mut self, maker: u64, pause_ns: u64, at: Nanos) {
        let known = self.paused.iter().position(|paused| paused.maker == maker && paused.until > Nanos::ZERO);
        let place = known.or_else(|| (0..PAUSED_MAX).min_by_key(|place| self.paused[*place].until));
        let Some(paused) = place.map(|place| &mut self.paused[place]) else { return };
        let strikes = if known.is_some() { paused.strikes } else { 0 };
        let until = at.plus(pause_ns.saturating_mul(1 << strikes.min(STRIKES_MAX)));
        *paused = Paused { maker, strikes: strikes.saturating_add(1), until };
    }
}

/// What is remembered between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct State {
    /// Where the vault stands.
    pub(super) milestone: Milestone,
    /// What has become true and was not said yet.
    pub(super) news: Option<Tale>,
    /// Concerns said in this phase, as bits.
    told: u16,
    /// Number of the last refusal seen.
    refused_seen: u32,
    /// Number of the venue's refusals to execute seen.
    refusals_seen: Option<u32>,
    /// No wishes before this moment.
    quiet_until: Nanos,
    /// When an account was first certain and live.
    certain_since: Option<Nanos>,
    /// Since when the positions look wrong.
    pub(super) misshapen_since: Option<Nanos>,
    demand_at: Nanos,
    /// Instruments are not chosen again before this moment.
    pub(super) select_at: Nanos,
    /// Instruments of the auction.
    pub(super) pick: Option<Pick>,
    /// Wishes refused one after the other, and when the last was.
    refused_row: u32,
    refused_at: Nanos,
    /// Its present RFQ.
    pub(super) lot: Lot,
}

impl State {
    /// Takes up what happened since the last look: refusals of wishes, and of executions by the venue. True if wishes
    /// keep being refused: one alone is a race with a fill or a withdrawn quote.
    pub(super) fn notice(
        &mut self,
        view: &OptionView<'_>,
        refusal_pause_ns: u64,
        maker_pause_ns: u64,
        at: Nanos,
    ) -> bool {
        if view.account.working.iter().flatten().any(|order| order.wish.purpose == Purpose::Package) {
            // Its execution was granted: whatever is refused next is no fault of its maker.
            self.lot.dealt_with = None;
        }
        if view.account.intent_refused != self.refused_seen {
            self.refused_seen = view.account.intent_refused;
            let in_row = at.since(self.refused_at) < REFUSED_ROW_NS;
            self.refused_row = if in_row { self.refused_row.saturating_add(1) } else { 1 };
            self.refused_at = at;
            self.quiet_until = at.plus(refusal_pause_ns);
            if let Some(maker) = self.lot.dealt_with.take() {
                self.lot.strike(maker, maker_pause_ns, at);
            }
        }
        let refusals = view.talk.refusals;
        if self.refusals_seen.is_some_and(|seen| seen != refusals)
            && let Some((code, maker)) = view.talk.last_refusal
        {
            self.lot.strike(maker, maker_pause_ns, at);
            if !is_makers_fault(code) {
                self.quiet_until = self.quiet_until.max(at.plus(refusal_pause_ns));
            }
        }
        self.refusals_seen = Some(refusals);
        self.refused_row >= REFUSED_ROW
    }

    /// True after a refusal, for a while.
    pub(super) fn is_quiet(&self, at: Nanos) -> bool {
        at < self.quiet_until
    }

    /// A phase begins; it is said at the next look.
    pub(super) fn enter(&mut self, milestone: Milestone) {
        if milestone.phase != self.milestone.phase {
            self.told = 0;
            self.refused_row = 0;
            self.select_at = Nanos::ZERO;
            self.demand_at = Nanos::ZERO;
            self.lot = Lot::default();
            self.misshapen_since = None;
        }
        if milestone.phase != Phase::OptionAuction {
            self.pick = None;
        }
        self.milestone = milestone;
        self.news = Some(Tale::Phase(milestone));
    }

    /// The account is certain and live.
    pub(super) fn be_certain(&mut self, at: Nanos) {
        self.certain_since.get_or_insert(at);
    }

    /// Says that the chain is stale, unless a start is still waiting for its first tickers.
    pub(super) fn worry_chain(&mut self, at: Nanos) -> Option<Act> {
        let started = self.certain_since.is_some_and(|since| at.since(since) >= FIRST_TICKERS_NS);
        if started { self.worry(Concern::ChainStale) } else { None }
    }

    /// Says a concern, once in a phase.
    pub(super) fn worry(&mut self, concern: Concern) -> Option<Act> {
        let bit = 1u16 << concern as u16;
        let first = self.told & bit == 0;
        self.told |= bit;
        first.then_some(Act::Tell(Tale::Concern(concern)))
    }

    /// Says what the auction demands, once a second at most.
    pub(super) fn show(&mut self, at: Nanos, demand: Demand) -> Option<Act> {
        if at < self.demand_at {
            return None;
        }
        self.demand_at = at.plus(DEMAND_NS);
        Some(Act::Tell(Tale::Demand(demand)))
    }
}

/// Refusals that say the quote is gone or its maker cannot pay: RFQ not open, counterparty funds, counterparty fee.
fn is_makers_fault(code: i32) -> bool {
    matches!(code, 11104 | 8500 | 8501)
}
