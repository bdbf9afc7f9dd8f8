//! What the contract says of itself, held against the signature that is thought to be live.

use super::words::{Action, Alarm, Facts, Why, Word};
use super::{Presign, Stage, Told};

impl Presign {
    pub(super) fn on_facts(&mut self, facts: Facts, out: &mut Vec<Action>) {
        let before = self.facts.replace(facts);
        let alarms = [
            (before.is_none_or(|old| old.disabled != facts.disabled) && (before.is_some() || facts.disabled))
                .then_some(Alarm::Disabled(facts.disabled)),
            (before.is_none_or(|old| old.blocked != facts.blocked) && (before.is_some() || facts.blocked))
                .then_some(Alarm::Blocked(facts.blocked)),
            (before.is_none_or(|old| old.listed != facts.listed) && (before.is_some() || !facts.listed))
                .then_some(Alarm::Listed(facts.listed)),
        ];
        let stale = self.stale(&facts);
        let turned = (std::mem::replace(&mut self.stale_told, stale) != stale).then_some(Alarm::StalePrice(stale));
        out.extend(alarms.into_iter().flatten().chain(turned).map(|alarm| Action::Say(Word::Alarm(alarm))));
        // A price on its way to the feed changes nothing of the contract.
        if self.lane.quiet_beside(self.refresh.tx()) {
            self.weigh(facts, out);
        }
    }

    /// Whether a signature made soon would read a price that is too old.
    pub(super) fn stale(&self, facts: &Facts) -> bool {
        facts.feed.is_some_and(|feed| self.is_short(feed.answers_until_s()))
    }

    /// Whether a feed that answers until this second is silent too soon, Unix seconds.
    pub(super) fn is_short(&self, until_s: u64) -> bool {
        until_s < self.head().map_or(0, |head| head.time_s.saturating_add(self.terms.feed_spare_s))
    }

    /// Holds a signature in a block against what the contract says of it.
    fn weigh(&mut self, facts: Facts, out: &mut Vec<Action>) {
        let Stage::Live(live) = &mut self.stage else { return };
        if facts.block < live.since {
            return;
        }
        let ticket = live.held.ticket;
        let ours = facts.live && facts.last_seen == live.held.digest;
        let stopped = match (facts.disabled, facts.blocked) {
            (true, _) => Some(Why::Disabled),
            (_, true) => Some(Why::Blocked),
            _ => None,
        };
        match (live.told, ours, stopped) {
            (Told::Nothing, false, _) => {
                out.push(Action::Say(Word::Refused(ticket, Why::OtherHash(facts.last_seen))));
                self.stage = Stage::Clear;
            }
            (_, false, _) => {
                out.push(Action::Say(Word::Lost(ticket)));
                self.stage = Stage::Clear;
            }
            (Told::Nothing, true, Some(why)) => {
                out.push(Action::Say(Word::Refused(ticket, why)));
                live.revoke = true;
            }
            (Told::Signed, true, Some(_)) => {
                out.push(Action::Say(Word::Suspended(ticket)));
                live.told = Told::Suspended;
            }
            (Told::Nothing | Told::Suspended, true, None) if !live.revoke => {
                let (digest, block) = (live.held.digest, live.since);
                out.push(Action::Say(Word::Signed { ticket, digest, block }));
                live.told = Told::Signed;
            }
            _ => {}
        }
    }
}
