//! Dealers who answer requests for quotes: blind, late, around their own view, and not always.
//!
//! A dealer sees a request after its latency, decides once whether it takes part in this lot at all, quotes one or both
//! directions worse than the surface by a width of its own, leans against what it already holds, and now and then
//! betters, renews or withdraws what it said.

use super::super::draws::Draws;
use super::super::path::Coin;
use super::view::Grid;
use crate::base::ids::Uuid;
use crate::base::time::{MS, Nanos};
use crate::exchange::{Exchange, HouseRfq, Outbox};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// How a group of dealers behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manners {
    /// Number of dealers, at most eight.
    pub dealers: u32,
    /// Share of lots a dealer ignores.
    pub silent: f64,
    /// Share of requests answered in the direction the dealer would rather have, and no other.
    pub one_sided: f64,
    /// Time from request to first quote, seconds.
    pub latency_s: (f64, f64),
    /// How much worse than the surface a quote is, as a share of the package's worth.
    pub width: (f64, f64),
    /// Share of looks, every 8 to 30 seconds, at which a quote is withdrawn for good.
    pub withdraw: f64,
    /// Share of looks at which it is renewed.
    pub renew: f64,
    /// Share of quotes for a part of the request, where it allows parts.
    pub partial: f64,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            dealers: 4,
            silent: 0.2,
            one_sided: 0.35,
            latency_s: (0.2, 4.0),
            width: (0.02, 0.30),
            withdraw: 0.12,
            renew: 0.6,
            partial: 0.3,
        }
    }
}

impl Manners {
    /// Few dealers, often silent and dear.
    pub fn thin() -> Manners {
        Manners { dealers: 3, silent: 0.6, width: (0.15, 0.6), ..Manners::default() }
    }
}

/// What dealers did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deals {
    /// Requests seen, once by each dealer.
    pub seen: u64,
    /// Of those, ignored.
    pub silent: u64,
    /// Quotes sent.
    pub quotes: u64,
    /// Of those, for a part.
    pub partial: u64,
    /// Quotes the exchange refused.
    pub refused: u64,
    /// Quotes taken back for good.
    pub withdrawn: u64,
    /// Quotes replaced by others.
    pub renewed: u64,
}

/// A dealer's part in one request.
#[derive(Debug)]
struct Lot {
    rfq: Uuid,
    due: Nanos,
    /// Directions still quoted: buys the package, sells the package.
    sides: [bool; 2],
    quotes: Vec<Uuid>,
    /// How much worse than the surface, as a share of worth.
    width: f64,
    silent: bool,
}

/// One dealer.
#[derive(Debug)]
struct Dealer {
    account: u64,
    /// Its opinion of every package, as a share of worth.
    bias: f64,
    lots: Vec<Lot>,
}

/// All dealers.
#[derive(Debug)]
pub struct Dealers {
    manners: Manners,
    dealers: Vec<Dealer>,
    draws: Draws,
    deals: Deals,
}

impl Dealers {
    /// Opens the accounts.
    pub fn open(ex: &mut Exchange, seed: u64, manners: Manners) -> Dealers {
        let mut draws = Draws::new(seed, 30);
        let cash = [("USDC", Decimal::from(4_000_000_000u64))];
        let dealers = (1..=manners.dealers.min(8))
            .map(|number| Dealer {
                account: ex.house_account(&format!("dealer {number}"), &cash),
                bias: draws.between(-0.03, 0.03),
                lots: Vec::new(),
            })
            .collect();
        Dealers { manners, dealers, draws, deals: Deals::default() }
    }

    /// What they did so far.
    pub fn deals(&self) -> Deals {
        self.deals
    }

    /// Lets everybody look at the open requests.
    pub fn act(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) {
        let open = ex.house_rfqs();
        let Dealers { manners, dealers, draws, deals } = self;
        for dealer in dealers {
            dealer.lots.retain(|lot| open.iter().any(|rfq| rfq.id == lot.rfq));
            for rfq in &open {
                if !dealer.lots.iter().any(|lot| lot.rfq == rfq.id) {
                    let lot = Lot::seen(manners, rfq, draws);
                    deals.seen += 1;
                    deals.silent += u64::from(lot.silent);
                    dealer.lots.push(lot);
                }
            }
            for place in 0..dealer.lots.len() {
                let Some(rfq) = open.iter().find(|rfq| rfq.id == dealer.lots[place].rfq) else { continue };
                if at >= dealer.lots[place].due && !dealer.lots[place].silent {
                    dealer.look(place, rfq, manners, ex, at, (draws, deals), out);
                }
            }
        }
    }
}

