//! K: nonces, signatures and the journal before the wire.

use crate::base::time::{MS, SEC};
use crate::msg::Tighter;
use crate::sim::soak::Subject;
use crate::sim::soak::excuses;
use crate::sim::soak::seen::{PERP, Seen, Sent};
use crate::sim::soak::words::Method;

/// Our clock and the venue's may differ by a second, and a burst may use the next.
const NONCE_OFF_NS: u64 = 2 * SEC + 200 * MS;
/// What an operator says is heard by then, however slow the engine's turns.
const HEARD_NS: u64 = 5 * SEC;
/// What was under way when the switch was thrown.
const SWITCH_NS: u64 = 10 * MS;
/// Nonce out of its window, signature expiry out of its window, reject time passed.
const MOMENTS: [i64; 3] = [11_018, 11_011, 11_022];

pub(super) fn mandate_twin_agrees(seen: &Seen) -> Option<String> {
    seen.twins.differs.mandate.clone()
}

pub(super) fn nonces_rise(seen: &Seen) -> Option<String> {
    let sealed = seen.spent.iter().find(|spent| spent.nonce <= spent.floor);
    let sealed = sealed.map(|spent| format!("{} after {} in the journal", spent.nonce, spent.floor));
    let signed = |sent: &&Sent| sent.request.method.is_signed();
    let wire = || seen.sent.iter().filter(signed).find(|sent| sent.request.nonce <= sent.floor && !sent.reused);
    sealed.or_else(|| wire().map(|sent| format!("{} after {} on the wire", sent.request.nonce, sent.floor)))
}

pub(super) fn nonces_are_now(seen: &Seen) -> Option<String> {
    let far = |sent: &&Sent| sent.request.method.is_signed() && sent.request.nonce.abs_diff(sent.at.0) > NONCE_OFF_NS;
    seen.sent.iter().find(far).map(|sent| format!("{} at {:?}", sent.request.nonce, sent.at))
}

pub(super) fn never_our_fault(seen: &Seen) -> Option<String> {
    let unexplained = seen.refused.iter().find(|refused| excuses::is_our_fault(refused.code))?;
    Some(unexplained.text.clone())
}

pub(super) fn sized(seen: &Seen) -> Option<String> {
    let large = |sent: &&Sent| {
        let request = &sent.request;
        let option = request.instrument.ends_with("-C") || request.instrument.ends_with("-P");
        let plain = matches!(request.method, Method::Place | Method::Replace) && !option;
        plain && request.price * request.amount > seen.rules.notional_max
    };
    let sent = seen.sent.iter().find(|sent| large(sent) || is_beyond_zero(seen, sent))?;
    Some(format!("{} at {}", sent.request.amount, sent.request.price))
}

/// True for an order of a kind whose limit an operator has set to zero.
fn is_beyond_zero(seen: &Seen, sent: &Sent) -> bool {
    let request = &sent.request;
    let option = request.instrument.ends_with("-C") || request.instrument.ends_with("-P");
    let placed = matches!(request.method, Method::Place | Method::Replace);
    let limited = |to: Tighter| match to {
        Tighter::QuoteAmount(_) => seen.subject == Subject::Basis && request.mmp,
        Tighter::OptionAmount(_) => request.method == Method::Execute || (placed && option),
        Tighter::CollateralAmount(_) => seen.subject != Subject::Basis && placed && !option,
        Tighter::Notional(_) => request.method == Method::Execute || (placed && request.instrument != PERP),
        _ => false,
    };
    seen.moments.tightened.iter().any(|(at, to)| limited(*to) && sent.at.since(*at) > HEARD_NS)
}

pub(super) fn expiry_in_window(seen: &Seen) -> Option<String> {
    let refused = seen.refused.iter().find(|refused| MOMENTS.contains(&refused.code))?;
    Some(refused.text.clone())
}

pub(super) fn wiped_signs_nothing(seen: &Seen) -> Option<String> {
    let switched = seen.moments.switched?;
    let late = |sent: &&Sent| sent.request.method.is_signed() && sent.at.since(switched) > SWITCH_NS;
    seen.sent.iter().find(late).map(|sent| format!("{} ms after the switch", sent.at.since(switched) / MS))
}

pub(super) fn journal_before_wire(seen: &Seen) -> Option<String> {
    seen.sent.iter().find(|sent| !sent.journaled).map(|sent| format!("{} is not in the journal", sent.request.nonce))
}

pub(super) fn failed_sync_stops(seen: &Seen) -> Option<String> {
    let since = seen.moments.unsynced?;
    let sealed = seen.spent.iter().find(|spent| spent.at > since)?;
    Some(format!("{} sealed {} ms after a sync failed", sealed.nonce, sealed.at.since(since) / MS))
}
