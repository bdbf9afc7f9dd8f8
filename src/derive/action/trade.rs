//! Orders: the cold encoder, and the per-instrument template whose digest needs three hashes and no allocation.

use alloy_primitives::keccak256;

use super::scale::{Decimal18, ScaleError};
use super::words::{self, Words};
use crate::base::ids::{Nonce, Side, SubaccountId};
use crate::base::num::{Amount, E9, Price};
use crate::derive::dialect::{ACTION_TYPEHASH, Address, Dialect, Word};

/// An order's signed data, in the venue's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Protocol address of the instrument's asset.
    pub asset: Address,
    /// Sub-id within the asset.
    pub sub_id: u128,
    /// Worst acceptable price.
    pub limit_price: Decimal18,
    /// Quantity, positive.
    pub amount: Decimal18,
    /// Most fee per unit of base, USD.
    pub max_fee: Decimal18,
    /// Subaccount that receives; the own one.
    pub recipient: SubaccountId,
    /// Side.
    pub side: Side,
}

impl Trade {
    /// The signed bytes.
    pub fn data(&self) -> Result<Vec<u8>, ScaleError> {
        let mut words = Words::with_capacity(7);
        words
            .address(self.asset)
            .uint(self.sub_id)
            .word(self.limit_price.signed())
            .word(self.amount.unsigned()?)
            .word(self.max_fee.unsigned()?)
            .uint(self.recipient.0.into())
            .flag(self.side == Side::Buy);
        Ok(words.into_bytes())
    }
}

/// The sub-id of an option: `call << 95 | strike·1e8 << 32 | expiry`. `None` if the strike is negative or
/// finer than 1e-8, or the expiry does not fit 32 bits. The venue's own `base_asset_sub_id` is preferred.
pub fn option_sub_id(call: bool, strike: Price, expiry_sec: u64) -> Option<u128> {
    let strike = u128::try_from(strike.raw()).ok()?;
    let expiry = u32::try_from(expiry_sec).ok()?;
    if strike % 10 != 0 {
        return None;
    }
    Some(u128::from(call) << 95 | (strike / 10) << 32 | u128::from(expiry))
}

/// What changes from one order to the next on one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// Worst acceptable price.
    pub price: Price,
    /// Quantity, positive.
    pub amount: Amount,
    /// Most fee per unit of base, USD.
    pub max_fee: Price,
    /// Side.
    pub side: Side,
    /// Venue nonce.
    pub nonce: Nonce,
    /// Signature expiry, unix seconds.
    pub expiry_sec: u64,
}

/// Who signs for what: the parts of an order that do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFrame {
    /// Protocol address of the instrument's asset.
    pub asset: Address,
    /// Sub-id within the asset.
    pub sub_id: u128,
    /// Trading subaccount.
    pub subaccount: SubaccountId,
    /// Wallet owning it.
    pub owner: Address,
    /// Key that signs.
    pub signer: Address,
}

/// Prebuilt preimages of one (subaccount, instrument): every order patches the words that change.
#[derive(Clone, Debug)]
pub struct OrderTemplate {
    data: [u8; 224],
    envelope: [u8; 256],
    digest: [u8; 66],
}

impl OrderTemplate {
    /// Lays out everything that stays.
    pub fn new(dialect: &Dialect, frame: &OrderFrame) -> OrderTemplate {
        let mut template = OrderTemplate { data: [0; 224], envelope: [0; 256], digest: [0; 66] };
        template.data[12..32].copy_from_slice(&frame.asset);
        template.data[32..64].copy_from_slice(&words::uint(frame.sub_id));
        template.data[160..192].copy_from_slice(&words::uint(frame.subaccount.0.into()));
        template.envelope[..32].copy_from_slice(&ACTION_TYPEHASH);
        template.envelope[32..64].copy_from_slice(&words::uint(frame.subaccount.0.into()));
        template.envelope[108..128].copy_from_slice(&dialect.modules.trade);
        template.envelope[204..224].copy_from_slice(&frame.owner);
        template.envelope[236..256].copy_from_slice(&frame.signer);
        template.digest[..2].copy_from_slice(&[0x19, 0x01]);
        template.digest[2..34].copy_from_slice(&dialect.domain_separator);
        template
    }

