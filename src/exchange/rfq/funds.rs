//! What a package costs, what it is charged, and whether a subaccount can bear it.

use super::{Leg, PricedLeg};
use crate::base::ids::Side;
use crate::exchange::account::Subaccount;
use crate::exchange::catalog::{CASH, Kind};
use crate::exchange::execution::signed;
use crate::exchange::fees::fee;
use crate::exchange::margin::{Margin, Portfolio};
use crate::exchange::money::truncate;
use crate::exchange::order::Order;
use crate::exchange::{Exchange, Refusal};
use rust_decimal::Decimal;

/// One leg as it fills in a subaccount.
#[derive(Clone, Copy, Debug)]
pub struct LegFill {
    /// Catalog place.
    pub instrument: usize,
    /// Signed amount.
    pub signed: Decimal,
    /// Price.
    pub price: Decimal,
    /// Fee charged.
    pub fee: Decimal,
    /// Builder fee charged.
    pub extra_fee: Decimal,
}

/// Margin before and after, open orders counted.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    /// Margin now.
    pub before: Margin,
    /// Margin afterwards.
    pub after: Margin,
    /// What open orders could cost on top: zero or negative.
    pub orders: Decimal,
}

/// What one who trades a package in a direction does in a leg.
pub fn leg_side(leg: &Leg, direction: Side) -> Side {
    if direction == Side::Buy { leg.side } else { leg.side.opposite() }
}

/// Total cost of priced legs to one who trades them in a direction; what is received is negative.
pub fn cost(legs: &[PricedLeg], direction: Side) -> Decimal {
    legs.iter().map(|l| signed(leg_side(&l.leg, direction), l.leg.amount) * l.price).sum()
}

impl Exchange {
    /// The fills of priced legs for one side, with fees: the base fee is charged once, the largest of the legs', and
    /// the builder fee with the first leg.
    pub(super) fn leg_fills(
        &self,
        sub: u64,
        legs: &[PricedLeg],
        direction: Side,
        taker: bool,
        extra_fee: Decimal,
    ) -> Vec<LegFill> {
        let house = self.subs.get(&sub).is_some_and(|s| s.house);
        let base_fee = |at: usize| self.instruments[legs[at].leg.instrument].base_fee;
        let dearest = (0..legs.len()).rev().max_by_key(|at| base_fee(*at));
        let fill = |(at, l): (usize, &PricedLeg)| {
            let instrument = l.leg.instrument;
            let (prices, base_due) = (self.fee_prices(instrument, l.price), Some(at) == dearest);
            let charged = fee(&self.instruments[instrument], taker, prices, l.leg.amount, base_due);
            LegFill {
                instrument,
                signed: signed(leg_side(&l.leg, direction), l.leg.amount),
                price: l.price,
                fee: if house { Decimal::ZERO } else { charged },
                extra_fee: if at == 0 { extra_fee } else { Decimal::ZERO },
            }
        };
        legs.iter().enumerate().map(fill).collect()
    }

    /// Legs at their marks.
    pub(super) fn at_marks(&self, legs: &[Leg]) -> Vec<PricedLeg> {
        legs.iter().map(|leg| PricedLeg { leg: leg.clone(), price: self.mark_of(leg.instrument) }).collect()
    }

    /// What the books would charge for legs within their bands; `None` if they cannot fill every one in full.
    pub(super) fn book_cost(&self, sub: u64, legs: &[Leg], direction: Side) -> Option<Decimal> {
        let each = legs.iter().map(|leg| {
            let side = leg_side(leg, direction);
            let (low, high) = self.band(leg.instrument);
            let limit = if side == Side::Buy { high } else { low };
            let sweep = self.markets[leg.instrument].book.sweep(sub, side, limit, leg.amount);
            let value: Decimal = sweep.fills.iter().map(|(maker, amount)| maker.price * amount).sum();
            (sweep.filled >= leg.amount).then(|| signed(side, value))
        });
        each.sum()
    }

    fn after_fills(&self, sub: &Subaccount, fills: &[LegFill]) -> Portfolio {
        let mut portfolio = self.portfolio(sub);
        for fill in fills {
            let mut cash = -fill.fee - fill.extra_fee;
            match self.instruments[fill.instrument].kind {
                Kind::Perp => {
                    let perp = portfolio.perps.entry(fill.instrument).or_default();
                    perp.0 += fill.signed;
                    perp.1 += truncate((self.mark_of(fill.instrument) - fill.price) * fill.signed);
                }
                Kind::Option => {
                    *portfolio.options.entry(fill.instrument).or_default() += fill.signed;
                    cash -= truncate(fill.price * fill.signed);
                }
                Kind::Erc20 => {
                    let base = self.instruments[fill.instrument].base;
                    *portfolio.assets.entry(base).or_default() += fill.signed;
                    cash -= truncate(fill.price * fill.signed);
                }
            }
            *portfolio.assets.entry(CASH).or_default() += cash;
        }
        portfolio
    }

