//! The week of an option vault: which phase it is in, what ends it, and how a restart finds its place again.
//!
//! What is true comes from a proved account; the journal only tells which clock was running. Nothing is traded that an
//! auction of this vault would not have made.

use crate::base::ids::Side;
use crate::base::num::Amount;
use crate::base::time::{Nanos, SEC};
use crate::msg::{Act, Concern, Milestone, Phase, Tale};
use crate::strategy::options::option_auction::{self, SELECT_NS};
use crate::strategy::options::params::AuctionTerms;
use crate::strategy::options::position::{Stance, judge, pick_held};
use crate::strategy::options::resting::{Withdrawal, clear, withdraw};
use crate::strategy::options::state::State;
use crate::strategy::options::{Look, budget, collateral_auction, recovery, rfq_auction};

/// Positions of a wrong shape must last this long before they halt: the venue books legs one by one.
const SHAPE_NS: u64 = 5 * SEC;

/// One look at a vault whose account is certain and live.
pub(super) fn step(look: &Look<'_>, state: &mut State) -> Option<Act> {
    if let Some(tale) = state.news.take() {
        return Some(Act::Tell(tale));
    }
    // Said until it is on record: what a restart would not know of is not acted on.
    if state.milestone.phase != Phase::Boot && !look.view.account.milestone.is_same(&state.milestone) {
        return Some(Act::Tell(Tale::Phase(state.milestone)));
    }
    if state.milestone.phase == Phase::Halt {
        // Risk is live still: it has not heard.
        return Some(Act::Tell(Tale::Halt(Concern::Shape)));
    }
    let remembered = look.view.remembered.map_or(0, |milestone| milestone.expiry_s);
    let auctioned = if state.milestone.phase == Phase::Boot { remembered } else { state.milestone.expiry_s };
    let stance = judge(look, auctioned);
    if stance == Stance::Misshapen {
        return misshapen(look, state);
    }
    state.misshapen_since = None;
    if stance == Stance::Moving {
        return option_auction::recall(look, state);
    }
    match state.milestone.phase {
        Phase::Boot => {
            let milestone = recovery::resume(look, stance);
            enter(state, milestone)
        }
        Phase::CollateralOnly => collateral_only(look, state, stance),
        Phase::OptionAuction => match option_auction::step(look, state, stance) {
            option_auction::Outcome::Goes(act) => act,
            option_auction::Outcome::Over => after_auction(look, state, stance),
        },
        Phase::AwaitSettlement => await_settlement(look, state, stance),
        Phase::SpotAuction => spot_auction(look, state, stance),
        Phase::Halt => None,
    }
}

/// True if all that the phase under way can wish is to pay a debt.
pub(super) fn may_pay(look: &Look<'_>, state: &State) -> bool {
    matches!(state.milestone.phase, Phase::AwaitSettlement | Phase::SpotAuction)
        && look.view.account.cash < -look.params.collateral.dust
}

/// Begins a phase and says so at once.
fn enter(state: &mut State, milestone: Milestone) -> Option<Act> {
    state.enter(milestone);
    state.news.take().map(Act::Tell)
}

/// A phase that begins now, with what the one before knew.
fn begin(look: &Look<'_>, state: &State, phase: Phase) -> Milestone {
    Milestone { phase, started_at: look.at, ..state.milestone }
}

/// Nothing is traded while positions look wrong; if they stay so, nothing ever is.
fn misshapen(look: &Look<'_>, state: &mut State) -> Option<Act> {
    let since = *state.misshapen_since.get_or_insert(look.at);
    if look.at.since(since) < SHAPE_NS {
        return clear(look, state);
    }
    enter(state, begin(look, state, Phase::Halt))
}

/// Options that no auction of this phase has made, but one of this vault has: they wait for their expiry.
fn adopt(look: &Look<'_>, state: &mut State, expiry_s: u64) -> Option<Act> {
    match withdraw(look, state) {
        Withdrawal::Act(act) => Some(act),
        Withdrawal::Wait => None,
        Withdrawal::Done => {
            let milestone = await_expiry(look, state, expiry_s);
            enter(state, milestone)
        }
    }
}

fn await_expiry(look: &Look<'_>, state: &State, expiry_s: u64) -> Milestone {
    let strikes = pick_held(look.view, look.params.product).map_or(state.milestone.strikes, |pick| pick.strikes());
    Milestone { expiry_s, strikes, ..begin(look, state, Phase::AwaitSettlement) }
}

