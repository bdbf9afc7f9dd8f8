//! An option vault's place at the auction: the listed chain, the account, the talk with makers, the strategy.

use super::{Out, Pulpit};
use crate::base::ids::{InstrumentId, Name, Right, VaultId};
use crate::base::time::{MS, Nanos};
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{Account, Milestone, Talk, Trace, Value};
use crate::strategy::options::{ChainLine, OptionVault, OptionView, State};

/// Between two looks that nothing but time asks for.
const LOOK_NS: u64 = 10 * MS;
/// Options of one currency and right that may be listed at once: ten expiries of a wide grid.
const CHAIN_MAX: usize = 512;

/// What identifies an option vault at the auction.
#[derive(Clone, Copy, Debug, Hash)]
pub struct OptionSeatTerms {
    /// Vault.
    pub vault: VaultId,
    /// Spot instrument of its collateral.
    pub base_instrument: Instrument,
    /// Currency of its options.
    pub currency: Name,
    /// Right of its options.
    pub right: Right,
    /// The phase the journal remembers.
    pub remembered: Option<Milestone>,
}

/// One option vault and what it knows.
#[derive(Debug, Hash)]
pub struct OptionSeat {
    pulpit: Pulpit,
    terms: OptionSeatTerms,
    strategy: OptionVault,
    state: State,
    base: Option<Value>,
    account: Option<Account>,
    talk: Talk,
    chain: Vec<ChainLine>,
    looked_at: Nanos,
}

impl OptionSeat {
    /// A seat that has heard nothing yet.
    pub fn new(terms: OptionSeatTerms, strategy: OptionVault) -> OptionSeat {
        OptionSeat {
            pulpit: Pulpit::new(terms.vault),
            terms,
            strategy,
            state: State::default(),
            base: None,
            account: None,
            talk: Talk { vault: terms.vault, ..Talk::default() },
            chain: Vec::with_capacity(CHAIN_MAX),
            looked_at: Nanos::ZERO,
        }
    }

    pub(super) fn on_listing(&mut self, listing: &Listing) {
        match listing {
            Listing::Delisted { id } => self.chain.retain(|line| line.instrument.id != *id),
            Listing::Listed { instrument, .. } => self.list(instrument),
        }
    }

    /// Takes an instrument into the chain; what its place held before is gone.
    fn list(&mut self, instrument: &Instrument) {
        let ours = instrument.base_currency == self.terms.currency
            && instrument.option.is_some_and(|option| option.right == self.terms.right);
        let place = self.place(instrument.id);
        match place {
            Some(place) if ours && self.chain[place].instrument.name == instrument.name => {
                self.chain[place].instrument = *instrument;
            }
            Some(place) if ours => self.chain[place] = ChainLine { instrument: *instrument, value: None },
            Some(place) => {
                self.chain.swap_remove(place);
            }
            None if ours && self.chain.len() < CHAIN_MAX => {
                self.chain.push(ChainLine { instrument: *instrument, value: None });
            }
            None => {}
        }
    }

    fn place(&self, id: InstrumentId) -> Option<usize> {
        self.chain.iter().position(|line| line.instrument.id == id)
    }

    pub(super) fn on_value(&mut self, at: Nanos, value: &Value, out: &mut Out) {
        if value.instrument == self.terms.base_instrument.id {
            self.base = Some(*value);
        } else if let Some(place) = self.place(value.instrument) {
            self.chain[place].value = Some(*value);
        } else {
            return;
        }
        self.look(at, value.trace, out);
    }

    pub(super) fn on_account(&mut self, at: Nanos, account: &Account, out: &mut Out) {
        if account.vault == self.terms.vault {
            self.account = Some(*account);
            self.look(at, account.trace, out);
        }
    }

    pub(super) fn on_talk(&mut self, at: Nanos, talk: &Talk, out: &mut Out) {
        if talk.vault == self.terms.vault {
            self.talk = *talk;
            self.look(at, Trace::default(), out);
        }
    }

    pub(super) fn on_tick(&mut self, at: Nanos, trace: Trace, out: &mut Out) {
        if at.since(self.looked_at) >= LOOK_NS {
            self.look(at, trace, out);
        }
    }

    /// Looks once, unless the last wish is still unanswered.
    fn look(&mut self, at: Nanos, trace: Trace, out: &mut Out) {
        let (Some(account), Some(base)) = (&self.account, &self.base) else { return };
        if self.pulpit.waits(account, at) {
            return;
        }
        self.looked_at = at;
        let view = OptionView {
            account,
            talk: &self.talk,
            base,
            base_instrument: &self.terms.base_instrument,
            chain: &self.chain,
            remembered: self.terms.remembered.as_ref(),
        };
        if let Some(act) = self.strategy.intent(&mut self.state, &view, at) {
            self.pulpit.say(account, at, trace, act, out);
        }
    }
}
