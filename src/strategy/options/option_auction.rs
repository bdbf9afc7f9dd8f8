//! S2: keeps the choice of instruments right until the first fill, runs the auction, and ends it at its hard stop.

use crate::base::num::Rounding;
use crate::base::time::SEC;
use crate::msg::{Act, Concern, Milestone};
use crate::strategy::options::amend::Amend;
use crate::strategy::options::params::{AuctionTerms, Selection};
use crate::strategy::options::position::{Stance, pick_held};
use crate::strategy::options::resting::{Withdrawal, clear, withdraw};
use crate::strategy::options::selector::{Chain, Pick, fits, mark_ratio};
use crate::strategy::options::state::State;
use crate::strategy::options::{Look, limit_auction, rfq_auction};

/// Instruments are chosen again at most this often while none fits.
pub(super) const SELECT_NS: u64 = SEC;

/// Where the auction stands.
pub(super) enum Outcome {
    /// It goes on, perhaps with a wish.
    Goes(Option<Act>),
    /// Nothing rests any more and it is over.
    Over,
}

/// One look at the auction.
pub(super) fn step(look: &Look<'_>, state: &mut State, stance: Stance) -> Outcome {
    let locked = stance != Stance::Flat;
    if is_over(look, state) {
        return end(look, state);
    }
    let pick = match hold_pick(look, state, locked) {
        Ok(pick) => pick,
        Err(act) => return Outcome::Goes(act),
    };
    if is_sold_out(look, state, &pick) {
        return end(look, state);
    }
    Outcome::Goes(match &look.params.auction {
        AuctionTerms::Limit(terms) => limit_auction::step(look, state, terms, &pick),
        AuctionTerms::Rfq(terms) => rfq_auction::step(look, state, terms, &pick),
    })
}

/// While an execution is under way: takes it back if it still waits for the contract's signature and is not worth it
/// any more.
pub(super) fn recall(look: &Look<'_>, state: &State) -> Option<Act> {
    match (&look.params.auction, look.params.amend) {
        (AuctionTerms::Rfq(terms), Amend::Resign(cost)) if look.view.account.settling => {
            rfq_auction::recall(look, state, terms, cost)
        }
        _ => None,
    }
}

/// The hard stop, or the expiry itself.
fn is_over(look: &Look<'_>, state: &State) -> bool {
    let milestone = &state.milestone;
    look.at.since(milestone.started_at) >= look.params.week.auction_s.saturating_mul(SEC)
        || look.at.secs() >= milestone.expiry_s
}

fn is_sold_out(look: &Look<'_>, state: &State, pick: &Pick) -> bool {
    match &look.params.auction {
        AuctionTerms::Limit(_) => pick
            .legs()
            .next()
            .and_then(|leg| look.view.line(leg.instrument))
            .is_some_and(|line| limit_auction::uncovered(look, &line.instrument) < line.instrument.min_amount),
        AuctionTerms::Rfq(terms) => rfq_auction::is_done(look, state, terms, pick),
    }
}

/// Takes everything back, says what stayed unsold, and is over.
fn end(look: &Look<'_>, state: &mut State) -> Outcome {
    match withdraw(look, state) {
        Withdrawal::Act(act) => return Outcome::Goes(Some(act)),
        Withdrawal::Wait => return Outcome::Goes(None),
        Withdrawal::Done => {}
    }
    let sold_out = match state.pick {
        Some(pick) => is_sold_out(look, state, &pick),
        None => false,
    };
    let worry = if sold_out { None } else { state.worry(Concern::Unfilled) };
    worry.map_or(Outcome::Over, |act| Outcome::Goes(Some(act)))
}

