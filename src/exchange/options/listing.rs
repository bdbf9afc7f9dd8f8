//! What is listed when: dailies for two days and Friday weeklies for three weeks, on a strike grid that follows spot.
//!
//! An option keeps its catalog place from listing on. Two weeks after settlement the place may go to a new option, so
//! that memory stays bounded however long the exchange runs; until then it answers as expired.

use super::{Chain, Pair, Settlement, Svi};
use crate::base::time::{Nanos, SEC};
use crate::exchange::catalog::{DEACTIVATION_S, Instrument, OptionSeries};
use crate::exchange::money::{constant, floor_to};
use crate::exchange::order::Status;
use crate::exchange::{Exchange, OrderId, market};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Currencies that have options.
pub const CURRENCIES: [&str; 2] = ["BTC", "ETH"];
const DAY_S: u64 = 86_400;
/// Options expire at 08:00 UTC.
const EXPIRY_OF_DAY_S: u64 = 8 * 3_600;
/// Days ahead with a daily expiry.
const DAILIES: u64 = 2;
/// Weeks ahead with a Friday expiry.
const WEEKLIES: u64 = 3;
/// An expiry closer than this is not listed any more, seconds.
const TOO_CLOSE_S: u64 = 3_600;
/// Seconds between two looks at expiries and grids.
const LOOK_EVERY_S: u64 = 60;
/// Strikes of one grid at most, whatever spot is.
const STRIKES_MAX: usize = 400;
/// A settled option's place is free for another after this long, seconds.
const KEEP_EXPIRED_S: u64 = 14 * DAY_S;

/// The expiries that should be listed at a moment: the next dailies and the next Fridays, ascending.
pub fn expiries_due(at_s: u64) -> BTreeSet<u64> {
    let first_day = (at_s + TOO_CLOSE_S).saturating_sub(EXPIRY_OF_DAY_S) / DAY_S + 1;
    let expiry = |day: u64| day * DAY_S + EXPIRY_OF_DAY_S;
    // 1970-01-02 was a Friday: day 1 of the epoch.
    let first_friday = first_day + (1 + 7 - first_day % 7) % 7;
    let dailies = (first_day..first_day + DAILIES).map(expiry);
    dailies.chain((0..WEEKLIES).map(|week| expiry(first_friday + 7 * week))).collect()
}

/// Distance of strikes and half-width of the grid as a share of spot.
pub fn grid(currency: &str, expiry_s: u64, spot: Decimal) -> (Decimal, Decimal) {
    let friday = (expiry_s / DAY_S) % 7 == 1;
    if currency == "BTC" {
        return (Decimal::from(1_000), constant("0.4"));
    }
    let step = if spot > Decimal::from(5_000) { 100 } else { 50 };
    // Nobody trades an ETH daily 40 % away; half the grid is plenty.
    (Decimal::from(step), constant(if friday { "0.4" } else { "0.2" }))
}

/// The strikes of a grid around spot that reach at least its half-width on both sides.
pub fn strikes(spot: Decimal, step: Decimal, half_width: Decimal) -> Vec<Decimal> {
    let low = floor_to(spot * (Decimal::ONE - half_width), step).max(step);
    let high = spot * (Decimal::ONE + half_width);
    let mut grid = vec![low];
    while grid.len() < STRIKES_MAX
        && let Some(last) = grid.last().filter(|last| **last < high)
    {
        grid.push(last + step);
    }
    grid
}

impl Exchange {
    /// Unix seconds of the listed, unsettled expiries of a currency, ascending.
    pub fn expiries(&self, currency: &str) -> Vec<u64> {
        self.chains.keys().filter(|(c, _)| *c == currency).map(|(_, expiry_s)| *expiry_s).collect()
    }

    /// Sets the volatility surface of an expiry. Numbers are cut to twelve decimals, as the feed states them; unknown
    /// expiries and surfaces that are none are ignored.
    pub fn set_vol(&mut self, currency: &str, expiry_s: u64, svi: Svi) {
        let at = self.now;
        if let Some(chain) = self.chain_mut(currency, expiry_s)
            && svi.is_sound()
        {
            (chain.svi, chain.vol_at) = (Some(svi.stated()), at);
        }
    }

