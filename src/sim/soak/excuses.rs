//! What follows from what has happened, and is therefore no violation: each waiver names its cause, and all are counted.

use super::invariants::OFF_GRID;
use super::seen::Seen;
use crate::actors::risk::Alarm;
use crate::base::time::SEC;
use crate::msg::{Breach, Tighter};
use crate::sim::venue::faults::Fault;
use rust_decimal::Decimal;

/// A fault explains what comes of it for so long: two regular looks at the account, and a restart.
const AFTERMATH_NS: u64 = 45 * SEC;
/// What it leaves behind explains for the whole of a run: an order without a record, a difference that nobody has looked
/// at, a budget that shrank.
const FOR_GOOD: u64 = u64::MAX;
/// A clock that was set wrong stays so until the next start; a text under way tells of it once more.
const CLOCK_NS: u64 = 10 * SEC;

/// A new price has arrived by then, however slow the line.
const TICKER_NS: u64 = 3 * SEC;

/// Private texts that were lost, or changed beyond reading, leave differences nothing explains; so does a venue that
/// takes back what it had told.
const DIFFERENCES: [Fault; 6] = [
    Fault::ReplyLost,
    Fault::PrivateSilent,
    Fault::ReplyGarbled,
    Fault::ReplyHollow,
    Fault::ReplyMisnamed,
    Fault::RolledBack,
];
/// Orders that the journal no longer knows, or never did. A fill whose name cannot be read is nobody's.
const STRANGERS: [Fault; 4] = [Fault::ForeignOrder, Fault::TailLost, Fault::JournalLost, Fault::ReplyHollow];
/// Prices that were not so, and value that came or went.
const PRICES: [Fault; 5] =
    [Fault::PriceOff, Fault::Deposited, Fault::Depegged, Fault::StableDepegged, Fault::RolledBack];
/// A token, what it wraps and what it is paid in, apart.
const PEGS: [Fault; 3] = [Fault::Depegged, Fault::StableDepegged, Fault::PriceOff];
/// The venue cancels what rests when its connection goes, and an engine that is gone does not hear how much had filled.
const UNHEARD: [Fault; 7] = [
    Fault::AllCut,
    Fault::PrivateCut,
    Fault::HalfCut,
    Fault::Killed,
    Fault::KilledAfterRequest,
    Fault::KilledBeforeRequest,
    Fault::KilledBetween,
];
/// What the vault really lost by, or seems to have. One wrong price is none of it: budgets wait until a mark is believed.
const LOSSES: [Fault; 4] = [Fault::Deposited, Fault::Depegged, Fault::StableDepegged, Fault::RolledBack];
/// After these the venue's trades and marks are no measure of what the vault knew it had given up.
const FORGIVING: [Fault; 4] = [Fault::Depegged, Fault::StableDepegged, Fault::RolledBack, Fault::JournalLost];
/// What an option is worth by its ticker jumps, and a trade just made with it.
pub(super) const OPTION_PRICES: [Fault; 2] = [Fault::VolOff, Fault::ForwardBelow];
/// A journal that cannot grow, or cannot be relied on, signs nothing.
pub(super) const DISKS: [Fault; 3] = [Fault::DiskFull, Fault::DiskSlow, Fault::SyncFails];
/// With these the engine knows no better what time it is at the venue.
const CLOCKS: [Fault; 5] = [Fault::TimeJumps, Fault::ClockStepped, Fault::Paused, Fault::Starved, Fault::ReplyLate];
/// People who stop a vault, or everything.
const PEOPLE: [Fault; 4] = [Fault::Drained, Fault::KillSwitch, Fault::Contradicted, Fault::StoppedInOrder];
/// Requests that do not get through, and sessions that are none.
const CUT_OFF: &str = "no request could get through";

/// Codes with which a venue may refuse what was right when it left: the order is gone or filled by now, or filled further;
/// the book has moved under a post-only order or away from one that must trade; an RFQ or its quote is over; the protection
/// of makers is on.
const RACES: [i64; 13] =
    [11_003, 11_004, 11_005, 11_006, 11_008, 11_009, 11_014, 11_015, 11_025, 11_028, 11_102, 11_104, 11_110];
