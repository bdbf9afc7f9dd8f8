//! The mandate as a wall: what the vault's contract would say to an order or an execution, asked before it is granted.
//!
//! On Derive v3 no contract signs, so this is where the mandate ends. It is judged in the contracts' own integers
//! ([`mandate`](crate::risk::mandate)), beside the other checks and never instead of one, and once more with time and
//! prices moved as far as they may move until the order meets the venue.

pub mod basis;
pub mod capital;
pub mod options;
pub mod terms;

use crate::base::num::{Amount, Cash, E9, Price, Ratio, Rounding};
use crate::risk::mandate::action::SignatureLife;
use crate::risk::mandate::basis::Basis;
use crate::risk::mandate::covered_call::CoveredCall;
use crate::risk::mandate::revert::Revert;
use crate::risk::mandate::spread::Spread;
use alloy_primitives::{Address, I256, U256};

/// The asset a vault is denominated in, inside the wall: what matters is which asset is traded, not where it lives.
const BASE: Address = Address::repeat_byte(1);
/// The asset beside it, inside the wall.
const DERIVATIVE: Address = Address::repeat_byte(2);

/// How far prices and time may move between the verdict and the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Drift {
    /// Share by which every price may be higher or lower.
    pub price: Ratio,
    /// Seconds that may pass.
    pub time_s: u64,
}

/// The contract of a Delta-1 Basis vault, and the margins kept to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BasisWall {
    /// The contract.
    pub contract: Basis,
    /// It judges inside the settlement of each fill, by the whole amount of its order, rather than once before.
    pub judged_per_fill: bool,
    /// The margins.
    pub drift: Drift,
}

/// The contract of an option vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptionContract {
    /// Harvest.
    Calls(CoveredCall),
    /// Safe Harvest, Maxi and BULL.
    Spreads(Spread),
}

/// The contract of an option vault, and the margins kept to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionWall {
    /// The contract.
    pub contract: OptionContract,
    /// The margins.
    pub drift: Drift,
}

/// One moment at which the contract is asked: so many seconds from now, prices at that multiple.
#[derive(Clone, Copy)]
struct Moment {
    after_s: u64,
    prices: Ratio,
}

impl Drift {
    /// Now as it is, then the end of the time with every price up, and with every price down. Between the last two
    /// nothing can be worse than at one of them: every limit is an interval.
    fn moments(&self) -> [Moment; 3] {
        let at = |after_s, prices| Moment { after_s, prices };
        [at(0, Ratio::ONE), at(self.time_s, Ratio::ONE + self.price), at(self.time_s, Ratio::ONE - self.price)]
    }

    /// The same where everything measured is a ratio of two lines in the price, as in the basis contract: such a ratio
    /// only rises or only falls, so what holds at both ends holds between them, and now lies between. Only where an end
    /// refuses is it asked whether now does, so that it speaks first.
    fn ends(&self, verdict: impl Fn(Moment) -> Result<(), Revert>) -> Result<(), Revert> {
        let [now, up, down] = self.moments();
        verdict(up).and_then(|()| verdict(down)).map_err(|revert| verdict(now).err().unwrap_or(revert))
    }

    /// The first moment at which the contract would refuse speaks.
    fn over(&self, verdict: impl Fn(Moment) -> Result<(), Revert>) -> Result<(), Revert> {
        self.moments().into_iter().try_for_each(verdict)
    }
}

impl Moment {
    fn price(self, price: Price) -> Price {
        price.scale(self.prices, Rounding::HalfUp)
    }
}

/// Nine decimals as eighteen.
fn wad(raw: i64) -> I256 {
    I256::unchecked_from(i128::from(raw) * i128::from(E9))
}

fn price_wad(price: Price) -> I256 {
    wad(price.raw())
}

fn amount_wad(amount: Amount) -> I256 {
    wad(amount.raw())
}

/// An amount in 18 decimals; below zero it reads as none.
pub(super) fn amount_unsigned(amount: Amount) -> U256 {
    unsigned(amount_wad(amount))
}

fn ratio_wad(ratio: Ratio) -> I256 {
    wad(ratio.raw())
}

/// Cash has eighteen decimals already.
fn cash_wad(cash: Cash) -> I256 {
    I256::unchecked_from(cash.raw())
}

/// A number that is never negative; below zero it reads as none.
fn unsigned(wad: I256) -> U256 {
    if wad.is_negative() { U256::ZERO } else { wad.into_raw() }
}

fn life(min_s: u64, max_s: u64) -> SignatureLife {
    SignatureLife { min_s: U256::from(min_s), max_s: U256::from(max_s) }
}