    /// The preimages as they stand: order data, envelope, digest. What [`OrderTemplate::digest`] hashed last.
    pub fn preimages(&self) -> (&[u8; 224], &[u8; 256], &[u8; 66]) {
        (&self.data, &self.envelope, &self.digest)
    }

    /// The digest a key signs. Amount and fee must not be negative: no envelope lets such an order pass.
    pub fn digest(&mut self, terms: &OrderTerms) -> Word {
        self.data[64..96].copy_from_slice(&words::int(i128::from(terms.price.raw()) * i128::from(E9)));
        self.data[112..128].copy_from_slice(&scaled(terms.amount.raw()));
        self.data[144..160].copy_from_slice(&scaled(terms.max_fee.raw()));
        self.data[223] = u8::from(terms.side == Side::Buy);
        self.envelope[88..96].copy_from_slice(&terms.nonce.0.to_be_bytes());
        self.envelope[128..160].copy_from_slice(keccak256(self.data).as_slice());
        self.envelope[184..192].copy_from_slice(&terms.expiry_sec.to_be_bytes());
        self.digest[34..].copy_from_slice(keccak256(self.envelope).as_slice());
        keccak256(self.digest).0
    }
}

/// A 1e-9 raw integer as the low half of a 1e18-scaled word.
fn scaled(raw: i64) -> [u8; 16] {
    (i128::from(raw) * i128::from(E9)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Envelope;
    use super::*;
    use crate::derive::dialect::DIALECTS;

    #[test]
    fn option_sub_ids_are_the_venues() {
        let strike = Price::whole(6000);
        assert_eq!(option_sub_id(false, strike, 1_813_910_400), Some(2_576_980_377_601_813_910_400));
        assert_eq!(option_sub_id(true, strike, 1_813_910_400), Some(39_614_083_834_112_546_398_585_885_568));
        let listed = option_sub_id(true, Price::whole(3500), 1_798_185_600);
        assert_eq!(listed, Some(39_614_082_760_370_722_398_570_160_768));
        assert_eq!(option_sub_id(true, Price::from_raw(1), 1), None);
        assert_eq!(option_sub_id(true, Price::from_raw(-10), 1), None);
        assert_eq!(option_sub_id(true, strike, 1 << 32), None);
    }

    proptest! {
        #[test]
        fn template_and_cold_encoder_sign_the_same(
            (price, amount, fee) in (-1_000_000_000i64..1_000_000_000_000_000_000, 1i64..1_000_000_000_000_000_000, 0i64..1_000_000_000_000_000_000),
            (nonce, expiry_sec, buy) in (any::<u64>(), any::<u64>(), any::<bool>()),
            (asset, owner, signer, sub_id, subaccount) in (any::<[u8; 20]>(), any::<[u8; 20]>(), any::<[u8; 20]>(), any::<u128>(), any::<u64>()),
            which in 0usize..5,
        ) {
            let dialect = DIALECTS[which];
            let side = if buy { Side::Buy } else { Side::Sell };
            let subaccount = SubaccountId(subaccount);
            let mut template = OrderTemplate::new(dialect, &OrderFrame { asset, sub_id, subaccount, owner, signer });
            let terms = OrderTerms {
                price: Price::from_raw(price), amount: Amount::from_raw(amount), max_fee: Price::from_raw(fee),
                side, nonce: Nonce(nonce), expiry_sec,
            };
            // A used template must leave no trace in the next digest.
            template.digest(&OrderTerms { price: Price::from_raw(-1), side: side.opposite(), nonce: Nonce(u64::MAX), ..terms });
            let trade = Trade {
                asset, sub_id, limit_price: terms.price.into(), amount: terms.amount.into(), max_fee: terms.max_fee.into(),
                recipient: subaccount, side,
            };
            let envelope = Envelope { subaccount, nonce: terms.nonce, module: dialect.modules.trade, expiry_sec, owner, signer };
            let data = trade.data().expect("scaled");
            prop_assert_eq!(template.digest(&terms), envelope.digest(&dialect.domain_separator, &data));
        }
    }
}
