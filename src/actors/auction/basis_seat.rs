//! A basis vault's place at the auction: its two values, its account, its strategy.

use super::{Out, Pulpit};
use crate::base::ids::VaultId;
use crate::base::time::Nanos;
use crate::market::instrument::Instrument;
use crate::msg::{Account, Trace, Value};
use crate::strategy::basis::{Basis, State};
use crate::strategy::{Strategy, View};

/// One basis vault and what it knows.
#[derive(Debug, Hash)]
pub struct BasisSeat {
    pulpit: Pulpit,
    base_instrument: Instrument,
    perp_instrument: Instrument,
    strategy: Basis,
    state: State,
    base: Option<Value>,
    perp: Option<Value>,
    account: Option<Account>,
}

impl BasisSeat {
    /// A seat that has heard nothing yet.
    pub fn new(vault: VaultId, base_instrument: Instrument, perp_instrument: Instrument, strategy: Basis) -> BasisSeat {
        BasisSeat {
            pulpit: Pulpit::new(vault),
            base_instrument,
            perp_instrument,
            strategy,
            state: State::default(),
            base: None,
            perp: None,
            account: None,
        }
    }

    pub(super) fn on_value(&mut self, at: Nanos, value: &Value, out: &mut Out) {
        if value.instrument == self.base_instrument.id {
            self.base = Some(*value);
        } else if value.instrument == self.perp_instrument.id {
            self.perp = Some(*value);
        } else {
            return;
        }
        self.look(at, value.trace, out);
    }

    pub(super) fn on_account(&mut self, at: Nanos, account: &Account, out: &mut Out) {
        if account.vault == self.pulpit.vault {
            self.account = Some(*account);
            self.look(at, account.trace, out);
        }
    }

    /// Looks once, unless the last wish is still unanswered.
    pub(super) fn look(&mut self, at: Nanos, trace: Trace, out: &mut Out) {
        let (Some(account), Some(base), Some(perp)) = (&self.account, &self.base, &self.perp) else { return };
        if self.pulpit.waits(account, at) {
            return;
        }
        let view = View {
            account,
            base,
            perp,
            base_instrument: &self.base_instrument,
            perp_instrument: &self.perp_instrument,
        };
        if let Some(act) = self.strategy.intent(&mut self.state, &view, at) {
            self.pulpit.say(account, at, trace, act, out);
        }
    }
}
