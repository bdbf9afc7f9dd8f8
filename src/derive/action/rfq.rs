//! Quotes and executions: legs in canonical order and sign, the maker's tuple and the taker's hash of it.

use alloy_primitives::keccak256;

use super::scale::{Decimal18, ScaleError};
use super::words::Words;
use crate::base::ids::Side;
use crate::derive::dialect::{Address, Word};

/// One priced leg, as in the request text: amount positive, side apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg<'a> {
    /// Instrument name; legs are ordered by it, byte by byte.
    pub instrument: &'a [u8],
    /// Protocol address of the instrument's asset.
    pub asset: Address,
    /// Sub-id within the asset.
    pub sub_id: u128,
    /// Price of one unit.
    pub price: Decimal18,
    /// Quantity, positive.
    pub amount: Decimal18,
    /// Side of this leg within the package.
    pub side: Side,
}

/// Who signs: it decides the sign of every leg, so that maker and taker sign the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Quotes.
    Maker,
    /// Executes.
    Taker,
}

/// Appends `N` and four words per leg, sorted by instrument name, signed from the maker's side.
fn append_legs(words: &mut Words, legs: &[Leg<'_>], direction: Side, role: Role) -> Result<(), ScaleError> {
    let mut order: Vec<&Leg<'_>> = legs.iter().collect();
    order.sort_by_key(|leg| leg.instrument);
    let role_sign = if role == Role::Maker { 1 } else { -1 };
    words.uint(legs.len() as u128);
    for leg in order {
        let sign = i128::from(leg.side.sign() * direction.sign() * role_sign);
        words.address(leg.asset).uint(leg.sub_id).word(leg.price.unsigned()?).int(leg.amount.raw() * sign);
    }
    Ok(())
}

/// The signed bytes of a quote, and of the maker's half of a position transfer.
/// `direction` is the maker's own; `max_fee` is USD for the whole quote.
pub fn quote_data(legs: &[Leg<'_>], direction: Side, max_fee: Decimal18) -> Result<Vec<u8>, ScaleError> {
    let mut words = Words::with_capacity(4 + 4 * legs.len());
    words.uint(32).word(max_fee.unsigned()?).uint(64);
    append_legs(&mut words, legs, direction, Role::Maker)?;
    Ok(words.into_bytes())
}

/// Hash of the maker's legs alone, without the maker's fee. `direction` is the signer's own.
pub fn legs_hash(legs: &[Leg<'_>], direction: Side, role: Role) -> Result<Word, ScaleError> {
    let mut words = Words::with_capacity(2 + 4 * legs.len());
    words.uint(32);
    append_legs(&mut words, legs, direction, role)?;
    Ok(keccak256(words.bytes()).0)
}

/// The signed bytes of an execution, and of the taker's half of a position transfer.
/// `direction` is the taker's own, the opposite of the quote's.
pub fn execute_data(legs: &[Leg<'_>], direction: Side, max_fee: Decimal18) -> Result<Vec<u8>, ScaleError> {
    let mut words = Words::with_capacity(2);
    words.word(legs_hash(legs, direction, Role::Taker)?).word(max_fee.unsigned()?);
    Ok(words.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(instrument: &[u8], price: &[u8], amount: &[u8], side: Side) -> Leg<'static> {
        Leg {
            instrument: if instrument == b"ETH-PERP" { b"ETH-PERP" } else { b"BTC-PERP" },
            asset: [0xab; 20],
            sub_id: 42,
            price: Decimal18::parse(price).expect("literal"),
            amount: Decimal18::parse(amount).expect("literal"),
            side,
        }
    }

    #[test]
    fn maker_and_taker_sign_the_same_legs_in_any_order() {
        let one = leg(b"ETH-PERP", b"2", b"3", Side::Buy);
        let two = leg(b"BTC-PERP", b"0.5", b"4", Side::Sell);
        let maker = legs_hash(&[one, two], Side::Buy, Role::Maker).expect("scaled");
        assert_eq!(legs_hash(&[two, one], Side::Buy, Role::Maker), Ok(maker));
        assert_eq!(legs_hash(&[two, one], Side::Sell, Role::Taker), Ok(maker));
        assert_ne!(legs_hash(&[two, one], Side::Buy, Role::Taker), Ok(maker));
        let data = quote_data(&[one, two], Side::Buy, Decimal18::ZERO).expect("scaled");
        let mut preimage = super::super::words::uint(32).to_vec();
        preimage.extend_from_slice(&data[96..]);
        assert_eq!(keccak256(preimage).0, maker);
    }
}
