//! Trace: where a message's time went.

use crate::base::time::Nanos;
use std::hash::{Hash, Hasher};

/// A place on the pipeline at which a message is stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// The frame's last byte was read from the socket.
    FrameIn,
    /// `market_data` (or `gateway`) understood it.
    Decoded,
    /// `pricing` emitted a value.
    Priced,
    /// `auction` emitted an intent.
    Decided,
    /// `risk` approved it.
    Approved,
    /// `signer` released the signature.
    Signed,
    /// `gateway` handed the frame to the socket.
    FrameOut,
}

/// Number of [`Stage`]s.
pub const STAGES: usize = 7;

/// What set a chain of messages off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// Time passed.
    #[default]
    Timer,
    /// A public or external market-data frame.
    Market,
    /// A private frame (fill, order, balance, reply).
    Private,
}

/// The moments at which a message passed each stage; zero where it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What set it off.
    pub cause: Cause,
    /// One moment per [`Stage`].
    pub stamps: [Nanos; STAGES],
}

impl Trace {
    /// A trace that starts with a frame read at `at`.
    pub fn from_frame(cause: Cause, at: Nanos) -> Trace {
        let mut trace = Trace { cause, ..Trace::default() };
        trace.stamps[Stage::FrameIn as usize] = at;
        trace
    }

    /// Notes the moment of a stage.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        self.stamps[stage as usize] = at;
    }

    /// The moment of a stage, zero if not passed.
    pub fn at(&self, stage: Stage) -> Nanos {
        self.stamps[stage as usize]
    }
}

/// Where time went is measured, not decided on: a digest of state leaves it out, and so a replay need not spend it again.
impl Hash for Trace {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
