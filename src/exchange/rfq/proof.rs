//! Whether a quote or an execution was signed by someone who may, freshly, and for what it says.

use super::Leg;
use crate::exchange::admission::{EXPIRY_MAX_S, check_expiry};
use crate::exchange::debug::quote_action;
use crate::exchange::eip712::{Action, legs_data};
use crate::exchange::rpc::Call;
use crate::exchange::{Exchange, Refusal};
use alloy_primitives::{Address, B256, keccak256};
use rust_decimal::Decimal;

/// The signed part of a quote or an execution.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Nonce.
    pub nonce: u64,
    /// Who signed.
    pub signer: Address,
    /// The signature as sent.
    pub signature: String,
    /// Signature expiry, unix seconds.
    pub expiry_s: u64,
    /// Cap on fees for the whole.
    pub max_fee: Decimal,
    /// keccak of the maker's legs.
    pub legs_hash: B256,
    /// What was signed.
    pub action: Action,
    /// The maker's legs as hashed into an execution.
    pub legs: Vec<u8>,
}

impl Exchange {
    /// 14014, 14026 to 14031, 11016 to 11018, 11011: proves a request with legs. `maker` says whose view was signed;
    /// a quote's signature must live until `earliest_s` at least.
    pub(super) fn prove<'a>(
        &self,
        call: &Call,
        maker: bool,
        legs: impl Iterator<Item = &'a Leg>,
        earliest_s: Option<u64>,
    ) -> Result<Proof, Refusal> {
        let p = call.params;
        let caller = call.known()?;
        let sub = p.u64("subaccount_id")?;
        let (action, words) = quote_action(self, p, maker)?;
        let signature = p.text("signature")?;
        let debug = if maker { "public/send_quote_debug" } else { "public/execute_quote_debug" };
        let key = self.proved_by(&action, signature, debug)?;
        let wallet = self.wallet(caller.wallet)?;
        for need in self.rfq_needs(legs) {
            wallet.allow(caller.wallet, caller.signer, need, Some(sub), call.at)?;
            wallet.allow(caller.wallet, key, need, Some(sub), call.at)?;
        }
        self.check_nonce(sub, action.nonce, call.at)?;
        match earliest_s {
            None => check_expiry(action.expiry, EXPIRY_MAX_S, call.at)?,
            Some(from) => check_outlives(action.expiry, from, call.at.secs() + EXPIRY_MAX_S)?,
        }
        let key = wallet.keys.get(&key).filter(|_| key != caller.wallet);
        if key.is_some_and(|key| action.expiry > key.expiry_s) {
            return Err(Refusal::because(11011, "the signature would outlive its session key"));
        }
        let legs = legs_data(&words);
        Ok(Proof {
            nonce: action.nonce,
            signer: action.signer,
            signature: signature.to_string(),
            expiry_s: action.expiry,
            max_fee: p.decimal("max_fee")?,
            legs_hash: keccak256(&legs),
            action,
            legs,
        })
    }
}

fn check_outlives(expiry_s: u64, from: u64, to: u64) -> Result<(), Refusal> {
    if (from..=to).contains(&expiry_s) {
        return Ok(());
    }
    Err(Refusal::because(11011, format!("{expiry_s}: expected {from} to {to}, beyond the RFQ's window")))
}
