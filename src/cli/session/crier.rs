//! What is said aloud while a run goes on.

use super::LOOK;
use crate::engine::core::Pulse;
use crate::io::quarantine::Quarantine;
use crate::ops::news::News;

/// Looks in a row at which a core may stand still before it is said.
const STILL_MAX: u32 = 10;

/// Messages kept out that are said one by one.
const EACH_MAX: u64 = 10;

/// Says every alarm aloud, once, within the time the run is looked at.
#[derive(Default)]
pub(super) struct Crier {
    /// Alarms of each vault that have been said.
    said: Vec<usize>,
    /// Alarms of each vault's keeper that have been said.
    kept: Vec<usize>,
    /// The end of the signer, which every vault reports, has been said.
    signer: bool,
    /// Looks in a row at which a core stood still.
    still: u32,
    /// Messages kept out when that was said last.
    guarded: u64,
}

impl Crier {
    /// A core that stands still is said aloud once it has for a second; its sentry does what is to be done.
    pub(super) fn feel(&mut self, pulse: &mut Pulse) {
        self.still = if pulse.beats() { 0 } else { self.still.saturating_add(1) };
        if self.still == STILL_MAX {
            eprintln!(
                "keel: alarm: a core of the pipeline has stood still for {STILL_MAX} looks of {} ms",
                LOOK.as_millis()
            );
        }
    }

    /// Says that messages of the quarantine came again: what they would have told is not known. Once for each that comes,
    /// until there are many.
    pub(super) fn guard(&mut self, quarantine: &Quarantine) {
        let refused = quarantine.refused();
        if refused > self.guarded && (refused <= EACH_MAX || refused >= 2 * self.guarded) {
            self.guarded = refused;
            eprintln!("keel: alarm: a message in quarantine came again and was kept out ({refused} so far)");
        }
    }

    /// Says the alarms that are new.
    pub(super) fn cry(&mut self, names: &[String], news: &News) {
        if let Some(why) = news.signer_down().filter(|_| !std::mem::replace(&mut self.signer, true)) {
            eprintln!(
                "keel: alarm: nothing is signed any more ({why:?}); every vault is halted, every order cancelled"
            );
        }
        self.said.resize(news.vaults().len(), 0);
        self.kept.resize(news.vaults().len(), 0);
        for ((vault, (said, kept)), name) in
            news.vaults().iter().zip(self.said.iter_mut().zip(&mut self.kept)).zip(names)
        {
            for (_, alarm) in new(&vault.alarms, said) {
                eprintln!("keel: alarm: {name}: {}", alarm.words());
            }
            let keeper = vault.keeper.as_ref().map_or(&[][..], |keeper| &keeper.alarms);
            for alarm in new(keeper, kept) {
                eprintln!("keel: alarm: {name}: keeper of its shares: {alarm}");
            }
        }
    }
}

/// What has not been said yet; from now on it has been.
fn new<'a, A>(alarms: &'a [A], said: &mut usize) -> &'a [A] {
    let from = std::mem::replace(said, alarms.len());
    &alarms[from.min(alarms.len())..]
}