fn after_s(at: Nanos, seconds: f64) -> Nanos {
    at.plus((seconds * 1_000.0) as u64 * MS)
}

impl Lot {
    fn seen(manners: &Manners, rfq: &HouseRfq, draws: &mut Draws) -> Lot {
        let due = after_s(rfq.created_at, draws.between(manners.latency_s.0, manners.latency_s.1));
        let silent = draws.happens(manners.silent);
        let preferred = usize::from(draws.happens(0.5));
        let mut sides = [true; 2];
        if draws.happens(manners.one_sided) {
            sides[preferred] = false;
        }
        let width = draws.between(manners.width.0, manners.width.1);
        Lot { rfq: rfq.id, due, sides, quotes: Vec::new(), width, silent }
    }
}

impl Dealer {
    /// The first look quotes; each later one withdraws, renews or leaves things as they are.
    #[allow(clippy::too_many_arguments)]
    fn look(
        &mut self,
        place: usize,
        rfq: &HouseRfq,
        manners: &Manners,
        ex: &mut Exchange,
        at: Nanos,
        (draws, deals): (&mut Draws, &mut Deals),
        out: &mut Outbox,
    ) {
        let lot = &mut self.lots[place];
        lot.due = after_s(at, draws.between(8.0, 30.0));
        if !lot.quotes.is_empty() {
            let (withdraws, renews) = (draws.happens(manners.withdraw), draws.happens(manners.renew));
            if !withdraws && !renews {
                return;
            }
            for quote in lot.quotes.drain(..) {
                ex.house_cancel_quote(self.account, quote, at, out);
            }
            if withdraws {
                (lot.silent, deals.withdrawn) = (true, deals.withdrawn + 1);
                return;
            }
            deals.renewed += 1;
            lot.width = (lot.width * draws.between(0.7, 1.1)).clamp(manners.width.0, manners.width.1);
        }
        self.quote(place, rfq, manners, ex, at, (draws, deals), out);
    }

    #[allow(clippy::too_many_arguments)]
    fn quote(
        &mut self,
        place: usize,
        rfq: &HouseRfq,
        manners: &Manners,
        ex: &mut Exchange,
        at: Nanos,
        (draws, deals): (&mut Draws, &mut Deals),
        out: &mut Outbox,
    ) {
        let Some(package) = Package::of(rfq, ex) else { return };
        let crowded = crowded(ex, self.account, rfq);
        let opinion = self.bias + 0.01 * draws.normal();
        let fill = share(rfq, manners, draws);
        let lot = &mut self.lots[place];
        for (side, buy) in [(0, true), (1, false)] {
            if !lot.sides[side] {
                continue;
            }
            // Whoever holds a lot of this already wants more for taking more of it.
            let held = if buy { crowded } else { -crowded };
            let width = lot.width + 0.03 * held.max(0.0);
            let shift = package.size() * if buy { opinion - width } else { opinion + width };
            let Some(prices) = package.prices(shift, buy) else { continue };
            deals.quotes += 1;
            deals.partial += u64::from(fill < Decimal::ONE - rfq.filled_pct);
            match ex.house_quote(self.account, rfq.id, buy, &prices, fill, at, out) {
                Ok(quote) => lot.quotes.push(quote),
                Err(_) => deals.refused += 1,
            }
        }
    }
}

/// The share of a request to quote: all that is left of it, or a part.
fn share(rfq: &HouseRfq, manners: &Manners, draws: &mut Draws) -> Decimal {
    let left = Decimal::ONE - rfq.filled_pct;
    let step = rfq.partial_fill_step;
    let steps = if step.is_zero() { 1 } else { (left / step).trunc().to_u32().unwrap_or(1) };
    if steps < 2 || !draws.happens(manners.partial) {
        return left;
    }
    let chosen = 1 + (draws.uniform() * f64::from(steps - 1)) as u32;
    step * Decimal::from(chosen)
}

