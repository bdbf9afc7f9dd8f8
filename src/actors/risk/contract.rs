//! What risk knows of the contract that signs for a vault: whether it could sign now, which order stands on its one
//! signature, and what signed earlier is not settled yet.

use super::desk::Desk;
use super::notice::Alarm;
use super::{Out, Wallet};
use crate::base::ids::Nonce;
use crate::base::time::{Nanos, SEC};
use crate::msg::{ContractAlarm, ContractFact, ContractReport, Trace, Unsigned};

/// Pause after the contract did not sign: a block or so.
const REST_NS: u64 = 2 * SEC;
/// Refusals of the contract in a row that end trading: it judges differently what we hold for allowed, and a person must
/// look. One alone may be a price that moved between two blocks.
const REVERTS_MAX: u8 = 3;

/// The order or execution that stands on the signature, or waits for it.
#[derive(Clone, Copy, Debug, Hash)]
struct Bearer {
    nonce: Nonce,
    /// When it went on to the venue.
    passed_at: Option<Nanos>,
    /// Of an earlier run: only a snapshot can say that it is gone.
    adopted: bool,
}

/// A vault's contract.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Contract {
    ready: bool,
    rest_until: Nanos,
    bearer: Option<Bearer>,
    told: Option<u32>,
    reverts: u8,
}

impl Contract {
    pub(super) fn new() -> Contract {
        Contract { ready: false, rest_until: Nanos::ZERO, bearer: None, told: None, reverts: 0 }
    }

    /// True if it could sign now, if nothing is unsettled.
    fn is_free(&self, at: Nanos) -> bool {
        self.ready && self.bearer.is_none() && at >= self.rest_until
    }

    /// An order is granted: it will wait for its signature.
    pub(super) fn bear(&mut self, nonce: Nonce) {
        self.bearer = Some(Bearer { nonce, passed_at: None, adopted: false });
    }

    /// True while an order waits for its signature: nobody at the venue can know it.
    pub(super) fn holds(&self, nonce: Nonce) -> bool {
        self.bearer.is_some_and(|bearer| bearer.nonce == nonce && bearer.passed_at.is_none())
    }

    /// When an order that had to wait for its signature went on to the venue.
    pub(super) fn passed_at(&self, nonce: Nonce) -> Option<Nanos> {
        self.bearer.filter(|bearer| bearer.nonce == nonce)?.passed_at
    }

    /// A signature of an earlier run is live, or was.
    fn inherit(&mut self, at: Nanos, nonce: Nonce) {
        self.bearer.get_or_insert(Bearer { nonce, passed_at: Some(at), adopted: true });
    }
}

impl Desk {
    /// What was signed earlier and is not settled: fills, and a movement of capital that has left.
    fn unsettled(&self) -> u32 {
        let moving =
            self.moving.is_some_and(|moving| !self.contract.is_some_and(|contract| contract.holds(moving.nonce)));
        self.ledger.unsettled() + u32::from(moving)
    }

    /// Whether the vault's contract could sign now; none if no contract signs for it.
    pub(super) fn contract_free(&self, at: Nanos) -> Option<bool> {
        self.contract.map(|contract| contract.is_free(at) && self.unsettled() == 0)
    }

    /// Since when the venue owes an answer about a pending order; none while it waits for a signature.
    pub(super) fn owed_since(&self, nonce: Nonce, approved_at: Nanos) -> Option<Nanos> {
        match &self.contract {
            Some(contract) if contract.holds(nonce) => None,
            Some(contract) => Some(contract.passed_at(nonce).unwrap_or(approved_at)),
            None => Some(approved_at),
        }
    }

    /// True while this waits for its signature.
    pub(super) fn holds(&self, nonce: Nonce) -> bool {
        self.contract.as_ref().is_some_and(|contract| contract.holds(nonce))
    }