/// Codes that invariants of their own judge: rates, moments, grids, fees, crossing oneself.
const ELSEWHERE: [i64; 10] = [-32_000, 11_018, 11_011, 11_022, 11_012, 11_013, 11_021, 12_001, 11_023, 11_007];
/// The venue has forgotten who we are, or never heard our login: cancels leave all the same, whatever the session's state.
const LOGINS: [Fault; 3] = [Fault::SessionExpired, Fault::RequestLost, Fault::PrivateSilent];
/// Its word to that.
const LOGGED_OUT: i64 = 14_021;
/// Its words to a key that is registered no more, comes from the wrong place, or has lost its scopes.
const KEYS: [i64; 4] = [LOGGED_OUT, 14_026, 14_029, 14_031];
/// Its word for an instrument that does not trade.
const NOT_LIVE: i64 = 11_021;
/// The engine has heard of it by then, and has asked for another session.
const NOTICED_NS: u64 = 15 * SEC;

/// True for a refusal that no race with the venue explains.
pub fn is_our_fault(code: i64) -> bool {
    !RACES.contains(&code) && !ELSEWHERE.contains(&code)
}

/// What an alarm follows from, if it follows from anything.
pub fn cause(alarm: &Alarm, seen: &Seen) -> Option<&'static str> {
    let of_late = |faults: &[Fault]| seen.struck_by(faults, AFTERMATH_NS);
    let ever = |faults: &[Fault]| seen.struck_by(faults, FOR_GOOD);
    match alarm {
        Alarm::Concern(_) => Some("something a person should know: nothing stops"),
        Alarm::Asked | Alarm::Retired => ever(&PEOPLE),
        // What came is in the venue's books before a late text tells of it.
        Alarm::Mismatch => of_late(&DIFFERENCES)
            .or_else(|| of_late(&[Fault::Deposited]).filter(|_| of_late(&[Fault::ReplyLate]).is_some())),
        Alarm::Foreign => ever(&STRANGERS),
        Alarm::OffPeg => of_late(&PEGS),
        Alarm::Drawdown => ever(&LOSSES).or_else(|| tightened(seen, |to| matches!(to, Tighter::Drawdown(_)))),
        Alarm::FillRate => tightened(seen, |to| matches!(to, Tighter::FillsPerMinute(_))),
        Alarm::LossBudget => {
            tightened(seen, |to| matches!(to, Tighter::LossEma(_) | Tighter::LossPerHour(_) | Tighter::LossPerDay(_)))
                .or_else(|| of_late(&OPTION_PRICES))
        }
        Alarm::ClocksApart => of_late(&CLOCKS).or_else(|| ever(&[Fault::ClockStepped])),
        Alarm::VenueHalt { code: 11_018 } => of_late(&[Fault::ClockRefused]),
        Alarm::VenueHalt { code: 11_027 } => of_late(&[Fault::Liquidating]),
        // A word of the answer to a subscription that means nothing is taken for a refusal.
        Alarm::SessionRejected { code: 0 } => of_late(&[Fault::ReplyHollow, Fault::Unsubscribed]),
        Alarm::VenueHalt { code: 16_001 } => of_late(&[Fault::AccountDisabled]),
        Alarm::VenueHalt { code } | Alarm::SessionRejected { code } if KEYS.contains(&i64::from(*code)) => {
            of_late(&[Fault::KeyLost])
        }
        // Two judges of one order have heard two prices; and after a few such orders one of them judges no more.
        Alarm::Withheld { why: Breach::Price }
        | Alarm::SignerDown { why: Breach::Halted }
        | Alarm::Withheld { why: Breach::Halted } => of_late(&PRICES),
        // What was given away to prices that were not so counts for an hour, and so does an order whose end nobody heard.
        Alarm::Withheld { why: Breach::GivenHour | Breach::GivenDay } => ever(&PRICES).or_else(|| ever(&UNHEARD)),
        Alarm::SignerDown { why: Breach::Stopped } | Alarm::Withheld { why: Breach::Stopped } => {
            ever(&[Fault::SignerStopped])
        }
        Alarm::SignerDown { why: Breach::Journal } | Alarm::Withheld { why: Breach::Journal } => ever(&DISKS),
        Alarm::StoppedBefore { .. } => seen.moments.restarted.then_some("what had stopped the vault was judged then"),
        // Judged by O4, which knows whether the venue could be reached.
        Alarm::Invariant { row: 1 } => Some("judged by unknown-ends"),
        _ => None,
    }
}

