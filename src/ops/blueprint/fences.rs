//! What the signer's own envelope holds each vault in.

use super::{Blueprint, PlanKind, VaultPlan};
use crate::derive::dialect::Generation;
use crate::derive::seal::envelope::{CapitalFence, FenceTerms};

impl Blueprint {
    /// What each vault's fence holds in.
    pub(super) fn fences(&self) -> Vec<FenceTerms> {
        let fence = |plan: &VaultPlan| FenceTerms {
            vault: plan.book.vault,
            subaccount: plan.book.subaccount,
            base: self.instrument(plan.book.base).base_currency,
            perp: plan.book.perp.map(|perp| self.instrument(perp).base_currency),
            options: match &plan.kind {
                PlanKind::Options(options) => {
                    Some((options.currency, options.params.product, options.limits.strike_diff))
                }
                PlanKind::Basis(_) => None,
            },
            limits: plan.fence,
            capital: self.capital_fence(plan),
        };
        self.vaults.iter().map(fence).collect()
    }

    /// What may be signed of a vault's capital: nothing on v3, whose modules take other data.
    fn capital_fence(&self, plan: &VaultPlan) -> Option<CapitalFence> {
        let VaultPlan { capital, wrapped, .. } = plan;
        let modules = &self.dialect.modules;
        let may = capital.deposits || capital.withdrawals;
        let asset = wrapped.filter(|_| may && self.dialect.generation == Generation::V2)?;
        Some(CapitalFence {
            asset,
            deposit: modules.deposit.filter(|_| capital.deposits),
            withdrawal: capital.withdrawals.then_some(modules.withdrawal),
            deposit_max: capital.in_token(capital.deposit_max),
            withdrawal_max: capital.in_token(capital.withdrawal_max),
            withdrawn_per_day_max: capital.in_token(capital.withdrawn_per_day_max),
        })
    }
}