    /// Sets the forward of an expiry as its distance from spot, USD; unknown expiries are ignored.
    pub fn set_forward(&mut self, currency: &str, expiry_s: u64, fwd_minus_spot: Decimal) {
        let at = self.now;
        if let Some(chain) = self.chain_mut(currency, expiry_s) {
            (chain.fwd_diff, chain.fwd_at) = (crate::exchange::money::truncate(fwd_minus_spot), at);
        }
    }

    /// The options of an expiry by strike: (strike, call name, put name).
    pub fn listed_options(&self, currency: &str, expiry_s: u64) -> Vec<(Decimal, String, String)> {
        let name = |ix: usize| self.instruments[ix].name.to_string();
        let chain = self.chain(currency, expiry_s).into_iter().flat_map(|c| &c.strikes);
        chain.map(|(strike, [call, put])| (*strike, name(*call), name(*put))).collect()
    }

    /// The live chain of an expiry.
    pub(in crate::exchange) fn chain(&self, currency: &str, expiry_s: u64) -> Option<&Chain> {
        let currency = CURRENCIES.into_iter().find(|c| *c == currency)?;
        self.chains.get(&(currency, expiry_s))
    }

    pub(super) fn chain_mut(&mut self, currency: &str, expiry_s: u64) -> Option<&mut Chain> {
        let currency = CURRENCIES.into_iter().find(|c| *c == currency)?;
        self.chains.get_mut(&(currency, expiry_s))
    }

    /// Settles, deactivates and lists what is due; returns when there is something to do again.
    pub(in crate::exchange) fn tend_options(&mut self, at: Nanos) -> Nanos {
        self.deactivate_options(at);
        self.settle_options(at);
        self.list_options(at);
        let look = (at.secs() / LOOK_EVERY_S + 1) * LOOK_EVERY_S;
        let closing = self.chains.iter().filter(|(_, c)| c.active).map(|((_, e), _)| e.saturating_sub(DEACTIVATION_S));
        let settling = self.chains.values().map(|c| c.settle_at_s).filter(|s| *s > at.secs());
        let next_s = closing.chain(settling).fold(look, u64::min);
        Nanos(next_s.max(at.secs() + 1) * SEC)
    }

    /// Lists what should be listed, extends grids that spot has walked across, and frees the places of long expired
    /// options.
    pub(in crate::exchange) fn list_options(&mut self, at: Nanos) {
        for currency in CURRENCIES {
            let spot = self.spot_price(currency);
            if spot.is_zero() {
                continue;
            }
            for expiry_s in expiries_due(at.secs()) {
                let (step, half_width) = grid(currency, expiry_s, spot);
                match self.chains.get(&(currency, expiry_s)) {
                    None => self.open_chain((currency, expiry_s), spot, (step, half_width), at),
                    Some(chain) => {
                        let (edge, step) = (half_width / Decimal::TWO, chain.step);
                        let low = chain.strikes.keys().next().is_none_or(|k| *k > spot * (Decimal::ONE - edge));
                        let high = chain.strikes.keys().next_back().is_none_or(|k| *k < spot * (Decimal::ONE + edge));
                        if low || high {
                            self.add_strikes((currency, expiry_s), &strikes(spot, step, half_width), at);
                        }
                    }
                }
            }
        }
        self.free_places(at);
    }

