//! Movements of capital before the envelope: read back from the bytes that will be signed, by the reader of the mandate.

use super::{Envelope, Head};
use crate::base::ids::SubaccountId;
use crate::base::time::Nanos;
use crate::derive::action;
use crate::msg::{Breach, Flow};
use crate::risk::mandate::action::Action;
use crate::risk::mandate::decode::{Module, decode};

impl Envelope {
    /// Judges a deposit or withdrawal by its envelope and data, which must be exactly one; yields what it takes out.
    pub fn judge_movement(
        &mut self,
        at: Nanos,
        flow: Flow,
        envelope: &action::Envelope,
        data: &[u8],
    ) -> Result<u128, Breach> {
        let capital = self.capital(envelope.subaccount)?;
        let (module, kind, most) = match flow {
            Flow::Deposit => (capital.deposit, Module::Deposit, capital.deposit_max),
            Flow::Withdrawal => (capital.withdrawal, Module::Withdraw, capital.withdrawal_max),
        };
        let head = Head {
            domain: self.domain,
            module: envelope.module,
            subaccount: envelope.subaccount,
            owner: envelope.owner,
            signer: envelope.signer,
            expiry_s: envelope.expiry_sec,
        };
        let place = self.judge_head(at, &head, module.ok_or(Breach::Module)?)?;
        let read = decode(kind, data, &[]).map_err(|_| Breach::Range)?;
        let (Action::Deposit(moved) | Action::Withdraw(moved)) = read.action else { return Err(Breach::Module) };
        if read.surplus > 0 {
            return Err(Breach::Range);
        }
        if moved.asset.into_array() != capital.asset {
            return Err(Breach::Instrument);
        }
        let amount = u128::try_from(moved.amount).map_err(|_| Breach::Range)?;
        if amount == 0 {
            return Err(Breach::Range);
        }
        if amount > most {
            return Err(Breach::Notional);
        }
        let withdrawn = if flow == Flow::Withdrawal { amount } else { 0 };
        let limits = self.fences[place].terms.limits;
        let spent = &mut self.fences[place].spent;
        if spent.count.sum(at) >= i128::from(limits.orders_per_minute_max) {
            return Err(Breach::Pace);
        }
        let day = spent.withdrawn.sum(at).saturating_add(i128::try_from(withdrawn).unwrap_or(i128::MAX));
        if u128::try_from(day).map_or(true, |day| day > capital.withdrawn_per_day_max) {
            return Err(Breach::Day);
        }
        spent.charge_movement(at, withdrawn);
        Ok(withdrawn)
    }

    /// What may be signed of that subaccount's capital.
    pub fn capital(&self, subaccount: SubaccountId) -> Result<super::CapitalFence, Breach> {
        let fence = self.fences.iter().find(|fence| fence.terms.subaccount == subaccount).ok_or(Breach::Subaccount)?;
        fence.terms.capital.ok_or(Breach::Module)
    }
}
