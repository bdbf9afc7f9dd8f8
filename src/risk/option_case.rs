//! What a check of an option vault may look at, and the quantities several rows need.

use crate::account::ledger::Ledger;
use crate::account::order::LiveOrder;
use crate::base::ids::{InstrumentId, Nonce, Side};
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};
use crate::base::time::Nanos;
use crate::market::instrument::{Instrument, OptionTerms};
use crate::msg::{Deal, LEGS, Leg, Mode, PricedLeg, Purpose, RfqWish, Talk, Value, Wish, package_cost};
use crate::risk::limits::OptionLimits;

/// Fees are signed for up to this multiple of what is expected: mark and index move on the way.
pub const FEE_ROOM: i64 = 3;

/// What is wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A single order: options written, or collateral converted.
    Order(Wish),
    /// To be quoted.
    Ask(RfqWish),
    /// To execute a quote.
    Deal(Deal),
}

/// An instrument with what it is worth.
#[derive(Clone, Copy, Debug)]
pub struct Facet<'a> {
    /// The instrument.
    pub instrument: &'a Instrument,
    /// Its value.
    pub value: &'a Value,
}

/// What a buyer of spreads may spend in one auction, fees included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purse {
    /// Most that may go out.
    pub budget: Cash,
    /// What has gone out.
    pub spent: Cash,
}

/// Everything a check may look at.
pub struct OptionCase<'a> {
    /// Now.
    pub at: Nanos,
    /// What is wished.
    pub wanted: Wanted,
    /// The live order it replaces.
    pub replaced: Option<&'a LiveOrder>,
    /// The vault's ledger.
    pub ledger: &'a Ledger,
    /// The vault's limits.
    pub limits: &'a OptionLimits,
    /// Instrument and value of each leg, a single order's in the first place; `None` where the table has none.
    pub legs: [Option<Facet<'a>>; LEGS],
    /// Value of the collateral.
    pub base: &'a Value,
    /// The conversation with makers.
    pub talk: &'a Talk,
    /// What may be spent, once the strategy has announced an auction; of use to buyers only.
    pub purse: Option<Purse>,
    /// What the vault may do.
    pub mode: Mode,
    /// The private session is up.
    pub session_up: bool,
    /// The wish could trade with an order of another vault of the wallet.
    pub meets_another: bool,
    /// Whether the contract that signs for the vault could sign now; none if the session key alone signs.
    pub contract_free: Option<bool>,
    /// Messages the rate budget still allows.
    pub budget_left: u32,
    /// Fills in the last minute.
    pub fills_last_minute: u32,
    /// Venue clock minus ours, once measured.
    pub venue_offset_ns: Option<i64>,
    /// When the session key expires.
    pub key_expires_at: Nanos,
}

impl<'a> OptionCase<'a> {
    /// Why it is wanted.
    pub fn purpose(&self) -> Purpose {
        match self.wanted {
            Wanted::Order(wish) => wish.purpose,
            Wanted::Ask(_) | Wanted::Deal(_) => Purpose::Package,
        }
    }

    /// What it would make the vault hold, leg by leg; a single order is one leg.
    pub fn parts(&self) -> [Option<Leg>; LEGS] {
        match self.wanted {
            Wanted::Order(Wish { instrument, side, amount, .. }) => [Some(Leg { instrument, side, amount }), None],
            Wanted::Ask(wish) => wish.legs.map(Some),
            Wanted::Deal(deal) => deal.legs.map(|priced| Some(priced.leg)),
        }
    }

    /// Each part with its instrument and value; `None` if any is missing from the table.
    pub fn known_parts(&self) -> Option<Vec2<(Leg, Facet<'a>)>> {
        let [first, second] = self.parts();
        let first = (first?, self.legs[0]?);
        match second {
            Some(leg) => Some([Some(first), Some((leg, self.legs[1]?))]),
            None => Some([Some(first), None]),
        }
    }

    /// Now, by the venue's clock.
    pub fn venue_at(&self) -> Nanos {
        self.at.shifted(self.venue_offset_ns.unwrap_or_default())
    }

    /// The replaced order's name.
    pub fn replaced_nonce(&self) -> Option<Nonce> {
        self.replaced.map(|order| order.nonce)
    }

    /// What live orders may still fill, plus this wish where it is of that instrument and side. A replaced order shares
    /// its reservation with the wish: the larger of the two counts.
    pub fn worst(&self, instrument: InstrumentId, side: Side) -> Amount {
        let others = self.ledger.reserved(instrument, side, self.replaced_nonce());
        let ours: Amount = self
            .parts()
            .into_iter()
            .flatten()
            .filter(|leg| leg.instrument == instrument && leg.side == side)
            .map(|leg| leg.amount)
            .sum();
        let old = self.replaced.filter(|old| old.wish.instrument == instrument && old.wish.side == side);
        others + ours.max(old.map_or(Amount::ZERO, LiveOrder::open))
    }