    /// Keeps from leaving what still waits for its signature; false if it does not.
    pub(super) fn withdraw_unsigned(&mut self, nonce: Nonce, out: &mut Out) -> bool {
        let waits = self.holds(nonce);
        if waits && out.contract_facts.room() > 0 {
            out.contract_facts.push(ContractFact::Withdrawn(nonce));
        }
        waits
    }

    /// The session is gone: what is not signed yet would come too late for it.
    pub(super) fn withdraw_bearer(&mut self, out: &mut Out) {
        let waiting = self.contract.as_ref().and_then(|contract| contract.bearer).map(|bearer| bearer.nonce);
        if let Some(nonce) = waiting {
            self.withdraw_unsigned(nonce, out);
        }
    }

    /// The word of the stage where the contract signs; true if the account changed.
    pub(super) fn on_contract(
        &mut self,
        at: Nanos,
        report: ContractReport,
        wallet: &mut Wallet,
        out: &mut Out,
    ) -> bool {
        let Some(contract) = &mut self.contract else { return false };
        match report {
            ContractReport::Ready(ready) => contract.ready = ready,
            ContractReport::Passed(nonce) => {
                contract.reverts = 0;
                let ours = contract.bearer.as_mut().filter(|bearer| bearer.nonce == nonce);
                ours.into_iter().for_each(|bearer| bearer.passed_at = Some(at));
                // Withdrawn while it was being handed on.
                if self.ledger.order(nonce).is_some_and(|order| order.cancel_asked_at > Nanos::ZERO) {
                    self.cancel(at, nonce, Trace::default(), wallet, out);
                }
            }
            ContractReport::Adopted(nonce) => contract.inherit(at, nonce),
            ContractReport::Unbacked { nonce, .. } => {
                if self.ledger.order(nonce).is_some() {
                    self.cancel(at, nonce, Trace::default(), wallet, out);
                    return true;
                }
                contract.inherit(at, nonce);
            }
            ContractReport::Halted(why) => {
                self.halt(Alarm::ContractHalted { why }, out);
                self.cancel_all(at, wallet, out);
                return true;
            }
            ContractReport::Alarm(alarm) => self.alarm(Alarm::Contract(alarm), out),
        }
        false
    }

    /// The contract did not sign what risk had granted.
    pub(super) fn on_unsigned(&mut self, at: Nanos, why: Unsigned, out: &mut Out) {
        self.stats.unsigned += 1;
        let Some(contract) = &mut self.contract else { return };
        contract.rest_until = at.plus(REST_NS);
        let Unsigned::Reverted(selector) = why else {
            if matches!(why, Unsigned::OtherHash | Unsigned::Kind) {
                self.drain(Alarm::Unsigned { why }, out);
            }
            return;
        };
        contract.reverts = contract.reverts.saturating_add(1);
        let often = contract.reverts >= REVERTS_MAX;
        self.alarm(Alarm::Contract(ContractAlarm::Refused(selector)), out);
        if often {
            self.drain(Alarm::Unsigned { why }, out);
        }
    }

    /// Tells the stage what has changed: what is unsettled first, then that nothing stands on the signature any more.
    pub(super) fn tell_contract(&mut self, out: &mut Out) {
        let count = self.unsettled();
        let Some(contract) = &mut self.contract else { return };
        if contract.told != Some(count) && out.contract_facts.room() > 0 {
            contract.told = Some(count);
            out.contract_facts.push(ContractFact::Unsettled(count));
        }
        let Some(bearer) = contract.bearer else { return };
        let proven = !bearer.adopted || (self.reconcile.settled && !self.foreign_seen);
        let moves = self.moving.is_some_and(|moving| moving.nonce == bearer.nonce);
        if proven && !moves && self.ledger.order(bearer.nonce).is_none() && out.contract_facts.room() > 0 {
            contract.bearer = None;
            out.contract_facts.push(ContractFact::Over(bearer.nonce));
        }
    }
}
