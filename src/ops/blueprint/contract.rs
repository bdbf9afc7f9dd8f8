//! The contract that owns the wallet's one subaccount and signs for it: what is planned with it, and the stage where it does.

use super::Blueprint;
use crate::actors::signer::contract::{self, Contract};
use crate::config::VaultConfig;
use crate::derive::dialect::Address;
use crate::derive::seal::ContractCharter;
use crate::engine::journal::Replay;
use crate::msg::HeldSignature;

/// A contract that signs for the only vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractPlan {
    /// Who it is, and whether it signs before orders leave.
    pub charter: ContractCharter,
    /// What the journal knows of its last signature.
    pub journaled: Option<HeldSignature>,
}

impl Blueprint {
    /// The address that actions name as their signer when this key makes the signatures.
    pub fn acts_as(&self, key: Address) -> Address {
        self.contract.map_or(key, |contract| contract.charter.address)
    }

    /// The contract, if it must sign before orders leave.
    pub fn presigned(&self) -> Option<&ContractPlan> {
        self.contract.as_ref().filter(|contract| contract.charter.presigned)
    }

    /// The stage where it does.
    pub(super) fn stage(&self) -> Option<Contract> {
        let (contract, plan) = (self.presigned()?, self.vaults.first()?);
        let terms = contract::Terms {
            dialect: self.dialect,
            contract: contract.charter.address,
            vault: plan.book.vault,
            subaccount: plan.book.subaccount,
            wrapped: plan.wrapped,
            journaled: contract.journaled,
        };
        let instruments = self.pairs().into_iter().map(|(_, instrument)| instrument);
        Some(Contract::new(terms, instruments, self.option_members().first().copied()))
    }
}

impl ContractPlan {
    pub(super) fn of(vault: &VaultConfig, replay: &Replay) -> Option<ContractPlan> {
        let contract = vault.contract.as_ref()?;
        let charter = ContractCharter { address: contract.address, presigned: contract.presign().is_some() };
        Some(ContractPlan { charter, journaled: replay.signature(vault.book.subaccount) })
    }
}