    /// Options written if every live sell of options filled and this wish too, counting nothing bought.
    pub fn worst_short(&self) -> Amount {
        let others = self.ledger.reserved_options(Side::Sell, self.replaced_nonce());
        let base = self.ledger.book().base;
        let ours: Amount = self
            .parts()
            .into_iter()
            .flatten()
            .filter(|leg| leg.instrument != base && leg.side == Side::Sell)
            .map(|leg| leg.amount)
            .sum();
        let old = self.replaced.filter(|old| old.wish.instrument != base && old.wish.side == Side::Sell);
        self.ledger.options().short() + others + ours.max(old.map_or(Amount::ZERO, LiveOrder::open))
    }

    /// Collateral left if every live sell of it filled and this wish too.
    pub fn worst_base(&self) -> Amount {
        self.ledger.holdings().base - self.worst(self.ledger.book().base, Side::Sell)
    }

    /// Mark of one unit of the package as the vault would hold it: positive is paid, negative received.
    pub fn unit_mark(&self) -> Option<Price> {
        let parts = self.known_parts()?;
        let signed =
            |(leg, facet): (Leg, Facet<'_>)| Price::from_raw(facet.value.mark.raw().saturating_mul(leg.side.sign()));
        Some(parts.into_iter().flatten().map(signed).sum())
    }

    /// What the deal costs before fees; negative is received. Zero if nothing is priced.
    pub fn cost(&self) -> Cash {
        match self.wanted {
            Wanted::Deal(deal) => package_cost(&deal.legs),
            Wanted::Order(_) | Wanted::Ask(_) => Cash::ZERO,
        }
    }

    /// Fees the venue is expected to take for a package: per leg the taker rate on index, capped at a share of mark, and
    /// the largest fixed fee once (Derive §8.1).
    pub fn expected_fee(&self) -> Option<Cash> {
        self.fees().map(|(variable, fixed)| variable + fixed)
    }

    /// Highest fees to sign for a package: room above what is expected, but never more than the package itself moves,
    /// nor more than the purse has left. May lie below [`OptionCase::expected_fee`]: then nothing may be signed.
    pub fn max_fee(&self) -> Option<Cash> {
        let (variable, fixed) = self.fees()?;
        let wide = Cash::from_raw(variable.raw().saturating_mul(i128::from(FEE_ROOM))) + fixed;
        let cost = self.cost();
        let own = wide.min(cost.abs());
        Some(match self.purse {
            Some(purse) if !self.limits.sells() => own.min(purse.budget - purse.spent - cost),
            _ => own,
        })
    }

    /// Variable and fixed part of what the venue takes.
    fn fees(&self) -> Option<(Cash, Cash)> {
        let parts = self.known_parts()?;
        let variable = |(leg, Facet { instrument, value }): (Leg, Facet<'_>)| {
            let rated = value.index.times(leg.amount).scale(instrument.taker_fee, Rounding::Ceil);
            let cap = value.mark.times(leg.amount).scale(instrument.mark_fee_cap, Rounding::Ceil);
            if instrument.mark_fee_cap.is_positive() { rated.min(cap) } else { rated }
        };
        let fixed = parts.into_iter().flatten().map(|(_, facet)| facet.instrument.base_fee).max();
        Some((parts.into_iter().flatten().map(variable).sum(), fixed.unwrap_or_default()))
    }

    /// The two legs of a spread as terms, nearer strike first: the lower one of calls, the higher one of puts.
    pub fn spread(&self) -> Option<[(Leg, OptionTerms); LEGS]> {
        let [Some((one, a)), Some((two, b))] = self.known_parts()? else { return None };
        let (a, b) = (a.instrument.option?, b.instrument.option?);
        let calls = self.limits.product.right() == crate::base::ids::Right::Call;
        let in_order = (a.strike < b.strike) == calls;
        Some(if in_order { [(one, a), (two, b)] } else { [(two, b), (one, a)] })
    }

    /// Mark of a spread over its strike distance.
    pub fn spread_ratio(&self) -> Option<Ratio> {
        let diff = self.limits.strike_diff;
        let mark = self.unit_mark()?;
        diff.is_positive().then(|| mark.abs().over(diff, Rounding::HalfUp))
    }
}

/// Up to two of something.
pub type Vec2<T> = [Option<T>; LEGS];

/// The legs of a package without their prices.
pub fn unpriced(legs: &[PricedLeg; LEGS]) -> [Leg; LEGS] {
    legs.map(|priced| priced.leg)
}
