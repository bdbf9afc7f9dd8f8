//! Proves that a measured order was real: its signature, over terms read back from the text that left, recovers to the
//! engine's session key.

use alloy_primitives::{B256, Signature, hex};
use keel::base::ids::{Nonce, Side, SubaccountId};
use keel::base::num::{Amount, Price};
use keel::derive::action::Envelope;
use keel::derive::action::trade::Trade;
use keel::derive::dialect::{Address, Dialect};
use serde_json::Value;

/// Who should have signed, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Signatory {
    /// Dialect signed for.
    pub dialect: &'static Dialect,
    /// Owner of the subaccount.
    pub owner: Address,
    /// Session key.
    pub signer: Address,
    /// Protocol address of the base.
    pub asset: [u8; 20],
    /// Sub-id of the base.
    pub sub_id: u128,
}

/// Checks an order or replace text; says what is wrong with it.
pub fn prove(text: &[u8], by: &Signatory) -> Result<(), String> {
    let body: Value = serde_json::from_slice(text).map_err(|why| format!("not JSON: {why}"))?;
    let params = &body["params"];
    let word = |key: &str| params[key].as_str().ok_or_else(|| format!("no text field {key}"));
    let number = |key: &str| params[key].as_u64().ok_or_else(|| format!("no number field {key}"));
    let price = |key: &str| word(key).and_then(|text| text.parse::<Price>().map_err(|why| format!("{key}: {why}")));
    let amount: Amount = word("amount")?.parse().map_err(|why| format!("amount: {why}"))?;
    let subaccount = SubaccountId(number("subaccount_id")?);
    let trade = Trade {
        asset: by.asset,
        sub_id: by.sub_id,
        limit_price: price("limit_price")?.into(),
        amount: amount.into(),
        max_fee: price("max_fee")?.into(),
        recipient: subaccount,
        side: if word("direction")? == "buy" { Side::Buy } else { Side::Sell },
    };
    let envelope = Envelope {
        subaccount,
        nonce: Nonce(word("nonce")?.parse().map_err(|why| format!("nonce: {why}"))?),
        module: by.dialect.modules.trade,
        expiry_sec: number("signature_expiry_sec")?,
        owner: by.owner,
        signer: by.signer,
    };
    let data = trade.data().map_err(|why| format!("terms: {why:?}"))?;
    let digest = envelope.digest(&by.dialect.domain_separator, &data);
    let raw = hex::decode(word("signature")?).map_err(|why| format!("signature: {why}"))?;
    let signature = Signature::from_raw(&raw).map_err(|why| format!("signature: {why}"))?;
    let found = signature.recover_address_from_prehash(&B256::from(digest)).map_err(|why| why.to_string())?;
    if found.into_array() == by.signer { Ok(()) } else { Err(format!("signed by {found}, not by the session key")) }
}