/// How many times the package a dealer already holds, positive if long; at most five.
fn crowded(ex: &Exchange, account: u64, rfq: &HouseRfq) -> f64 {
    let (Some(leg), Some(report)) = (rfq.legs.first(), ex.subaccount_report(account)) else { return 0.0 };
    let held = report.positions.get(&*leg.instrument).map_or(Decimal::ZERO, |position| position.amount);
    let signed = if leg.buy { held } else { -held };
    (signed / leg.amount).to_f64().unwrap_or_default().clamp(-5.0, 5.0)
}

/// A package with what the market thinks of it.
struct Package {
    grid: Grid,
    /// Worth of one unit and signed amount (positive: bought) of each leg.
    legs: Vec<(f64, f64)>,
}

impl Package {
    /// `None` if it is not made of options with a mark.
    fn of(rfq: &HouseRfq, ex: &Exchange) -> Option<Package> {
        let first = rfq.legs.first()?;
        let coin = Coin::ALL.into_iter().find(|coin| first.instrument.starts_with(coin.currency()))?;
        let legs = rfq.legs.iter().map(|leg| {
            let mark = ex.mark(&leg.instrument).to_f64().filter(|mark| *mark > 0.0)?;
            let amount = leg.amount.to_f64()?;
            Some((mark, if leg.buy { amount } else { -amount }))
        });
        Some(Package { grid: Grid::options(coin), legs: legs.collect::<Option<_>>()? })
    }

    /// Absolute worth, to which opinions and widths are relative.
    fn size(&self) -> f64 {
        self.legs.iter().map(|(worth, amount)| worth * amount).sum::<f64>().abs()
    }

    /// Leg prices that cost `shift` more than the package's worth in all, rounded in the dealer's favour: the dearest
    /// leg takes shift and rounding. `None` if that leg would cost nothing.
    fn prices(&self, shift: f64, buy: bool) -> Option<Vec<Decimal>> {
        let mut prices: Vec<Decimal> = self.legs.iter().map(|(worth, _)| at_least(self.grid, *worth)).collect();
        let dearest = (0..self.legs.len()).max_by(|a, b| self.legs[*a].0.total_cmp(&self.legs[*b].0))?;
        let others = (0..self.legs.len()).filter(|place| *place != dearest);
        let told: f64 = others.map(|i| prices[i].to_f64().unwrap_or_default() * self.legs[i].1).sum();
        let wanted: f64 = self.legs.iter().map(|(worth, amount)| worth * amount).sum::<f64>() + shift;
        let amount = self.legs[dearest].1;
        // A seller of the package rounds its cost up, a buyer down; a leg that is sold turns that around.
        let up = (amount > 0.0) != buy;
        prices[dearest] = self.grid.price((wanted - told) / amount, up);
        (prices[dearest] > Decimal::ZERO).then_some(prices)
    }
}

/// The nearest tick, but never nothing.
fn at_least(grid: Grid, worth: f64) -> Decimal {
    grid.price(worth + grid.tick().to_f64().unwrap_or_default() / 2.0, false).max(grid.tick())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_add_up_to_what_was_wanted_within_a_tick_in_the_dealers_favour() {
        // A short call spread: the taker sells 3100 at 11.37 and buys 3200 at 4.92, twenty of each.
        let package = Package { grid: Grid::options(Coin::Eth), legs: vec![(11.37, -20.0), (4.92, 20.0)] };
        assert!((package.size() - 129.0).abs() < 1e-9);
        for (shift, buy) in [(12.9, false), (-12.9, true), (0.0, false), (0.0, true)] {
            let prices = package.prices(shift, buy).expect("not free");
            let cost: f64 = prices.iter().zip(&package.legs).map(|(p, (_, a))| p.to_f64().expect("small") * a).sum();
            let wanted = -129.0 + shift;
            let favour = if buy { wanted - cost } else { cost - wanted };
            assert!((-1e-6..=2.0 + 1e-6).contains(&favour), "{shift} {buy}: {cost} for {wanted}");
        }
        assert!(package.prices(400.0, false).is_none(), "the dearest leg cannot have a negative price");
    }
}