/// S1: waits for the start of the next option auction.
fn collateral_only(look: &Look<'_>, state: &mut State, stance: Stance) -> Option<Act> {
    if let Stance::Open { expiry_s } | Stance::Settling { expiry_s } = stance {
        return adopt(look, state, expiry_s);
    }
    match withdraw(look, state) {
        Withdrawal::Act(act) => return Some(act),
        Withdrawal::Wait => return None,
        Withdrawal::Done => {}
    }
    if collateral_auction::is_payable_debt(look) {
        let milestone = begin(look, state, Phase::SpotAuction);
        return enter(state, milestone);
    }
    if look.at < state.select_at {
        return None;
    }
    let expiry_s = look.chain().expiry(&look.params.week)?;
    if look.at.secs() < look.params.week.auction_start_s(expiry_s) {
        return None;
    }
    start_auction(look, state, expiry_s)
}

/// S1 → S2: chooses instruments and begins, unless something speaks against it.
fn start_auction(look: &Look<'_>, state: &mut State, expiry_s: u64) -> Option<Act> {
    state.select_at = look.at.plus(SELECT_NS);
    let (account, params) = (look.view.account, look.params);
    if !account.base.is_positive() {
        return None;
    }
    if account.cash < -params.collateral.dust {
        let tolerable = collateral_auction::is_too_small_to_pay(look);
        let worry = state.worry(Concern::DebtLeft);
        // The rest of a debt waits for the next one; whether options are traded with it is the mandate's to say.
        if !tolerable || worry.is_some() {
            state.select_at = if tolerable { look.at } else { state.select_at };
            return worry;
        }
    }
    let chain = look.chain();
    if !chain.is_complete(expiry_s) {
        return state.worry_chain(look.at);
    }
    if let Some(act) = option_auction::worry_marks(state, &chain, expiry_s) {
        state.select_at = look.at;
        return Some(act);
    }
    let Some(pick) = chain.select(&params.selection, expiry_s) else { return state.worry(Concern::NoCandidate) };
    let mut milestone = Milestone {
        phase: Phase::OptionAuction,
        started_at: look.at,
        expiry_s,
        strikes: pick.strikes(),
        ..Milestone::default()
    };
    if let AuctionTerms::Rfq(terms) = &params.auction {
        if params.product.side() == Side::Buy {
            let Some(budget) = budget::accrued(look.view.base, account.base, terms).filter(|_| look.base_is_fresh())
            else {
                return state.worry(Concern::NoBudget);
            };
            milestone.budget = budget;
        } else if rfq_auction::covered_lot(account.base, Amount::ZERO, terms).is_zero() {
            return None;
        } else if account.base > rfq_auction::capacity(params.week.auction_s, terms)
            && let Some(act) = state.worry(Concern::Capacity)
        {
            state.select_at = look.at;
            return Some(act);
        }
    }
    state.pick = Some(pick);
    enter(state, milestone)
}

/// S2 → S3 with positions, back to S1 without.
fn after_auction(look: &Look<'_>, state: &mut State, stance: Stance) -> Option<Act> {
    let milestone = match stance {
        Stance::Open { expiry_s } | Stance::Settling { expiry_s } => await_expiry(look, state, expiry_s),
        Stance::Flat | Stance::Moving | Stance::Misshapen => rest(look),
    };
    enter(state, milestone)
}

/// S1, with nothing of the past that a restart would have to know.
fn rest(look: &Look<'_>) -> Milestone {
    Milestone { phase: Phase::CollateralOnly, started_at: look.at, ..Milestone::default() }
}

/// S3: waits until the options are gone, a snapshot after their expiry proves it, and the collateral auction is due.
fn await_settlement(look: &Look<'_>, state: &mut State, stance: Stance) -> Option<Act> {
    match withdraw(look, state) {
        Withdrawal::Act(act) => return Some(act),
        Withdrawal::Wait => return None,
        Withdrawal::Done => {}
    }
    let now = look.at.secs();
    match stance {
        Stance::Open { expiry_s } | Stance::Settling { expiry_s } if expiry_s != state.milestone.expiry_s => {
            let milestone = await_expiry(look, state, expiry_s);
            enter(state, milestone)
        }
        Stance::Settling { expiry_s } if now > expiry_s.saturating_add(look.params.week.settlement_s_max) => {
            state.worry(Concern::SettlementLate)
        }
        Stance::Flat => {
            let expiry_s = state.milestone.expiry_s;
            let proved = look.view.account.proved_at > Nanos(expiry_s.saturating_mul(SEC));
            let due = now >= expiry_s.saturating_add(look.params.week.spot_delay_s);
            if !(proved && due) {
                return None;
            }
            let milestone = begin(look, state, Phase::SpotAuction);
            enter(state, milestone)
        }
        _ => None,
    }
}

/// S4: the collateral auction, until cash is flat or a credit has had its time.
fn spot_auction(look: &Look<'_>, state: &mut State, stance: Stance) -> Option<Act> {
    if let Stance::Open { expiry_s } | Stance::Settling { expiry_s } = stance {
        return adopt(look, state, expiry_s);
    }
    match collateral_auction::step(look, state) {
        collateral_auction::Outcome::Goes(act) => act,
        collateral_auction::Outcome::Over => enter(state, rest(look)),
    }
}
