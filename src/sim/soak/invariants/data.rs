//! D: what is done with prices and time; and the engine's own assertions.

use super::orders::deaf_ns;
use crate::actors::risk::Notice;
use crate::base::time::{MS, Nanos};
use crate::sim::soak::excuses;
use crate::sim::soak::seen::Seen;
use crate::sim::soak::words::Method;

pub(super) fn nothing_placed_deaf(seen: &Seen) -> Option<String> {
    let since = seen.moments.deaf?;
    let deaf_ns = deaf_ns(seen);
    let late = |sent: &&crate::sim::soak::seen::Sent| {
        matches!(sent.request.method, Method::Place | Method::Replace) && sent.at.since(since) > deaf_ns
    };
    let sent = seen.sent.iter().find(late)?;
    Some(format!("{:?} after {} ms of silence", sent.request.method, sent.at.since(since) / MS))
}

pub(super) fn time_never_falls(seen: &Seen) -> Option<String> {
    let spent = seen.spent.iter().find(|spent| spent.at < spent.before);
    if let Some(spent) = spent {
        return Some(format!("sealed at {:?} after {:?}", spent.at, spent.before));
    }
    let mut last = Nanos::ZERO;
    let samples = seen.heard.iter().filter_map(|notice| match notice {
        Notice::Sample { sample, .. } => Some(sample.at),
        _ => None,
    });
    for at in samples {
        if at < last {
            return Some(format!("{at:?} after {last:?}"));
        }
        last = at;
    }
    None
}

pub(super) fn queue_twin_agrees(seen: &Seen) -> Option<String> {
    seen.twins.differs.queue.clone()
}

pub(super) fn book_twin_agrees(seen: &Seen) -> Option<String> {
    seen.twins.differs.book.clone()
}

pub(super) fn option_twin_agrees(seen: &Seen) -> Option<String> {
    seen.twins.differs.options.clone()
}

/// A stop has its alarm just before it ([`super::recovery::says_why`]), which is judged here.
pub(super) fn no_alarm(seen: &Seen) -> Option<String> {
    seen.heard.iter().find_map(|notice| match notice {
        Notice::Alarm { alarm, .. } if excuses::cause(alarm, seen).is_none() => Some(format!("{alarm:?}")),
        _ => None,
    })
}
