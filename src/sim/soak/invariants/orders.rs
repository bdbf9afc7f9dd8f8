//! O: the lives of orders.

use crate::actors::risk::{Alarm, Notice};
use crate::base::time::{MS, SEC};
use crate::msg::Mode;
use crate::sim::soak::Subject;
use crate::sim::soak::seen::Seen;
use crate::sim::soak::words::Method;

/// Prices silent for this long: the engine's own patience with a perp or with options, and time to notice and to cancel.
pub(super) const DEAF_NS: [u64; 2] = [2_500 * MS, 5_500 * MS];
/// After a stop, what was under way has left by then.
const STOP_NS: u64 = 10 * MS;
/// After a stop, what rested is gone by then.
const SWEPT_NS: u64 = 3 * SEC;
/// A stranger's order is found by the regular look at the account, and gone after a round trip or two.
const STRANGER_NS: u64 = 15 * SEC;
/// Clocks may differ by so much, and a request may be so old, ms.
const CLOCKS_MS: u64 = 1_100;
/// After calm this long, counts agree.
const SETTLED_NS: u64 = 20 * SEC;
const RATE_LIMITED: i64 = -32_000;
/// The engine's own assertion of O4.
const UNKNOWN_ROW: u8 = 1;

pub(super) fn deaf_ns(seen: &Seen) -> u64 {
    DEAF_NS[usize::from(seen.subject != Subject::Basis)]
}

pub(super) fn counts_what_rests(seen: &Seen) -> Option<String> {
    let (sample, _) = seen.last.as_ref()?;
    let settled = seen.moments.calm.is_some_and(|calm| seen.at.since(calm) > SETTLED_NS);
    // What the engine counts may be on its way in or out; what rests and is not counted is the danger.
    let rests_s = seen.open.iter().filter(|order| seen.at.ms().saturating_sub(order.since_ms) > 1_000).count();
    (settled && seen.able_for(SETTLED_NS) && rests_s > usize::from(sample.live))
        .then(|| format!("{rests_s} rest, {} are counted", sample.live))
}

pub(super) fn fills_once(seen: &Seen) -> Option<String> {
    let again = seen.booked.iter().find(|booked| booked.again).map(|_| "a trade was booked again".to_owned());
    let beyond = || {
        let over = seen.booked.iter().find(|booked| booked.filled.1.is_some_and(|amount| booked.filled.0 > amount))?;
        Some(format!("{} filled of {:?}", over.filled.0, over.filled.1))
    };
    again.or_else(beyond)
}

/// Judged only while cancels can get through.
pub(super) fn nothing_rests_deaf(seen: &Seen) -> Option<String> {
    let since = seen.moments.deaf?;
    let (deaf_ns, silent_ns) = (deaf_ns(seen), seen.at.since(since));
    let able = seen.able_for(deaf_ns) && seen.private_up < since;
    let halted = seen.drained_at().is_some();
    (able && !halted && silent_ns > deaf_ns && !seen.open.is_empty() && seen.strangers.is_empty())
        .then(|| format!("{} orders after {} ms", seen.open.len(), silent_ns / MS))
}

pub(super) fn unknown_ends(seen: &Seen) -> Option<String> {
    let alarm = |notice: &&Notice| matches!(notice, Notice::Alarm { alarm: Alarm::Invariant { row: UNKNOWN_ROW }, .. });
    seen.heard.iter().find(alarm).map(|_| "still unknown after its time".to_owned())
}

pub(super) fn one_per_side(seen: &Seen) -> Option<String> {
    let ours = |nonce: u64| !seen.strangers.iter().any(|(stranger, _)| *stranger == nonce);
    let twin = |place: usize| {
        let order = &seen.open[place];
        seen.open[..place].iter().any(|other| {
            other.instrument == order.instrument && other.side == order.side && ours(other.nonce) && ours(order.nonce)
        })
    };
    let place = (0..seen.open.len()).find(|place| twin(*place))?;
    Some(format!("two rest in {}", seen.open[place].instrument))
}

pub(super) fn name_used_once(seen: &Seen) -> Option<String> {
    seen.sent.iter().find(|sent| sent.reused).map(|sent| sent.request.nonce.to_string())
}

pub(super) fn cancels_get_through(seen: &Seen) -> Option<String> {
    let refused = seen.refused.iter().find(|refused| refused.letter == 'c' && refused.code == RATE_LIMITED)?;
    Some(refused.text.clone())
}

pub(super) fn stop_stops(seen: &Seen) -> Option<String> {
    let stopped = seen.moments.stopped?;
    let late =
        |sent: &&crate::sim::soak::seen::Sent| sent.request.method.is_signed() && sent.at.since(stopped) > STOP_NS;
    if let Some(sent) = seen.sent.iter().find(late) {
        return Some(format!("{:?} {} ms after the stop", sent.request.method, sent.at.since(stopped) / MS));
    }
    let swept = seen.at.since(stopped) > SWEPT_NS && seen.able_for(SWEPT_NS);
    let ours = seen.open.iter().filter(|order| !seen.strangers.iter().any(|(nonce, _)| *nonce == order.nonce)).count();
    (swept && ours > 0).then(|| format!("{ours} rest {} ms after the stop", seen.at.since(stopped) / MS))
}

pub(super) fn short_lived(seen: &Seen) -> Option<String> {
    let rules = &seen.rules;
    let wrong = |sent: &&crate::sim::soak::seen::Sent| {
        let request = &sent.request;
        let resting = matches!(request.method, Method::Place | Method::Replace);
        let late =
            resting && (request.reject_ms == 0 || request.reject_ms > sent.at.ms() + rules.reject_after_ms + CLOCKS_MS);
        let long = request.method.is_signed() && request.expires_s > sent.at.secs() + rules.order_life_s + 3;
        late || long
    };
    let sent = seen.sent.iter().find(wrong)?;
    let (reject_ms, expires_s) = (sent.request.reject_ms as i128 - sent.at.ms() as i128, sent.request.expires_s);
    Some(format!("rejected after {reject_ms} ms, signed until {expires_s} at {}", sent.at.secs()))
}

pub(super) fn strangers_go(seen: &Seen) -> Option<String> {
    let (nonce, since) = seen.strangers.first()?;
    let long = seen.at.since(*since) > STRANGER_NS && seen.able_for(STRANGER_NS) && seen.moments.switched.is_none();
    let quiet = !matches!(seen.last, Some((sample, _)) if sample.mode == Mode::Drain || sample.mode == Mode::Halted);
    (long && quiet).then(|| format!("{nonce} rests after {} ms", seen.at.since(*since) / MS))
}

pub(super) fn looks_before_it_trades(seen: &Seen) -> Option<String> {
    let blind = seen.sent.iter().find(|sent| sent.blind)?;
    Some(format!("{:?} in a session in which the account was not listed", blind.request.method))
}
