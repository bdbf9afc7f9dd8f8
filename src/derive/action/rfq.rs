//! Quotes and executions: legs in canonical order and sign, the maker's tuple and the taker's hash of it.

use alloy_primitives::keccak256;

use super::scale::{Decimal18, ScaleError};
use super::words::{self, Words};
use crate::base::ids::{Nonce, Side, SubaccountId};
use crate::base::num::{Amount, E9, Price};
use crate::derive::dialect::{ACTION_TYPEHASH, Address, Dialect, Word};
use crate::msg::LEGS;

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

/// One leg of a package that is bought, ready to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenLeg {
    /// Protocol address of the instrument's asset.
    pub asset: Address,
    /// Sub-id within the asset.
    pub sub_id: u128,
    /// Price of one unit, not negative.
    pub price: Price,
    /// Quantity, positive.
    pub amount: Amount,
    /// Side on which the buyer of the package ends up.
    pub side: Side,
}

/// What changes from one execution to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionTerms {
    /// The legs, sorted by instrument name.
    pub legs: [TakenLeg; LEGS],
    /// Most that may be charged for the whole package, USD, not negative.
    pub max_fee: Price,
    /// Venue nonce.
    pub nonce: Nonce,
    /// Signature expiry, unix seconds.
    pub expiry_sec: u64,
}

/// Prebuilt preimages of one subaccount: every execution that buys a package of [`LEGS`] legs patches what changes.
#[derive(Clone, Debug)]
pub struct ExecutionTemplate {
    legs: [u8; 64 + 128 * LEGS],
    data: [u8; 64],
    envelope: [u8; 256],
    digest: [u8; 66],
}

impl ExecutionTemplate {
    /// Lays out everything that stays.
    pub fn new(dialect: &Dialect, subaccount: SubaccountId, owner: &Address, signer: &Address) -> ExecutionTemplate {
        let mut template =
            ExecutionTemplate { legs: [0; 64 + 128 * LEGS], data: [0; 64], envelope: [0; 256], digest: [0; 66] };
        template.legs[..32].copy_from_slice(&words::uint(32));
        template.legs[32..64].copy_from_slice(&words::uint(LEGS as u128));
        template.envelope[..32].copy_from_slice(&ACTION_TYPEHASH);
        template.envelope[32..64].copy_from_slice(&words::uint(subaccount.0.into()));
        template.envelope[108..128].copy_from_slice(&dialect.modules.rfq);
        template.envelope[204..224].copy_from_slice(owner);
        template.envelope[236..256].copy_from_slice(signer);
        template.digest[..2].copy_from_slice(&[0x19, 0x01]);
        template.digest[2..34].copy_from_slice(&dialect.domain_separator);
        template
    }

    /// The preimages as they stand: legs, their hash with the fee, envelope, digest. What
    /// [`ExecutionTemplate::digest`] hashed last.
    pub fn preimages(&self) -> (&[u8; 64 + 128 * LEGS], &[u8; 64], &[u8; 256], &[u8; 66]) {
        (&self.legs, &self.data, &self.envelope, &self.digest)
    }

    /// The digest a key signs, without taking memory. Prices, amounts and fee must not be negative.
    pub fn digest(&mut self, terms: &ExecutionTerms) -> Word {
        for (room, leg) in self.legs[64..].as_chunks_mut::<128>().0.iter_mut().zip(&terms.legs) {
            // The maker who sells the package ends up on the other side of every leg.
            let amount = i128::from(leg.amount.raw()) * i128::from(E9) * i128::from(leg.side.opposite().sign());
            room[12..32].copy_from_slice(&leg.asset);
            room[32..64].copy_from_slice(&words::uint(leg.sub_id));
            room[64..96].copy_from_slice(&words::int(i128::from(leg.price.raw()) * i128::from(E9)));
            room[96..].copy_from_slice(&words::int(amount));
        }
        self.data[..32].copy_from_slice(keccak256(self.legs).as_slice());
        self.data[32..].copy_from_slice(&words::int(i128::from(terms.max_fee.raw()) * i128::from(E9)));
        self.envelope[88..96].copy_from_slice(&terms.nonce.0.to_be_bytes());
        self.envelope[128..160].copy_from_slice(keccak256(self.data).as_slice());
        self.envelope[184..192].copy_from_slice(&terms.expiry_sec.to_be_bytes());
        self.digest[34..].copy_from_slice(keccak256(self.envelope).as_slice());
        keccak256(self.digest).0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Envelope;
    use super::*;
    use crate::derive::dialect::DIALECTS;

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

    proptest! {
        #[test]
        fn template_and_cold_encoder_sign_the_same(
            prices in any::<[u32; LEGS]>(), amounts in proptest::array::uniform2(1i64..1_000_000_000_000_000),
            sides in any::<[bool; LEGS]>(), sub_ids in any::<[u128; LEGS]>(),
            (fee, nonce, expiry_sec, subaccount) in (0i64..1_000_000_000_000_000, any::<u64>(), any::<u64>(), any::<u64>()),
            (asset, owner, signer) in (any::<[u8; 20]>(), any::<[u8; 20]>(), any::<[u8; 20]>()), which in 0usize..5,
        ) {
            let dialect = DIALECTS[which];
            let taken = std::array::from_fn(|at| TakenLeg {
                asset, sub_id: sub_ids[at], price: Price::from_raw(prices[at].into()),
                amount: Amount::from_raw(amounts[at]), side: if sides[at] { Side::Buy } else { Side::Sell },
            });
            let terms = ExecutionTerms { legs: taken, max_fee: Price::from_raw(fee), nonce: Nonce(nonce), expiry_sec };
            let subaccount = SubaccountId(subaccount);
            let mut template = ExecutionTemplate::new(dialect, subaccount, &owner, &signer);
            // A used template must leave no trace in the next digest.
            let swapped = taken.map(|leg| TakenLeg { side: leg.side.opposite(), sub_id: !leg.sub_id, ..leg });
            template.digest(&ExecutionTerms { legs: swapped, nonce: Nonce(!nonce), expiry_sec: !expiry_sec, ..terms });
            let cold: Vec<Leg<'_>> = taken.iter().zip([&b"A"[..], b"B"]).map(|(leg, instrument)| Leg {
                instrument, asset, sub_id: leg.sub_id, price: leg.price.into(), amount: leg.amount.into(), side: leg.side,
            }).collect();
            let data = execute_data(&cold, Side::Buy, terms.max_fee.into()).expect("scaled");
            let envelope = Envelope { subaccount, nonce: terms.nonce, module: dialect.modules.rfq, expiry_sec, owner, signer };
            prop_assert_eq!(template.digest(&terms), envelope.digest(&dialect.domain_separator, &data));
        }
    }
}
