//! What an option is worth now: forward of its expiry, volatility at its strike, Black-76; computed when asked for.
//!
//! Time counts in whole seconds, as on chain. In the last half hour the forward blends the average of spot seen so far with spot for the time that is left
//! (Derive §8.4), so that at expiry it is the settlement price itself.

use super::black76::{Greeks, Option76, YEAR_S};
use super::svi::{to_decimal, to_f64};
use super::{Chain, Svi, WINDOW_S};
use crate::base::ids::Side;
use crate::base::time::{Nanos, SEC};
use crate::exchange::Exchange;
use crate::exchange::catalog::OptionTerms;
use crate::exchange::market::Spot;
use crate::exchange::money::{ceil_to, floor_to, json as decimal, truncate};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Share by which spot is shocked for the price band of options.
const BAND_SPOT: f64 = 0.02;
/// Share by which volatility is shocked for the price band. The venue's table is unpublished; a quarter leaves room for
/// an auction that walks a fifth of the volatility away from the mark.
const BAND_VOL: f64 = 0.25;

/// The exchange's valuation of one option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionMark {
    /// Mark price of one unit, USD.
    pub price: Decimal,
    /// Forward of the expiry, USD.
    pub forward: Decimal,
    /// Volatility at the strike, 0.6 = 60 %.
    pub vol: f64,
    /// Years to expiry.
    pub years: f64,
    /// Change of price per unit of forward.
    pub delta: f64,
    /// Change of price per point (1 %) of volatility.
    pub vega: f64,
}

/// Spot aggregates of a settlement window, in USD × seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the window opened.
    pub start: Decimal,
    /// Now, or at expiry.
    pub latest: Decimal,
}

impl Chain {
    /// The settlement window of an expiry if it has opened, up to the whole second before `now`.
    pub fn window(&self, expiry_s: u64, spot: &Spot, now: Nanos) -> Option<Window> {
        let (opens, closes) = window_of(expiry_s);
        let now = Nanos(now.secs() * SEC);
        (now >= opens).then(|| Window {
            start: self.window_start.unwrap_or_else(|| spot.aggregate_at(opens)),
            latest: self.window_end.unwrap_or_else(|| spot.aggregate_at(now.min(closes))),
        })
    }
}

/// First and last moment of the settlement window.
pub fn window_of(expiry_s: u64) -> (Nanos, Nanos) {
    (Nanos(expiry_s.saturating_sub(WINDOW_S).saturating_mul(SEC)), Nanos(expiry_s.saturating_mul(SEC)))
}

fn years_between(now: Nanos, expiry_s: u64) -> f64 {
    expiry_s.saturating_sub(now.secs()) as f64 / YEAR_S
}

impl Exchange {
    /// Valuation of a listed option; `None` if there is none of that name or it is settled.
    pub fn option_mark(&self, name: &str) -> Option<OptionMark> {
        let ix = self.find_instrument(name).ok()?;
        let terms = self.instruments[ix].terms?;
        let option = self.valued(&terms)?;
        let greeks = option.greeks();
        Some(OptionMark {
            price: to_decimal(option.price()),
            forward: self.forward(terms.expiry())?,
            vol: option.vol,
            years: option.years,
            delta: greeks.delta,
            vega: greeks.vega,
        })
    }

    /// Notes spot aggregates at the edges of settlement windows that a new price is about to step over.
    pub(in crate::exchange) fn note_windows(&mut self, currency: &'static str, at: Nanos) {
        let Some(spot) = self.spots.get(currency) else { return };
        for ((_, expiry_s), chain) in self.chains.range_mut((currency, 0)..=(currency, u64::MAX)) {
            let (opens, closes) = window_of(*expiry_s);
            if at >= opens && chain.window_start.is_none() {
                chain.window_start = Some(spot.aggregate_at(opens));
            }
            if at >= closes && chain.window_end.is_none() {
                chain.window_end = Some(spot.aggregate_at(closes));
            }
        }
    }

