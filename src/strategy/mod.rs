//! What a vault wants. A strategy is a pure function of its state, a view and a moment; it knows no venue, nonce or socket.

pub mod basis;
pub mod options;

use crate::base::time::Nanos;
use crate::market::instrument::Instrument;
use crate::msg::{Account, Act, Value};

/// All a strategy may look at.
pub struct View<'a> {
    /// The vault's account.
    pub account: &'a Account,
    /// Value of the base instrument.
    pub base: &'a Value,
    /// Value of the perp.
    pub perp: &'a Value,
    /// The base instrument.
    pub base_instrument: &'a Instrument,
    /// The perp.
    pub perp_instrument: &'a Instrument,
}

/// The same state, view and moment give the same wish, on any day, on any machine.
pub trait Strategy {
    /// What must be remembered between two looks.
    type State: Copy;

    /// At most one wish; called again until it has none.
    fn intent(&self, state: &mut Self::State, view: &View<'_>, at: Nanos) -> Option<Act>;
}