/// The instruments to trade: those held, else the choice, renewed when the index has moved or it no longer fits.
fn hold_pick(look: &Look<'_>, state: &mut State, locked: bool) -> Result<Pick, Option<Act>> {
    if locked {
        return held_pick(look, state);
    }
    if let Some(pick) = state.pick
        && !has_drifted(look, &pick)
        && is_eligible(look, &pick) != Some(false)
    {
        return Ok(pick);
    }
    if look.at < state.select_at {
        return Err(clear(look, state));
    }
    let expiry_s = state.milestone.expiry_s;
    let chain = look.chain();
    if !chain.is_complete(expiry_s) {
        state.select_at = look.at.plus(SELECT_NS);
        return Err(state.worry_chain(look.at).or_else(|| clear(look, state)));
    }
    if let Some(act) = worry_marks(state, &chain, expiry_s) {
        return Err(Some(act));
    }
    let Some(chosen) = chain.select(&look.params.selection, expiry_s) else {
        state.select_at = look.at.plus(SELECT_NS);
        return Err(state.worry(Concern::NoCandidate).or_else(|| clear(look, state)));
    };
    if let Some(pick) = state.pick.filter(|pick| pick.legs != chosen.legs)
        && pick.expiry_s == expiry_s
    {
        // What rests is for other instruments: it goes first, or a fill could mix them.
        match withdraw(look, state) {
            Withdrawal::Act(act) => return Err(Some(act)),
            Withdrawal::Wait => return Err(None),
            Withdrawal::Done => {}
        }
    }
    state.pick = Some(chosen);
    if chosen.strikes() != state.milestone.strikes {
        state.enter(Milestone { strikes: chosen.strikes(), ..state.milestone });
        return Err(state.news.take().map(Act::Tell));
    }
    Ok(chosen)
}

/// Says once that marks of the chain do not follow from the signed feeds; those strikes are no candidates.
pub(super) fn worry_marks(state: &mut State, chain: &Chain<'_>, expiry_s: u64) -> Option<Act> {
    if chain.has_deviation(expiry_s) { state.worry(Concern::MarksDeviate) } else { None }
}

/// The instruments held already; the choice stands if it is of them.
fn held_pick(look: &Look<'_>, state: &mut State) -> Result<Pick, Option<Act>> {
    let is_held = |pick: &Pick| pick.legs().all(|leg| !look.view.held(leg.instrument).is_zero());
    if let Some(pick) = state.pick.filter(is_held) {
        return Ok(pick);
    }
    let Some(pick) = pick_held(look.view, look.params.product) else { return Err(clear(look, state)) };
    state.pick = Some(pick);
    Ok(pick)
}

/// The options' index moved by more than the operator allows since the choice.
fn has_drifted(look: &Look<'_>, pick: &Pick) -> bool {
    let reselect_move = match &look.params.auction {
        AuctionTerms::Limit(terms) => terms.reselect_move,
        AuctionTerms::Rfq(terms) => terms.reselect_move,
    };
    let Some(leg) = pick.legs().next() else { return true };
    let Some((_, value)) = look.fresh_line(leg.instrument) else { return false };
    if !pick.index.is_positive() || !reselect_move.is_positive() {
        return false;
    }
    (value.index - pick.index).abs().over(pick.index, Rounding::HalfUp) >= reselect_move
}

/// True if the pick fits the operator's range at this moment; `None` while its values are not fresh.
pub(super) fn is_eligible(look: &Look<'_>, pick: &Pick) -> Option<bool> {
    let selection = &look.params.selection;
    let mut legs = pick.legs().map(|leg| look.fresh_line(leg.instrument).map(|(_, value)| (leg, value)));
    let (first, value) = legs.next()??;
    let measure = match selection {
        Selection::Delta { .. } => value.option?.delta,
        Selection::SpreadDelta { .. } | Selection::SpreadRatio { .. } => {
            let (second, other) = legs.next()??;
            // The nearer strike carries the product's side.
            let (near, far) = if first.side == look.params.product.side() {
                ((first, value), (second, other))
            } else {
                ((second, other), (first, value))
            };
            match mark_ratio(near.1.mark, far.1.mark, near.0.strike, far.0.strike) {
                Some(ratio) => ratio,
                None => return Some(false),
            }
        }
    };
    Some(fits(selection, measure))
}