    fn open_chain(&mut self, key: (&'static str, u64), spot: Decimal, shape: (Decimal, Decimal), at: Nanos) {
        let (step, half_width) = shape;
        let chain = Chain {
            svi: None,
            vol_at: at,
            fwd_diff: Decimal::ZERO,
            fwd_at: at,
            strikes: BTreeMap::new(),
            step,
            active: true,
            window_start: None,
            window_end: None,
            settle_at_s: key.1,
        };
        self.chains.insert(key, chain);
        self.add_strikes(key, &strikes(spot, step, half_width), at);
    }

    fn add_strikes(&mut self, key: (&'static str, u64), wanted: &[Decimal], at: Nanos) {
        let Some(series) = OptionSeries::new(key.0, key.1, at.secs()) else { return };
        for strike in wanted {
            if self.chains.get(&key).is_none_or(|c| c.strikes.contains_key(strike)) {
                continue;
            }
            let (Some(call), Some(put)) = (series.option(*strike, true), series.option(*strike, false)) else {
                continue;
            };
            let pair = [self.list(call), self.list(put)];
            if let Some(chain) = self.chains.get_mut(&key) {
                chain.strikes.insert(*strike, pair);
            }
        }
    }

    /// Gives an option a place: a free one, or one at the end.
    fn list(&mut self, option: Instrument) -> usize {
        let ix = self.free.pop().unwrap_or(self.instruments.len());
        self.by_name.insert(option.name.clone(), ix);
        if ix == self.instruments.len() {
            self.instruments.push(option);
            self.markets.push(market::Market::default());
        } else {
            self.instruments[ix] = option;
            self.markets[ix] = market::Market::default();
        }
        ix
    }

    /// Stops trading of chains that are about to expire and cancels what rests in them.
    pub(in crate::exchange) fn deactivate_options(&mut self, at: Nanos) {
        let due = |(key, chain): (&(&'static str, u64), &Chain)| {
            (chain.active && at.secs() + DEACTIVATION_S >= key.1).then_some(*key)
        };
        let keys: Vec<_> = self.chains.iter().filter_map(due).collect();
        for key in keys {
            let Some(chain) = self.chains.get_mut(&key) else { continue };
            chain.active = false;
            let places: Vec<usize> = chain.strikes.values().copied().flat_map(Pair::into_iter).collect();
            for ix in &places {
                self.instruments[*ix].active = false;
                let resting: Vec<OrderId> = self.markets[*ix].book.orders().collect();
                for order in resting {
                    // The venue has no reason of its own for a market that closes.
                    self.end_order(order, Status::Expired, "", at);
                }
            }
            self.lapse_rfqs_in(&places, at);
        }
    }

    /// Frees the places of options settled long ago that no channel still names.
    fn free_places(&mut self, at: Nanos) {
        let old = |s: &&mut Settlement| !s.places.is_empty() && s.expiry_s + KEEP_EXPIRED_S <= at.secs();
        for settled in self.settled.iter_mut().filter(old) {
            let named: BTreeSet<usize> = self.topics.values().filter_map(|t| t.channel.instrument()).collect();
            let (kept, free) = std::mem::take(&mut settled.places).into_iter().partition(|ix| named.contains(ix));
            settled.places = kept;
            for ix in &free {
                self.by_name.remove(&self.instruments[*ix].name);
            }
            self.free.extend::<Vec<usize>>(free);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Friday 2026-11-20 08:00 UTC.
    const FRIDAY: u64 = 1_795_161_600;

    #[test]
    fn expiries_are_two_dailies_and_three_fridays() {
        let table: [(u64, &[u64]); 4] = [
            // Friday morning, an hour and a bit before its expiry: today still counts.
            (FRIDAY - 3_700, &[0, 1, 7, 14]),
            // Within the last hour it does not.
            (FRIDAY - 3_500, &[1, 2, 7, 14, 21]),
            // Wednesday noon: Thursday, and Friday is daily and weekly at once.
            (FRIDAY - 2 * DAY_S + 4 * 3_600, &[(u64::MAX), 0, 7, 14]),
            (FRIDAY + 60, &[1, 2, 7, 14, 21]),
        ];
        for (at_s, days) in table {
            let expected: BTreeSet<u64> =
                days.iter().map(|d| if *d == u64::MAX { FRIDAY - DAY_S } else { FRIDAY + d * DAY_S }).collect();
            assert_eq!(expiries_due(at_s), expected, "{at_s}");
        }
    }

    #[test]
    fn grids_follow_currency_tenor_and_price() {
        let spot = Decimal::from(3_010);
        let (step, width) = grid("ETH", FRIDAY, spot);
        let weekly = strikes(spot, step, width);
        assert_eq!((weekly[0], *weekly.last().expect("some")), (Decimal::from(1_800), Decimal::from(4_250)));
        assert!(weekly.windows(2).all(|w| w[1] - w[0] == Decimal::from(50)));
        assert_eq!(grid("ETH", FRIDAY, Decimal::from(5_001)).0, Decimal::from(100));
        assert_eq!(grid("ETH", FRIDAY + DAY_S, spot).1, constant("0.2"));
        assert_eq!(grid("BTC", FRIDAY + DAY_S, Decimal::from(90_000)), (Decimal::from(1_000), constant("0.4")));
        assert_eq!(strikes(Decimal::from(10), Decimal::from(50), constant("0.4")), vec![Decimal::from(50)]);
    }
}
