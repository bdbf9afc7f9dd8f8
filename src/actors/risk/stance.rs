//! How a vault stops and goes on: modes, and what the journal keeps of a stop, so that no death of the engine ends it.

use super::desk::Desk;
use super::notice::{Alarm, Notice};
use super::{Out, Wallet};
use crate::base::time::Nanos;
use crate::msg::{Mode, Note, Stance, StopReason};
use crate::risk::losses::Losses;
use crate::risk::order::Granted;

/// What has stopped a vault, as the next start must know it.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Stop {
    /// Why it does not trade, if so.
    why: Option<StopReason>,
    /// The same as last journaled.
    told: Option<StopReason>,
    /// An earlier run left it stopped, and that has not been said yet.
    unsaid: Option<StopReason>,
    /// The run ends: what stops a vault now is its end.
    ending: bool,
}

impl Stop {
    /// As an earlier run has left it.
    pub(super) fn inherited(why: Option<StopReason>) -> Stop {
        Stop { why, told: why, unsaid: why, ending: false }
    }

    fn because(&mut self, why: Alarm) {
        if !self.ending {
            self.why = Some(why.reason());
        }
    }
}

impl Desk {
    pub(super) fn set_mode(&mut self, mode: Mode, out: &mut Out) {
        if self.mode != mode && self.mode != Mode::Halted {
            self.mode = mode;
            out.notices.push(Notice::Mode { vault: self.vault(), mode });
        }
    }

    pub(super) fn alarm(&mut self, alarm: Alarm, out: &mut Out) {
        if matches!(alarm, Alarm::Invariant { .. }) {
            self.stats.violations += 1;
        }
        if out.notices.room() > 0 {
            out.notices.push(Notice::Alarm { vault: self.vault(), alarm });
        }
    }

    pub(super) fn drain(&mut self, why: Alarm, out: &mut Out) {
        self.demands_restart |= why.demands_restart();
        if matches!(self.mode, Mode::Live | Mode::Starting) {
            self.stop.because(why);
            self.alarm(why, out);
            self.set_mode(Mode::Drain, out);
        }
    }

    pub(super) fn halt(&mut self, why: Alarm, out: &mut Out) {
        self.demands_restart = true;
        if self.mode != Mode::Halted {
            self.stop.because(why);
            self.alarm(why, out);
            self.set_mode(Mode::Halted, out);
        }
    }

    /// Halts, with the end of every order and RFQ asked for.
    pub(super) fn stop(&mut self, at: Nanos, why: Alarm, wallet: &mut Wallet, out: &mut Out) {
        self.halt(why, out);
        self.cancel_all(at, wallet, out);
        self.unask(at, wallet, out);
    }

    /// Back to work after a drain, through a fresh reconciliation, unless what led to it demands a restart. What was lost
    /// or differed before is the person's to answer for who resumes; budgets and counts begin anew.
    pub(super) fn resume(&mut self, out: &mut Out) {
        if self.mode == Mode::Drain && !self.demands_restart {
            self.stop.why = None;
            self.foreign_seen = false;
            self.losses = Losses::default();
            (self.reconcile.differences, self.reconcile.unmarked) = Default::default();
            self.set_mode(Mode::Starting, out);
        }
    }

    /// The run ends: a drain that stops no later one. In order, it is the act of a person, which also ends what had
    /// stopped the vault; the end of an engine that has lost a thread leaves it.
    pub(super) fn end(&mut self, orderly: bool, out: &mut Out) {
        self.stop.ending = true;
        if orderly {
            self.stop.why = None;
        }
        self.drain(Alarm::Retired, out);
    }

    /// Has written down what has stopped it, or that nothing does any more. What finds no room is tried again with the
    /// next message.
    pub(super) fn journal_stop(&mut self, at: Nanos, out: &mut Out) {
        if self.stop.why != self.stop.told && out.orders.room() > 0 {
            self.stop.told = self.stop.why;
            let note = Note::Stance(Stance { at, stopped: self.stop.why });
            out.orders.push(Granted::Note { vault: self.vault(), note });
        }
    }

