//! What signed bytes say, read back from the preimages that were hashed. Nothing here trusts who filled them.

use crate::base::ids::{Nonce, Side, SubaccountId};
use crate::base::num::{Amount, E9, Price};
use crate::derive::action::rfq::{ExecutionTemplate, TakenLeg};
use crate::derive::action::trade::OrderTemplate;
use crate::derive::dialect::{ACTION_TYPEHASH, Address, Word};
use crate::msg::{Breach, LEGS};

/// Who signs what for whom, until when, on which chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// EIP-712 domain separator.
    pub domain: Word,
    /// Module.
    pub module: Address,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Name of the action.
    pub nonce: Nonce,
    /// Owner.
    pub owner: Address,
    /// Key.
    pub signer: Address,
    /// Signature expiry, unix seconds.
    pub expiry_s: u64,
}

/// An order as the bytes state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderReading {
    /// Envelope.
    pub head: Head,
    /// Asset.
    pub asset: Address,
    /// Sub-id.
    pub sub_id: u128,
    /// Limit price.
    pub price: Price,
    /// Amount.
    pub amount: Amount,
    /// Highest fee per unit.
    pub max_fee: Price,
    /// Subaccount that receives.
    pub recipient: SubaccountId,
    /// Side.
    pub side: Side,
}

/// A word as an unsigned number of at most 128 bits.
fn uint(word: &[u8]) -> Result<u128, Breach> {
    match word.split_first_chunk::<16>() {
        Some(([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], low)) => {
            Ok(u128::from_be_bytes(low.try_into().map_err(|_| Breach::Range)?))
        }
        _ => Err(Breach::Range),
    }
}

/// A word as a signed number of at most 128 bits.
fn int(word: &[u8]) -> Result<i128, Breach> {
    let (high, low) = word.split_first_chunk::<16>().ok_or(Breach::Range)?;
    let value = i128::from_be_bytes(low.try_into().map_err(|_| Breach::Range)?);
    let extended = if value < 0 { [0xff; 16] } else { [0; 16] };
    if *high == extended { Ok(value) } else { Err(Breach::Range) }
}

/// A word of eighteen decimals in our nine, which must be exact.
fn nine(value: i128) -> Result<i64, Breach> {
    let unit = i128::from(E9);
    if value % unit != 0 {
        return Err(Breach::Range);
    }
    i64::try_from(value / unit).map_err(|_| Breach::Range)
}

fn address(word: &[u8]) -> Result<Address, Breach> {
    match word.split_first_chunk::<12>() {
        Some(([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], low)) => low.try_into().map_err(|_| Breach::Range),
        _ => Err(Breach::Range),
    }
}

fn short(word: &[u8]) -> Result<u64, Breach> {
    u64::try_from(uint(word)?).map_err(|_| Breach::Range)
}

impl Head {
    fn read(envelope: &[u8; 256], digest: &[u8; 66]) -> Result<Head, Breach> {
        if envelope[..32] != ACTION_TYPEHASH || digest[..2] != [0x19, 0x01] {
            return Err(Breach::Chain);
        }
        let mut domain = [0; 32];
        domain.copy_from_slice(&digest[2..34]);
        Ok(Head {
            domain,
            subaccount: SubaccountId(short(&envelope[32..64])?),
            nonce: Nonce(short(&envelope[64..96]).map_err(|_| Breach::Nonce)?),
            module: address(&envelope[96..128]).map_err(|_| Breach::Module)?,
            expiry_s: short(&envelope[160..192]).map_err(|_| Breach::Life)?,
            owner: address(&envelope[192..224]).map_err(|_| Breach::Owner)?,
            signer: address(&envelope[224..256]).map_err(|_| Breach::Signer)?,
        })
    }
}

impl OrderReading {
    /// Reads what the template hashed last.
    pub fn of(template: &OrderTemplate) -> Result<OrderReading, Breach> {
        let (data, envelope, digest) = template.preimages();
        let side = match uint(&data[192..224])? {
            1 => Side::Buy,
            0 => Side::Sell,
            _ => return Err(Breach::Side),
        };
        Ok(OrderReading {
            head: Head::read(envelope, digest)?,
            asset: address(&data[..32]).map_err(|_| Breach::Instrument)?,
            sub_id: uint(&data[32..64])?,
            price: Price::from_raw(nine(int(&data[64..96])?)?),
            amount: Amount::from_raw(nine(int(&data[96..128])?)?),
            max_fee: Price::from_raw(nine(int(&data[128..160])?)?),
            recipient: SubaccountId(short(&data[160..192])?),
            side,
        })
    }
}

