//! Standard margin (Derive §8.8): what an account is worth, what it must keep, and what its open orders may cost.
//!
//! Margins are net, as the venue reports them: value that counts minus requirement. Perps need a share of mark
//! notional; collateral counts with its factor; cash counts in full, and a borrow counts against in full.

use super::Exchange;
use super::account::Subaccount;
use super::catalog::{CASH, Kind, PERP_IM, PERP_MM};
use super::fees::fee;
use super::money::{constant, truncate};
use super::order::Order;
use crate::base::ids::Side;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What margin is computed from.
#[derive(Clone, Debug, Default)]
pub struct Portfolio {
    /// Assets by name, USDC with its pending interest.
    pub assets: BTreeMap<&'static str, Decimal>,
    /// Perps by catalog place: size and PnL not yet in cash.
    pub perps: BTreeMap<usize, (Decimal, Decimal)>,
    /// Options by catalog place: size.
    pub options: BTreeMap<usize, Decimal>,
}

/// Margin of a portfolio, split as the venue splits it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    /// Market value of collateral.
    pub collaterals_value: Decimal,
    /// Collateral counted for initial margin.
    pub collaterals_im: Decimal,
    /// Collateral counted for maintenance margin.
    pub collaterals_mm: Decimal,
    /// Unsettled perp PnL and options at their marks.
    pub positions_value: Decimal,
    /// Unsettled PnL minus initial requirement.
    pub positions_im: Decimal,
    /// Unsettled PnL minus maintenance requirement.
    pub positions_mm: Decimal,
}

impl Margin {
    /// Account value.
    pub fn value(&self) -> Decimal {
        self.collaterals_value + self.positions_value
    }

    /// Net initial margin; trading needs it at or above zero.
    pub fn initial(&self) -> Decimal {
        self.collaterals_im + self.positions_im
    }