    /// What fills would do to a subaccount's margin.
    pub(super) fn effect(&self, sub: &Subaccount, fills: &[LegFill]) -> Effect {
        Effect {
            before: self.margin_of(sub),
            after: self.margin(&self.after_fills(sub, fills)),
            orders: self.open_orders_margin(sub, None),
        }
    }

    /// 11020, 11027, 11000: can a subaccount bear the fills? The house always can.
    pub(super) fn bears(&self, id: u64, fills: &[LegFill]) -> Result<(), Refusal> {
        let sub = self.subs.get(&id).ok_or_else(|| Refusal::of(14001))?;
        if sub.house {
            return Ok(());
        }
        self.covers_sales(sub, fills)?;
        let effect = self.effect(sub, fills);
        if effect.before.maintenance() < Decimal::ZERO {
            return Err(Refusal::because(11027, "maintenance margin is negative"));
        }
        if effect.is_borne() {
            return Ok(());
        }
        let after = (effect.after.initial() + effect.orders).round_dp(2);
        Err(Refusal::because(11000, format!("initial margin would be {after}")))
    }

    /// Only USDC may be borrowed: what is sold, open sells included, stays within the balance.
    fn covers_sales(&self, sub: &Subaccount, fills: &[LegFill]) -> Result<(), Refusal> {
        for fill in fills.iter().filter(|f| f.signed < Decimal::ZERO) {
            let instrument = &self.instruments[fill.instrument];
            if instrument.kind != Kind::Erc20 {
                continue;
            }
            let selling = |o: &&Order| o.instrument == fill.instrument && o.side == Side::Sell;
            let resting: Decimal =
                sub.open.iter().filter_map(|id| self.orders.get(id)).filter(selling).map(Order::remaining).sum();
            let balance = sub.balance(instrument.base);
            if resting - fill.signed > balance {
                let held = format!("{} {balance}, open sells {resting}", instrument.base);
                return Err(Refusal::because(11020, held));
            }
        }
        Ok(())
    }

    /// PnL that fills would realise, with and without fees.
    pub(super) fn realised_by(&self, sub: &Subaccount, fills: &[LegFill]) -> (Decimal, Decimal) {
        let each = fills.iter().map(|fill| {
            let ix = fill.instrument;
            match self.instruments[ix].kind {
                Kind::Perp => {
                    let mut position = sub.positions.get(&ix).cloned().unwrap_or_default();
                    let aggregate = self.markets[ix].perp.aggregate_funding;
                    let traded = position.trade(fill.signed, fill.price, fill.fee, self.mark_of(ix), aggregate);
                    (traded.realized, traded.realized_excl)
                }
                Kind::Option => {
                    let mut position = sub.options.get(&ix).cloned().unwrap_or_default();
                    position.trade(fill.signed, fill.price, fill.fee)
                }
                Kind::Erc20 => {
                    let held = sub.holdings.get(self.instruments[ix].base);
                    held.cloned().unwrap_or_default().trade(fill.signed, fill.price, fill.fee)
                }
            }
        });
        each.fold((Decimal::ZERO, Decimal::ZERO), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

impl Effect {
    /// True if trading is allowed: initial margin stays at or above zero, or the trade only improves a sound account.
    pub fn is_borne(&self) -> bool {
        let improves = self.after.initial() >= self.before.initial() && self.after.maintenance() >= Decimal::ZERO;
        self.after.initial() + self.orders >= Decimal::ZERO || improves
    }

    /// The venue's words for why it is not (Derive §6, `invalid_reason`).
    pub fn complaint(&self, has_orders: bool) -> Option<&'static str> {
        if self.before.maintenance() < Decimal::ZERO {
            return Some("Account is currently under maintenance margin requirements, trading is frozen.");
        }
        if self.is_borne() {
            return None;
        }
        Some(if self.after.maintenance() < Decimal::ZERO {
            "This order would cause account to fall under maintenance margin requirements."
        } else if has_orders {
            "Insufficient buying power, consider reducing order size or canceling other orders."
        } else {
            "Insufficient buying power, consider reducing order size."
        })
    }
}
