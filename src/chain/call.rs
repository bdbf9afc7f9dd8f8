//! The calls put to a vault that signs by contract.

use super::abi::{Action, LegacyVaultSigner, VaultSigner};
use super::presign::words::{Request, Ticket};
use crate::derive::action::Envelope;
use crate::derive::dialect;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::SolCall;

/// How a vault's contract takes actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `signActionData(action, extraData)`.
    WithExtraData,
    /// `signActionData(action)`, of older covered-call vaults.
    Legacy,
}

/// The action as the contracts take it.
pub fn action(envelope: &Envelope, data: &[u8]) -> Action {
    Action {
        subaccountId: U256::from(envelope.subaccount.0),
        nonce: U256::from(envelope.nonce.0),
        module: Address::from(envelope.module),
        data: Bytes::copy_from_slice(data),
        expiry: U256::from(envelope.expiry_sec),
        owner: Address::from(envelope.owner),
        signer: Address::from(envelope.signer),
    }
}

/// The wish for a signature of an action. `extra` is the legs of the quote being executed, empty for all else; a legacy
/// vault cannot take it.
pub fn request(form: Form, separator: &dialect::Word, envelope: &Envelope, data: &[u8], extra: &[u8]) -> Request {
    let action = action(envelope, data);
    let calldata = match form {
        Form::WithExtraData => {
            VaultSigner::signActionDataCall { action, extraData: Bytes::copy_from_slice(extra) }.abi_encode()
        }
        Form::Legacy => LegacyVaultSigner::signActionDataCall { action }.abi_encode(),
    };
    Request {
        ticket: Ticket(envelope.nonce.0),
        digest: B256::from(envelope.digest(separator, data)),
        expiry_s: envelope.expiry_sec,
        calldata: calldata.into(),
    }
}