/// What an operator has done since the engine's start who made a limit tighter, if it is one of these.
fn tightened(seen: &Seen, one_of: fn(Tighter) -> bool) -> Option<&'static str> {
    seen.moments.tightened.iter().any(|(_, to)| one_of(*to)).then_some(Fault::TightenedToZero.name())
}

/// True once it has lost half of what it may in an hour: deaths and doubt may have added the rest.
fn has_lost(seen: &Seen) -> bool {
    let limit = seen.rules.loss_bps.map(|bps| seen.books.value * Decimal::from(bps) / Decimal::from(2 * 10_000));
    limit.is_some_and(|limit| seen.lost >= limit)
}

/// Why what an invariant has found is none of the engine's doing, if so.
pub fn of(invariant: &str, seen: &Seen) -> Option<&'static str> {
    match invariant {
        // What was granted on the fill that was taken back is found out by the next look at the account.
        "worst-case-covered" | "shorts-covered" | "delta-one" => seen.struck_by(&[Fault::RolledBack], AFTERMATH_NS),
        // What was taken back is in no record of trades any more, and what hedged it is.
        "hedges-are-needed" => seen.struck_by(&[Fault::RolledBack], FOR_GOOD),
        // What left before the next ticker had arrived was priced by the last one.
        "priced-near" => seen.struck_by(&[Fault::Depegged, Fault::StableDepegged], TICKER_NS),
        // Marks that were not so, and trades that were taken back, say nothing of what was given up. A start on an empty
        // journal knows of no loss.
        "loses-within-its-limit" => seen.struck_by(&FORGIVING, FOR_GOOD),
        "trades-again" => has_lost(seen).then_some("the hour's losses are near their limit"),
        "comes-back" => seen.moments.gave_away.then_some("the hour's give-away is spent"),
        // A budget that shrinks below what was spent already refuses until the window has passed.
        "cancels-get-through" => seen.struck_by(&[Fault::TierCut], FOR_GOOD),
        "expiry-in-window" => seen
            .struck_by(&CLOCKS, CLOCK_NS)
            .or_else(|| seen.struck_by(&[Fault::ClockStepped, Fault::TimeJumps], AFTERMATH_NS)),
        "never-our-fault" => {
            let only =
                |codes: &[i64]| seen.refused.iter().all(|one| codes.contains(&one.code) || !is_our_fault(one.code));
            let logins = seen.struck_by(&LOGINS, NOTICED_NS).filter(|_| only(&[LOGGED_OUT]));
            logins.or_else(|| seen.struck_by(&[Fault::KeyLost], NOTICED_NS).filter(|_| only(&KEYS)))
        }
        "on-grid" => {
            let only_closed = seen.refused.iter().all(|one| one.code == NOT_LIVE || !OFF_GRID.contains(&one.code));
            seen.struck_by(&[Fault::Deactivated], NOTICED_NS).filter(|_| only_closed)
        }
        // An answer with a wrong time was believed by a clock that was wrong already.
        "short-lived" => {
            seen.struck_by(&[Fault::TimeJumps], CLOCK_NS).filter(|_| seen.struck(Fault::ClockStepped, FOR_GOOD))
        }
        // A list that lost a field of no weight on the way was heard, but not as it was said.
        "looks-before-it-trades" => seen.struck_by(&[Fault::ReplyHollow], CLOCK_NS),
        // A venue that answers nothing leaves everything open, and O4 counts from when it can be reached.
        "unknown-ends" => {
            let reachable = seen.able_for(6 * SEC) && seen.at.since(seen.reply_hurt) > 6 * SEC;
            (!reachable).then_some(CUT_OFF)
        }
        _ => None,
    }
}
