//! What an instrument is: its scale, limits and fees, and the rounding that respects them.

use crate::base::ids::{InstrumentId, Name, Right, Side};
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};

/// Kind of instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A token against USDC (`erc20`).
    Spot,
    /// A perpetual future.
    Perp,
    /// A European option.
    Option,
}

/// What an option pays on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionTerms {
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// Strike.
    pub strike: Price,
    /// Call or put.
    pub right: Right,
}

impl OptionTerms {
    /// Seconds left, negative once expired.
    pub fn seconds_left(&self, at: Nanos) -> i64 {
        self.expiry_s as i64 - at.secs() as i64
    }

    /// The moment of expiry.
    pub fn expires_at(&self) -> Nanos {
        Nanos(self.expiry_s.saturating_mul(SEC))
    }

    /// What one unit pays at a settlement price.
    pub fn payoff(&self, settlement: Price) -> Price {
        let inside = match self.right {
            Right::Call => settlement - self.strike,
            Right::Put => self.strike - settlement,
        };
        inside.max(Price::ZERO)
    }
}

/// A change of the instrument table while running: options come and go every day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// This place now holds this instrument, whatever it held before.
    Listed {
        /// The instrument; its id is the place.
        instrument: Instrument,
        /// Its ticker is wanted.
        watched: bool,
    },
    /// This place is empty.
    Delisted {
        /// The place.
        id: InstrumentId,
    },
}

/// Static facts of one instrument, as the venue lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instrument {
    /// Place in the table.
    pub id: InstrumentId,
    /// Venue name, e.g. `ETH-PERP`.
    pub name: Name,
    /// Kind.
    pub kind: Kind,
    /// Base currency, e.g. `ETH`.
    pub base_currency: Name,
    /// Asset contract identifier (word 0 of signed trade data).
    pub asset: [u8; 20],
    /// Asset sub-id (word 1 of signed trade data).
    pub sub_id: u128,
    /// Price step.
    pub tick: Price,
    /// Amount step.
    pub step: Amount,
    /// Smallest order.
    pub min_amount: Amount,
    /// Largest order.
    pub max_amount: Amount,
    /// Maker fee rate of notional.
    pub maker_fee: Ratio,
    /// Taker fee rate of notional.
    pub taker_fee: Ratio,
    /// Fixed fee per taker order.
    pub base_fee: Cash,
    /// Cap of an option's fee as a share of its mark; zero for none.
    pub mark_fee_cap: Ratio,
    /// Expiry, strike and right of an option.
    pub option: Option<OptionTerms>,
    /// Listed and trading.
    pub active: bool,
}

impl Instrument {
    /// Rounds a limit price to the tick so that it is never worse for us: bids down, asks up.
    pub fn passive_price(&self, side: Side, price: Price) -> Price {
        price.to_tick(self.tick, if side == Side::Buy { Rounding::Floor } else { Rounding::Ceil })
    }

    /// Rounds an amount down to the step.
    pub fn whole_steps(&self, amount: Amount) -> Amount {
        amount.to_step(self.step, Rounding::Floor)
    }

    /// Highest fee per unit we sign for: three times the taker fee on the dearer of mark and index, plus the fixed fee
    /// spread over the smallest order, rounded up to six decimals.
    pub fn max_fee(&self, mark: Price, index: Price) -> Price {
        let rate = Ratio::from_raw(self.taker_fee.raw().saturating_mul(3));
        let floor = Price::from_raw(1);
        let fixed = if self.min_amount.is_positive() {
            // cash (1e-18) per amount (1e-9) is a price (1e-9)
            Price::from_raw(crate::base::num::div_round(
                self.base_fee.raw(),
                i128::from(self.min_amount.raw()),
                Rounding::Ceil,
            ) as i64)
        } else {
            floor
        };
        (mark.max(index).scale(rate, Rounding::Ceil) + fixed).max(floor).to_tick(Price::from_raw(1_000), Rounding::Ceil)
    }
}
