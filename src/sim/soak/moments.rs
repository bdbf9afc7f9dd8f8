//! When what happened that judgements count from.

use crate::base::time::Nanos;
use crate::msg::{Mode, Tighter};

/// Moments that judgements count from.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// The engine at work was started.
    pub alive: Nanos,
    /// Prices have been silent since.
    pub deaf: Option<Nanos>,
    /// Everything was stopped, or the signer was, by an operator.
    pub stopped: Option<Nanos>,
    /// The signer's switch was thrown.
    pub switched: Option<Nanos>,
    /// A sync of the journal has failed, by the engine's clock.
    pub unsynced: Option<Nanos>,
    /// An operator has made a limit tighter, and which; it holds until a restart.
    pub tightened: Vec<(Nanos, Tighter)>,
    /// The process was told to end in order: what had stopped the vault is forgotten.
    pub ended: bool,
    /// Nothing has gone wrong since; `None` while something may.
    pub calm: Option<Nanos>,
    /// The venue's books last changed.
    pub moved: Nanos,
    /// An operator last resumed the vault.
    pub resumed: Nanos,
    /// A quote last left.
    pub quoted: Nanos,
    /// The signer has refused to give away more, which lasts for an hour and over restarts.
    pub gave_away: bool,
    /// The last thing it said was an alarm.
    pub alarmed: bool,
    /// It has stopped without saying why just before.
    pub stopped_unsaid: Option<Mode>,
    /// The engine at work is not the first.
    pub restarted: bool,
    /// An operator last told the engine at work to resume, without a look.
    pub resume_said: Option<Nanos>,
    /// The one before had stopped the vault and was killed: nobody has resumed it since.
    pub held_back: bool,
}