    /// Says once that an earlier run left it stopped.
    pub(super) fn tell_inherited(&mut self, out: &mut Out) {
        if out.notices.room() > 1
            && let Some(why) = self.stop.unsaid.take()
        {
            self.alarm(Alarm::StoppedBefore { why }, out);
            out.notices.push(Notice::Mode { vault: self.vault(), mode: self.mode });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::option_stage::*;
    use super::super::{Alarm, In, Notice};
    use crate::base::ids::Nonce;
    use crate::base::time::SEC;
    use crate::msg::{Command, Mode, Note, Product, Report, StopReason};
    use crate::risk::order::Granted;

    /// What a step has journaled of the vault's stance.
    fn noted(said: &Said) -> Vec<Option<StopReason>> {
        let stance = |granted: &Granted| match granted {
            Granted::Note { vault: VAULT, note: Note::Stance(stance) } => Some(stance.stopped),
            _ => None,
        };
        said.orders.iter().filter_map(stance).collect()
    }

    #[test]
    fn what_stops_a_vault_is_journaled_and_cleared_by_a_person() {
        let vault = VAULT;
        for (command, reason) in [
            (Command::Pause { vault }, StopReason::Asked),
            (Command::Drain { vault }, StopReason::Retired),
            (Command::Halt { vault }, StopReason::Asked),
            (Command::Kill, StopReason::Asked),
        ] {
            let mut stage = Stage::new(Product::ShortCallSpread, "0");
            assert_eq!(noted(&stage.hear(In::Command(command))), [Some(reason)], "{command:?}");
            assert_eq!(noted(&stage.hear(In::Command(command))), [], "once");
            let cleared: &[_] = if command == (Command::Pause { vault }) { &[None] } else { &[] };
            assert_eq!(noted(&stage.hear(In::Command(Command::Resume { vault }))), cleared, "{command:?}");
        }
        let mut stage = Stage::new(Product::ShortCallSpread, "0");
        assert_eq!(noted(&stage.report(Report::Stranger { subaccount: SUB })), [Some(StopReason::Foreign)]);
        assert_eq!(noted(&stage.hear(In::Command(Command::Halt { vault }))), [Some(StopReason::Asked)], "the graver");
    }

    #[test]
    fn the_end_of_a_run_stops_no_later_one_and_forgets_a_stop_only_in_order() {
        let vault = VAULT;
        let end = |orderly| In::Command(Command::End { vault, orderly });
        for (orderly, forgotten) in [(true, &[None][..]), (false, &[])] {
            let mut stage = Stage::new(Product::ShortCallSpread, "0");
            assert_eq!(noted(&stage.hear(end(orderly))), [], "nothing had stopped it");
            assert_eq!(stage.mode(), (Mode::Drain, true));
            assert_eq!(noted(&stage.hear(In::Command(Command::Kill))), [], "it ends already");
            let mut stage = Stage::new(Product::ShortCallSpread, "0");
            stage.hear(In::Command(Command::Kill));
            assert_eq!(noted(&stage.hear(end(orderly))), forgotten);
        }
    }

    #[test]
    fn a_vault_that_was_stopped_before_waits_for_a_person_and_says_so() {
        let mut stage = Stage::begin(limits(Product::ShortCallSpread), false, Nonce(0), |plan| {
            plan.stopped = Some(StopReason::Foreign);
        });
        let said = stage.tick(SEC);
        assert_eq!(said.alarms(), [Alarm::StoppedBefore { why: StopReason::Foreign }]);
        assert!(said.notices.contains(&Notice::Mode { vault: VAULT, mode: Mode::Drain }));
        stage.reconcile();
        assert_eq!(stage.mode(), (Mode::Drain, false));
        assert_eq!(stage.ask("1").asked(), None);
        let said = stage.tick(SEC);
        assert_eq!((said.alarms(), noted(&said)), (vec![], vec![]), "said once, and journaled already");
        assert_eq!(noted(&stage.hear(In::Command(Command::Resume { vault: VAULT }))), [None]);
        stage.reconcile();
        assert_eq!(stage.mode().0, Mode::Live);
    }
}
