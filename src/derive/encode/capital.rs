//! `private/deposit` and `private/withdraw`: capital between a vault's contract and its subaccount (v2).

use super::EncodeError;
use super::order::SECONDS_RANGE;
use super::request::Params;
use crate::base::ids::{Name, Nonce, SubaccountId};
use crate::derive::dialect::Address;
use crate::derive::request_id::RequestKind;
use crate::msg::Flow;

/// Most digits of a token amount.
const DIGITS: usize = 39;

/// A signed movement, as it goes into a request.
#[derive(Clone, Copy, Debug)]
pub struct MovementWire<'a> {
    /// Which way.
    pub flow: Flow,
    /// Subaccount it goes into or comes from.
    pub subaccount: SubaccountId,
    /// Of what, as the venue names it.
    pub currency: &'a Name,
    /// How much, in the token's own decimals.
    pub amount: u128,
    /// Decimals of the token.
    pub token_decimals: u8,
    /// Venue nonce.
    pub nonce: Nonce,
    /// Signature expiry, unix seconds.
    pub expiry_sec: u64,
    /// Key that signed, or the contract it signs for.
    pub signer: &'a Address,
    /// The contract approves it inside the settlement.
    pub atomic: bool,
    /// `r ‖ s ‖ v`.
    pub signature: &'a [u8; 65],
}

/// The request of a movement.
pub fn movement<'o>(out: &'o mut [u8], wire: &MovementWire<'_>) -> Result<&'o [u8], EncodeError> {
    if !SECONDS_RANGE.contains(&wire.expiry_sec) {
        return Err(EncodeError::Time);
    }
    let kind = match wire.flow {
        Flow::Deposit => RequestKind::Deposit,
        Flow::Withdrawal => RequestKind::Withdraw,
    };
    let mut digits = [0; 2 * DIGITS + 2];
    let amount = token(wire.amount, wire.token_decimals, &mut digits);
    let mut params = Params::open(out, kind, wire.nonce.0).int("subaccount_id", wire.subaccount.0);
    params.key("amount").raw(b"\"").raw(amount).raw(b"\"");
    params = params.name("asset_name", wire.currency).flag("is_atomic_signing", wire.atomic);
    params = params.int("nonce", wire.nonce.0).address("signer", wire.signer);
    params.key("signature").raw(b"\"").signature(wire.signature).raw(b"\"");
    params.int("signature_expiry_sec", wire.expiry_sec).close()
}

/// A token amount as a plain decimal without trailing zeros.
fn token(amount: u128, decimals: u8, room: &mut [u8; 2 * DIGITS + 2]) -> &[u8] {
    let decimals = usize::from(decimals).min(DIGITS);
    let (mut at, mut left, mut place) = (room.len(), amount, 0);
    while left > 0 || place <= decimals {
        let digit = (left % 10) as u8;
        left /= 10;
        let trailing = place < decimals && digit == 0 && at == room.len();
        if place == decimals && place > 0 && at < room.len() {
            at -= 1;
            room[at] = b'.';
        }
        if !trailing {
            at -= 1;
            room[at] = b'0' + digit;
        }
        place += 1;
    }
    &room[at..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn amounts_are_exact_in_any_decimals() {
        for (amount, decimals, text) in [
            (1_500_000_000_000_000_000, 18, "1.5"),
            (1, 18, "0.000000000000000001"),
            (100_000_000, 8, "1"),
            (123_456_789_012, 8, "1234.56789012"),
            (7, 0, "7"),
            (70, 1, "7"),
            (705, 1, "70.5"),
            (u128::MAX, 18, "340282366920938463463.374607431768211455"),
            (u128::MAX, 0, "340282366920938463463374607431768211455"),
        ] {
            let mut room = [0; 2 * DIGITS + 2];
            assert_eq!(std::str::from_utf8(token(amount, decimals, &mut room)), Ok(text));
        }
    }

    #[test]
    fn requests_are_of_the_form_the_venue_documents() {
        let (signer, signature) = ([0x11; 20], [0x22; 65]);
        let currency = Name::new("LBTC").expect("short");
        let wire = MovementWire {
            flow: Flow::Deposit,
            subaccount: SubaccountId(7_777),
            currency: &currency,
            amount: 150_000_000,
            token_decimals: 8,
            nonce: Nonce(1_732_176_000_000_003),
            expiry_sec: 1_732_176_600,
            signer: &signer,
            atomic: false,
            signature: &signature,
        };
        for (flow, method, id) in [
            (Flow::Deposit, "private/deposit", "y1732176000000003"),
            (Flow::Withdrawal, "private/withdraw", "j1732176000000003"),
        ] {
            let mut out = [0; 1_024];
            let text = movement(&mut out, &MovementWire { flow, ..wire }).expect("written");
            let read: Value = serde_json::from_slice(text).expect("JSON");
            let params = json!({
                "subaccount_id": 7777, "amount": "1.5", "asset_name": "LBTC", "is_atomic_signing": false,
                "nonce": 1_732_176_000_000_003_u64, "signer": format!("0x{}", "11".repeat(20)),
                "signature": format!("0x{}", "22".repeat(65)), "signature_expiry_sec": 1_732_176_600_u64,
            });
            assert_eq!(read, json!({ "id": id, "method": method, "params": params }));
        }
        let late = MovementWire { expiry_sec: 0, ..wire };
        assert_eq!(movement(&mut [0; 1_024], &late).map(<[u8]>::len), Err(EncodeError::Time));
    }
}