    /// Net maintenance margin; below zero the account is liquidated.
    pub fn maintenance(&self) -> Decimal {
        self.collaterals_mm + self.positions_mm
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct SideLoad {
    amount: Decimal,
    /// Value lost against mark if it all filled at its limits, fees included.
    loss: Decimal,
}

fn option_sizes(sub: &Subaccount) -> BTreeMap<usize, Decimal> {
    sub.options.iter().map(|(ix, p)| (*ix, p.amount)).collect()
}

impl Exchange {
    /// The present portfolio of a subaccount.
    pub(super) fn portfolio(&self, sub: &Subaccount) -> Portfolio {
        let mut assets: BTreeMap<_, _> = sub.holdings.iter().map(|(name, h)| (*name, h.amount)).collect();
        *assets.entry(CASH).or_default() += sub.interest_due(&self.lending);
        let perps = sub.positions.iter().map(|(ix, p)| {
            let unsettled = p.unsettled(self.mark_of(*ix), self.markets[*ix].perp.aggregate_funding);
            (*ix, (p.amount, unsettled.pnl + unsettled.funding))
        });
        Portfolio { perps: perps.collect(), options: option_sizes(sub), assets }
    }

    /// Margin of any portfolio at present marks.
    pub(super) fn margin(&self, portfolio: &Portfolio) -> Margin {
        let mut margin = Margin::default();
        for (name, amount) in &portfolio.assets {
            let Some(asset) = self.find_asset(name) else { continue };
            let value = truncate(*amount * self.spot_price(name));
            margin.collaterals_value += value;
            margin.collaterals_im += truncate(value * asset.im_factor);
            margin.collaterals_mm += truncate(value * asset.mm_factor);
        }
        for (ix, (amount, unsettled)) in &portfolio.perps {
            let notional = amount.abs() * self.mark_of(*ix);
            margin.positions_value += unsettled;
            margin.positions_im += unsettled - truncate(notional * constant(PERP_IM));
            margin.positions_mm += unsettled - truncate(notional * constant(PERP_MM));
        }
        for book in self.expiry_books(&portfolio.options).values() {
            margin.positions_value += book.value();
            margin.positions_im += book.margin(true);
            margin.positions_mm += book.margin(false);
        }
        margin
    }

    /// Margin of a subaccount now.
    pub(super) fn margin_of(&self, sub: &Subaccount) -> Margin {
        self.margin(&self.portfolio(sub))
    }

    /// Initial margin that resting orders and `incoming` could cost if they filled: zero or negative.
    pub(super) fn open_orders_margin(&self, sub: &Subaccount, incoming: Option<(&Order, Decimal)>) -> Decimal {
        let mut loads: BTreeMap<usize, [SideLoad; 2]> = BTreeMap::new();
        let resting = sub.open.iter().filter_map(|id| self.orders.get(id)).map(|o| (o, o.limit_price));
        for (order, limit) in resting.chain(incoming) {
            let load = &mut loads.entry(order.instrument).or_default()[usize::from(order.side == Side::Sell)];
            load.amount += order.remaining();
            load.loss += self.loss_at(order, limit);
        }
        if loads.is_empty() {
            return Decimal::ZERO;
        }
        let options = option_sizes(sub);
        -loads.into_iter().map(|(ix, sides)| self.load_cost(sub, &options, ix, sides)).sum::<Decimal>()
    }

    fn loss_at(&self, order: &Order, limit: Decimal) -> Decimal {
        let instrument = &self.instruments[order.instrument];
        let mark = self.mark_of(order.instrument);
        let worth = match instrument.kind {
            // An option's premium is cash: its limit is what it moves, and margin of the position comes on top.
            Kind::Option => return self.premium_at(order, limit),
            Kind::Perp => mark,
            Kind::Erc20 => mark * self.find_asset(instrument.base).map_or(Decimal::ZERO, |a| a.im_factor),
        };
        let per_unit = if order.side == Side::Buy { limit - worth } else { worth - limit };
        let fee = instrument.taker_fee * mark;
        truncate((per_unit.max(Decimal::ZERO) + fee) * order.remaining())
    }

    /// Cash an option order would cost at its limit, fee included; negative for a sale.
    fn premium_at(&self, order: &Order, limit: Decimal) -> Decimal {
        let (ix, amount) = (order.instrument, order.remaining());
        let charged = fee(&self.instruments[ix], true, self.fee_prices(ix, limit), amount, false);
        truncate(if order.side == Side::Buy { limit } else { -limit } * amount) + charged
    }

    fn load_cost(
        &self,
        sub: &Subaccount,
        options: &BTreeMap<usize, Decimal>,
        ix: usize,
        [buys, sells]: [SideLoad; 2],
    ) -> Decimal {
        match self.instruments[ix].kind {
            Kind::Erc20 => return buys.loss + sells.loss,
            Kind::Option => {
                let before = self.expiry_margin_with(options, (ix, Decimal::ZERO));
                let cost = |change, premium| premium + before - self.expiry_margin_with(options, (ix, change));
                return cost(buys.amount, buys.loss).max(cost(-sells.amount, sells.loss)).max(Decimal::ZERO);
            }
            Kind::Perp => {}
        }
        let held = sub.positions.get(&ix).map_or(Decimal::ZERO, |p| p.amount);
        let unit = self.mark_of(ix) * constant(PERP_IM);
        let cost = |after: Decimal, loss| truncate((after.abs() - held.abs()).max(Decimal::ZERO) * unit) + loss;
        cost(held + buys.amount, buys.loss).max(cost(held - sells.amount, sells.loss))
    }

    /// True if filling `amount` of an order could only lower risk: a perp shrinks, or collateral becomes cash.
    pub(super) fn reduces_risk(&self, sub: &Subaccount, order: &Order) -> bool {
        match self.instruments[order.instrument].kind {
            Kind::Erc20 => order.side == Side::Sell,
            // A long may be what hedges a short: only buying back a short is surely less risk.
            Kind::Option => {
                let held = sub.position(order.instrument);
                order.side == Side::Buy && held.is_sign_negative() && order.remaining() <= held.abs()
            }
            Kind::Perp => {
                let held = sub.positions.get(&order.instrument).map_or(Decimal::ZERO, |p| p.amount);
                let opposite = held.is_sign_positive() == (order.side == Side::Sell);
                !held.is_zero() && opposite && order.remaining() <= held.abs()
            }
        }
    }
}
