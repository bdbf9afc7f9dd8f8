//! The four option vaults: one weekly lifecycle, two kinds of auction, three ways to choose instruments.
//!
//! Rules: strategy specification §1.0 to §1.5. It halts on positions it would not have made; it never trades them away.

pub mod params;

use crate::base::num::Amount;
use crate::market::instrument::Instrument;
use crate::msg::{Account, Milestone, Talk, Value};

/// One instrument of the listed chain, with what pricing last said of it.
#[derive(Clone, Copy, Debug)]
pub struct ChainLine {
    /// The instrument.
    pub instrument: Instrument,
    /// Its value, once heard.
    pub value: Option<Value>,
}

/// All an option vault may look at.
pub struct OptionView<'a> {
    /// The vault's account.
    pub account: &'a Account,
    /// Its conversation with makers.
    pub talk: &'a Talk,
    /// Value of the collateral.
    pub base: &'a Value,
    /// The collateral's spot instrument.
    pub base_instrument: &'a Instrument,
    /// Listed options of the vault's currency and right, every expiry, in no particular order.
    pub chain: &'a [ChainLine],
    /// The phase the journal remembers, if any.
    pub remembered: Option<&'a Milestone>,
}

impl OptionView<'_> {
    /// The line of an instrument.
    pub fn line(&self, id: crate::base::ids::InstrumentId) -> Option<&ChainLine> {
        self.chain.iter().find(|line| line.instrument.id == id)
    }

    /// Signed size held of an instrument.
    pub fn held(&self, id: crate::base::ids::InstrumentId) -> Amount {
        self.account.held.iter().flatten().find(|held| held.instrument == id).map_or(Amount::ZERO, |held| held.amount)
    }
}
