//! R, L and P: coming back, getting on, and saying so.

use crate::base::ids::Side;
use crate::base::time::{MS, SEC};
use crate::msg::Mode;
use crate::sim::soak::Subject;
use crate::sim::soak::seen::{PERP, Seen};
use crate::sim::soak::strikes::AFTERMATH_NS;
use crate::sim::soak::words::{Method, Request};
use rust_decimal::Decimal;

/// Orders of a dead engine are gone when the next has had a session for so long.
const DEAD_NS: u64 = 10 * SEC;
/// A vault is live again so long after the last trouble: start, login, snapshot, feeds.
const BACK_NS: u64 = 20 * SEC;
/// A person has come by then.
const PERSON_NS: u64 = 13 * SEC;
/// And quotes by then.
const QUOTES_NS: u64 = 40 * SEC;

pub(super) fn the_dead_leave_nothing(seen: &Seen) -> Option<String> {
    if !seen.able_for(DEAD_NS) || seen.moments.switched.is_some() {
        return None;
    }
    let born_ms = seen.moments.alive.ms();
    let old = seen.open.iter().find(|order| order.since_ms < born_ms)?;
    let stranger = seen.strangers.iter().any(|(nonce, _)| *nonce == old.nonce);
    (!stranger).then(|| format!("{} rests since {} ms before", old.nonce, born_ms - old.since_ms))
}

/// Hedges, and collateral that pays a debt, take no risk.
pub(super) fn a_stop_outlives_the_engine(seen: &Seen) -> Option<String> {
    let takes_risk = |request: &Request| match request.method {
        Method::Execute | Method::Ask => true,
        Method::Place | Method::Replace if request.instrument == PERP => false,
        Method::Place | Method::Replace => {
            request.mmp || request.side == Side::Buy || !request.instrument.ends_with("-USDC")
        }
        Method::Cancel | Method::Other => false,
    };
    let placed = seen.sent.iter().find(|sent| sent.at >= seen.moments.alive && takes_risk(&sent.request))?;
    seen.moments
        .held_back
        .then(|| format!("{:?} {} before anybody resumed", placed.request.method, placed.request.nonce))
}

pub(super) fn comes_back(seen: &Seen) -> Option<String> {
    let calm = seen.moments.calm?;
    let since = calm.max(seen.moments.alive).max(seen.moments.resumed);
    // What the storm did may only now stop the vault; a person comes, and the time counts from then.
    let called = seen.drained_at().is_some_and(|at| at.since(calm) <= AFTERMATH_NS && seen.at.since(at) <= PERSON_NS);
    if called || seen.at.since(since) < BACK_NS {
        return None;
    }
    match &seen.last {
        None => Some("nothing was heard of the vault".to_owned()),
        Some((sample, _)) => {
            (sample.mode != Mode::Live).then(|| format!("{:?} after {} ms", sample.mode, seen.at.since(since) / MS))
        }
    }
}

/// Delta-1 vaults have a bid or an offer to make in the storms' market until they hold what they want; auctions end. What
/// they make leaves after the last trouble, or rests still.
pub(super) fn trades_again(seen: &Seen) -> Option<String> {
    let since = seen.moments.calm?.max(seen.moments.alive).max(seen.moments.resumed);
    let quiet_ns = seen.at.since(since.max(seen.moments.quoted));
    let rests = seen.open.iter().any(|order| order.instrument != PERP);
    if seen.subject != Subject::Basis || quiet_ns < QUOTES_NS || rests || holds_what_it_wants(seen) {
        return None;
    }
    Some(format!("no quote in {} ms, {} ms after the last trouble", quiet_ns / MS, seen.at.since(since) / MS))
}

/// Its leverage is nearly one, or nearly what carry is worth.
fn holds_what_it_wants(seen: &Seen) -> bool {
    let Some((leverage, clip)) = seen.rules.target else { return false };
    let Some(value) = seen.books.value.checked_div(seen.base_mark) else { return false };
    let held = seen.books.balances.get(seen.collateral).copied().unwrap_or_default();
    [Decimal::ONE, leverage].iter().any(|target| (held - value * target).abs() <= clip / Decimal::TWO)
}

pub(super) fn says_why(seen: &Seen) -> Option<String> {
    seen.moments.stopped_unsaid.map(|mode| format!("{mode:?} without a word"))
}