    /// Forward of an expiry, USD; `None` once it is settled.
    pub(in crate::exchange) fn forward(&self, (currency, expiry_s): (&str, u64)) -> Option<Decimal> {
        let chain = self.chain(currency, expiry_s)?;
        let spot = self.spots.get(currency)?;
        let live = spot.price + chain.fwd_diff;
        let Some(window) = chain.window(expiry_s, spot, self.now) else { return Some(live) };
        let left_s = Decimal::from(expiry_s.saturating_sub(self.now.secs()));
        Some(truncate((window.latest - window.start + live * left_s) / Decimal::from(WINDOW_S)))
    }

    /// The volatility surface in force for an expiry.
    pub(super) fn surface_of(&self, currency: &'static str, expiry_s: u64) -> Option<Svi> {
        let set = self.chain(currency, expiry_s)?.svi;
        set.or_else(|| {
            let forward = to_f64(self.forward((currency, expiry_s))?);
            Some(Svi::typical(currency, forward, years_between(self.now, expiry_s)))
        })
    }

    /// The pricing inputs of an option now.
    fn valued(&self, terms: &OptionTerms) -> Option<Option76> {
        let forward = to_f64(self.forward(terms.expiry())?);
        let strike = to_f64(terms.strike);
        Some(Option76 {
            forward,
            strike,
            vol: self.surface_of(terms.currency, terms.expiry_s)?.vol(strike),
            years: years_between(self.now, terms.expiry_s),
            call: terms.call,
        })
    }

    /// Mark price; what it paid once settled.
    pub(in crate::exchange) fn mark_of_option(&self, ix: usize, terms: &OptionTerms) -> Decimal {
        let live = self.valued(terms).map(|o| to_decimal(o.price()));
        let settled = || self.instruments[ix].settlement.map(|price| terms.payoff(price));
        live.or_else(settled).unwrap_or_default()
    }

    /// Sensitivities of one unit.
    pub(in crate::exchange) fn greeks_of(&self, terms: &OptionTerms) -> Greeks {
        self.valued(terms).map(|o| o.greeks()).unwrap_or_default()
    }

    /// Lowest price at which a seller and highest at which a buyer may take: the option at shocked spot and volatility,
    /// rounded inward, at least one tick.
    pub(in crate::exchange) fn option_band(&self, ix: usize, terms: &OptionTerms) -> (Decimal, Decimal) {
        let tick = self.instruments[ix].tick;
        let Some(option) = self.valued(terms) else { return (tick, tick) };
        let spot = to_f64(self.spot_price(terms.currency));
        let (up, down) = (option.forward + spot * BAND_SPOT, option.forward - spot * (1.0 - 1.0 / (1.0 + BAND_SPOT)));
        let (low, high) = if option.call { (down, up) } else { (up, down) };
        let shocked = |forward, vol| to_decimal(Option76 { forward, vol, ..option }.price());
        let low = shocked(low, option.vol / (1.0 + BAND_VOL));
        let high = shocked(high, option.vol * (1.0 + BAND_VOL));
        (ceil_to(low, tick).max(tick), floor_to(high, tick).max(tick))
    }

    /// The `OptionPricing` schema; `null` for anything but a live option.
    pub(in crate::exchange) fn option_pricing_json(&self, ix: usize) -> Value {
        let Some(terms) = self.instruments[ix].terms else { return Value::Null };
        let Some(option) = self.valued(&terms) else { return Value::Null };
        let best = |side| self.markets[ix].book.best(side).map_or(0.0, |r| option.implied(to_f64(r.price)));
        let greeks = option.greeks();
        let short = |x: f64| decimal(to_decimal(x).round_dp(8));
        json!({
            "d": short(greeks.delta), "g": short(greeks.gamma), "v": short(greeks.vega), "t": short(greeks.theta),
            "r": short(greeks.rho), "i": decimal(to_decimal(option.vol)), "ai": short(best(Side::Sell)),
            "bi": short(best(Side::Buy)), "f": decimal(to_decimal(option.forward)), "df": "1",
            "m": decimal(to_decimal(option.price())),
        })
    }
}