/// A package as the bytes state it, its legs in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageReading {
    /// Envelope.
    pub head: Head,
    /// Legs, from our side.
    pub legs: [TakenLeg; LEGS],
    /// Highest fee for the whole package.
    pub max_fee: Price,
}

impl PackageReading {
    /// Reads what the template hashed last.
    pub fn of(template: &ExecutionTemplate) -> Result<PackageReading, Breach> {
        let (legs, data, envelope, digest) = template.preimages();
        let head = Head::read(envelope, digest)?;
        if uint(&legs[..32])? != 32 || uint(&legs[32..64])? != LEGS as u128 {
            return Err(Breach::Package);
        }
        let leg = |place: usize| -> Result<TakenLeg, Breach> {
            let bytes = &legs[64 + 128 * place..][..128];
            // The maker's amount: where the maker ends up long, we end up short.
            let amount = nine(int(&bytes[96..])?)?;
            Ok(TakenLeg {
                asset: address(&bytes[..32]).map_err(|_| Breach::Instrument)?,
                sub_id: uint(&bytes[32..64])?,
                price: Price::from_raw(nine(int(&bytes[64..96])?)?),
                amount: Amount::from_raw(amount.checked_abs().ok_or(Breach::Range)?),
                side: if amount < 0 { Side::Buy } else { Side::Sell },
            })
        };
        let max_fee = Price::from_raw(nine(int(&data[32..])?)?);
        Ok(PackageReading { head, legs: [leg(0)?, leg(1)?], max_fee })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::action::rfq::ExecutionTerms;
    use crate::derive::action::trade::{OrderFrame, OrderTerms};
    use crate::derive::dialect::LOCAL;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_a_template_was_given_is_what_its_bytes_say(
            (price, amount, fee) in (any::<i64>(), 0i64.., 0i64..), (nonce, expiry_s, buy) in (any::<u64>(), any::<u64>(), any::<bool>()),
            (asset, owner, signer, sub_id, subaccount) in (any::<[u8; 20]>(), any::<[u8; 20]>(), any::<[u8; 20]>(), any::<u128>(), any::<u64>()),
        ) {
            let side = if buy { Side::Buy } else { Side::Sell };
            let subaccount = SubaccountId(subaccount);
            let mut template = OrderTemplate::new(&LOCAL, &OrderFrame { asset, sub_id, subaccount, owner, signer });
            let (price, amount, max_fee) = (Price::from_raw(price), Amount::from_raw(amount), Price::from_raw(fee));
            template.digest(&OrderTerms { price, amount, max_fee, side, nonce: Nonce(nonce), expiry_sec: expiry_s });
            let head = Head { domain: LOCAL.domain_separator, module: LOCAL.modules.trade, subaccount, nonce: Nonce(nonce), owner, signer, expiry_s };
            let read = OrderReading { head, asset, sub_id, price, amount, max_fee, recipient: subaccount, side };
            prop_assert_eq!(OrderReading::of(&template), Ok(read));

            let leg = |side| TakenLeg { asset, sub_id, price, amount: Amount::from_raw(amount.raw().max(1)), side };
            let legs = [leg(side), leg(side.opposite())];
            let mut package = ExecutionTemplate::new(&LOCAL, subaccount, &owner, &signer);
            package.digest(&ExecutionTerms { legs, max_fee, nonce: Nonce(nonce), expiry_sec: expiry_s });
            let head = Head { module: LOCAL.modules.rfq, ..head };
            prop_assert_eq!(PackageReading::of(&package), Ok(PackageReading { head, legs, max_fee }));
        }
    }

    #[test]
    fn words_that_hold_more_than_we_can_judge_are_refused() {
        let mut word = [0u8; 32];
        word[15] = 1;
        assert_eq!((uint(&word), int(&word)), (Err(Breach::Range), Err(Breach::Range)));
        assert_eq!(address(&[1; 32]), Err(Breach::Range));
        assert_eq!(
            (nine(1), nine(i128::MAX / i128::from(E9) * i128::from(E9))),
            (Err(Breach::Range), Err(Breach::Range))
        );
    }
}
