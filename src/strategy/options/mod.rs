//! The four option vaults: one weekly lifecycle, two kinds of auction, three ways to choose instruments.
//!
//! Rules: strategy specification §1.0 to §1.5. It halts on positions it would not have made; it never trades them away.

pub mod amend;
pub mod budget;
pub mod collateral_auction;
mod lifecycle;
pub mod limit_auction;
mod option_auction;
pub mod params;
mod position;
mod recovery;
mod resting;
pub mod rfq_auction;
pub mod schedule;
pub mod selector;
mod state;

use crate::base::ids::InstrumentId;
use crate::base::num::Amount;
use crate::base::time::Nanos;
use crate::market::instrument::Instrument;
use crate::msg::{Account, Act, Concern, Milestone, Mode, Phase, Talk, Value};
use crate::strategy::options::params::{AuctionTerms, OptionParams};
use crate::strategy::options::selector::{Chain, is_fresh};

pub use crate::strategy::options::state::State;

/// One instrument of the listed chain, with what pricing last said of it.
#[derive(Clone, Copy, Debug, Hash)]
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
    pub fn line(&self, id: InstrumentId) -> Option<&ChainLine> {
        self.chain.iter().find(|line| line.instrument.id == id)
    }

    /// Signed size held of an instrument.
    pub fn held(&self, id: InstrumentId) -> Amount {
        self.account.held.iter().flatten().find(|held| held.instrument == id).map_or(Amount::ZERO, |held| held.amount)
    }
}

/// One look.
struct Look<'a> {
    params: &'a OptionParams,
    view: &'a OptionView<'a>,
    at: Nanos,
}

impl<'a> Look<'a> {
    /// The line of an instrument while its value may be traded on.
    fn fresh_line(&self, id: InstrumentId) -> Option<(&'a Instrument, &'a Value)> {
        let line = self.view.line(id).filter(|line| line.instrument.active)?;
        let value = line.value.as_ref().filter(|value| is_fresh(value, self.at))?;
        Some((&line.instrument, value))
    }

    /// True while the collateral's value may be traded on.
    fn base_is_fresh(&self) -> bool {
        is_fresh(self.view.base, self.at)
    }

    fn chain(&self) -> Chain<'a> {
        Chain { lines: self.view.chain, product: self.params.product, at: self.at }
    }
}

/// The strategy with its parameters.
#[derive(Clone, Copy, Debug, Hash)]
pub struct OptionVault {
    params: OptionParams,
}

impl OptionVault {
    /// With the operator's parameters.
    pub fn new(params: OptionParams) -> OptionVault {
        OptionVault { params }
    }

    /// At most one act; called again until there is none. The same state, view and moment give the same act.
    ///
    /// Orders and executions are wished only while the account is proved and live, sales of collateral that pay a debt also
    /// while it drains; otherwise what rests is taken back.
    pub fn intent(&self, state: &mut State, view: &OptionView<'_>, at: Nanos) -> Option<Act> {
        let params = &self.params;
        let maker_pause_ns = match &params.auction {
            AuctionTerms::Rfq(terms) => terms.maker_pause_ns,
            AuctionTerms::Limit(_) => 0,
        };
        if state.notice(view, params.refusal_pause_ns, maker_pause_ns, at)
            && let Some(act) = state.worry(Concern::Refused)
        {
            return Some(act);
        }
        let look = Look { params, view, at };
        let permitted = match view.account.mode {
            Mode::Live => true,
            Mode::Drain => lifecycle::may_pay(&look, state),
            Mode::Starting | Mode::Halted => false,
        };
        if !permitted || view.account.proved_at == Nanos::ZERO {
            return resting::clear(&look, state);
        }
        state.be_certain(at);
        lifecycle::step(&look, state)
    }

    /// The phase the vault is in, once a proved account has told.
    pub fn milestone(state: &State) -> Option<Milestone> {
        Some(state.milestone).filter(|milestone| milestone.phase != Phase::Boot)
    }
}

#[cfg(test)]
mod tests;
