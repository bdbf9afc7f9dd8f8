//! Prices of an instrument: book, mark, index, band, and the shapes in which the public sees them.

use super::book::Book;
use super::catalog::{Asset, Instrument, Kind, MANAGER_SM, PERP_IM, PERP_MM, UNIVERSE};
use super::money::{ceil_to, constant, floor_to, json as decimal, truncate};
use super::perp::{self, Perp};
use super::stats::Stats;
use super::{Exchange, Refusal};
use crate::base::ids::Side;
use crate::base::time::Nanos;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// The living part of an instrument.
#[derive(Clone, Debug, Default)]
pub struct Market {
    /// Resting orders.
    pub book: Book,
    /// Mark and funding; meaningful for perps.
    pub perp: Perp,
    /// 24-hour statistics.
    pub stats: Stats,
    /// Sum of long positions.
    pub open_interest: Decimal,
    /// Number of the last book snapshot.
    pub publish_id: u64,
}

/// An oracle price.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spot {
    /// USD price.
    pub price: Decimal,
    /// When it was set.
    pub at: Nanos,
    /// Counts updates.
    pub version: u64,
    /// Price a day ago, or the oldest known.
    pub previous: Decimal,
    /// When that was.
    pub previous_at: Nanos,
    /// Sum of price × seconds up to `at`.
    pub aggregate: Decimal,
}

impl Spot {
    /// Sum of price × seconds at a moment since which the price has not changed, truncated to twelve decimals.
    pub fn aggregate_at(&self, moment: Nanos) -> Decimal {
        let ns = i128::from(moment.0) - i128::from(self.at.0);
        truncate(self.aggregate + self.price * Decimal::from_i128_with_scale(ns, 9))
    }

    /// A new price from `at` on.
    pub fn set(&mut self, price: Decimal, at: Nanos) {
        if self.version > 0 {
            self.aggregate = self.aggregate_at(at.max(self.at));
        }
        (self.price, self.at, self.version) = (price, at.max(self.at), self.version + 1);
    }
}

/// Half-width of the price band (Derive §8.3).
const BAND: &str = "0.02";

impl Exchange {
    /// The catalog place of an instrument, or 12001.
    pub(super) fn find_instrument(&self, name: &str) -> Result<usize, Refusal> {
        let found = self.by_name.get(name).copied();
        found.ok_or_else(|| Refusal::because(12001, name.chars().take(64).collect::<String>()))
    }

    /// An asset by name.
    pub(super) fn find_asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|a| a.name == name)
    }

    /// Oracle price of a currency, zero while unknown. USDC is one dollar until told otherwise.
    pub(super) fn spot_price(&self, currency: &str) -> Decimal {
        self.spots.get(currency).map_or(Decimal::ZERO, |s| s.price)
    }

    /// Index price of an instrument.
    pub(super) fn index_of(&self, ix: usize) -> Decimal {
        self.spot_price(self.instruments[ix].base)
    }

    /// Mark price of an instrument.
    pub(super) fn mark_of(&self, ix: usize) -> Decimal {
        let index = self.index_of(ix);
        match self.instruments[ix].kind {
            Kind::Erc20 => index,
            Kind::Perp => truncate(index + self.markets[ix].perp.diff()),
            Kind::Option => self.instruments[ix].terms.map_or(Decimal::ZERO, |terms| self.mark_of_option(ix, &terms)),
        }
    }

    /// Lowest price at which a seller and highest at which a buyer may take, rounded inward to the tick.
    pub(super) fn band(&self, ix: usize) -> (Decimal, Decimal) {
        let instrument = &self.instruments[ix];
        if let Some(terms) = instrument.terms {
            return self.option_band(ix, &terms);
        }
        let wide = Decimal::ONE + constant(BAND);
        let (index, shift) = (self.index_of(ix), self.mark_of(ix) - self.index_of(ix));
        let low = ceil_to(truncate(index / wide) + shift, instrument.tick);
        let high = floor_to(truncate(index * wide) + shift, instrument.tick);
        (low, high)
    }

    /// The `Instrument` schema.
    pub(super) fn instrument_json(&self, ix: usize) -> Value {
        let Instrument { name, kind, base, address, sub_id, tick, step, minimum, maximum, .. } = &self.instruments[ix];
        let Instrument { maker_fee, taker_fee, base_fee, fee_cap, active, activation_s, deactivation_s, .. } =
            &self.instruments[ix];
        json!({
            "instrument_name": name, "instrument_type": kind.wire(), "base_currency": base,
            "quote_currency": if *kind == Kind::Erc20 { "USDC" } else { "USD" },
            "base_asset_address": address.to_string(), "base_asset_sub_id": sub_id.to_string(),
            "tick_size": decimal(*tick), "amount_step": decimal(*step), "minimum_amount": decimal(*minimum),
            "maximum_amount": decimal(*maximum), "maker_fee_rate": decimal(*maker_fee),
            "taker_fee_rate": decimal(*taker_fee), "base_fee": decimal(*base_fee), "mark_price_fee_rate_cap": decimal(*fee_cap),
            "pro_rata_fraction": "0", "fifo_min_allocation": "0", "pro_rata_amount_step": "1",
            "risk_universe_id": UNIVERSE, "is_active": active, "scheduled_activation": activation_s,
            "scheduled_deactivation": deactivation_s, "option_details": self.option_json(ix),
            "perp_details": (*kind == Kind::Perp).then(|| self.perp_json(ix)),
            "erc20_details": (*kind == Kind::Erc20).then(|| self.erc20_json(base)),
        })
    }

    fn option_json(&self, ix: usize) -> Value {
        let Instrument { terms: Some(terms), settlement, .. } = &self.instruments[ix] else { return Value::Null };
        json!({
            "expiry": terms.expiry_s, "strike": decimal(terms.strike), "option_type": if terms.call { "C" } else { "P" },
            "index": format!("{}-USD", terms.currency), "settlement_price": settlement.map(super::money::text),
        })
    }

    fn perp_json(&self, ix: usize) -> Value {
        let perp = &self.markets[ix].perp;
        json!({
            "index": format!("{}-USD", self.instruments[ix].base), "funding_rate": decimal(perp.rate),
            "aggregate_funding": perp.aggregate_funding.normalize().to_string(),
            "max_rate_per_hour": decimal(perp::rate_cap()), "min_rate_per_hour": decimal(-perp::rate_cap()),
            "srm_perp_margin_requirements": perp_requirements(),
        })
    }

    fn erc20_json(&self, asset: &str) -> Value {
        let (decimals, underlying) =
            self.find_asset(asset).map_or((18, String::new()), |a| (a.decimals, a.underlying.to_string()));
        json!({ "decimals": decimals, "underlying_erc20_address": underlying, "borrow_index": "1", "supply_index": "1" })
    }

    /// The slim ticker.
    pub(super) fn ticker_json(&self, ix: usize, at: Nanos) -> Value {
        let market = &self.markets[ix];
        let best = |side| market.book.levels(side, self.instruments[ix].tick, 1).first().copied().unwrap_or_default();
        let ((bid, bid_amount), (ask, ask_amount)) = (best(Side::Buy), best(Side::Sell));
        let (low, high) = self.band(ix);
        let perp = self.instruments[ix].kind == Kind::Perp;
        let mut row = json!({
            "t": at.ms(), "a": decimal(ask), "A": decimal(ask_amount), "b": decimal(bid), "B": decimal(bid_amount),
            "f": perp.then(|| super::money::text(market.perp.rate)), "I": decimal(self.index_of(ix)),
            "M": decimal(self.mark_of(ix)), "minp": decimal(low), "maxp": decimal(high),
        });
        row["option_pricing"] = self.option_pricing_json(ix);
        row["stats"] = market.stats.json(at, market.open_interest);
        row
    }

    /// A book snapshot.
    pub(super) fn book_json(&self, ix: usize, group: u64, depth: usize, at: Nanos) -> Value {
        let market = &self.markets[ix];
        let group = self.instruments[ix].tick * Decimal::from(group);
        let side = |side| -> Vec<Value> {
            let levels = market.book.levels(side, group, depth);
            levels.into_iter().map(|(price, amount)| json!([decimal(price), decimal(amount)])).collect()
        };
        json!({
            "instrument_name": self.instruments[ix].name, "publish_id": market.publish_id,
            "timestamp": at.ms(), "bids": side(Side::Buy), "asks": side(Side::Sell),
        })
    }

    /// The spot feed of one currency, or of all.
    pub(super) fn spot_json(&self, currency: Option<&str>, at: Nanos) -> Value {
        let wanted = self.spots.iter().filter(|(name, _)| currency.is_none_or(|c| c == **name));
        let feeds: serde_json::Map<String, Value> = wanted
            .map(|(name, spot)| {
                let feed = json!({
                    "price": decimal(spot.price), "confidence": "1", "price_prev_daily": decimal(spot.previous),
                    "confidence_prev_daily": "1", "timestamp_prev_daily": spot.previous_at.ms(),
                });
                (name.to_string(), feed)
            })
            .collect();
        json!({ "timestamp": at.ms(), "feeds": feeds })
    }

    /// The `Currency` schema.
    pub(super) fn currency_json(&self, asset: &Asset) -> Value {
        let perp = self.find_instrument(&format!("{}-PERP", asset.name)).ok();
        let universe = |oi: Decimal| {
            json!({
                "risk_universe_id": UNIVERSE, "risk_universe_name": "PRIME",
                "oi": { "current_open_interest": decimal(oi), "interest_cap": "1000000000" },
            })
        };
        let perp_entry = perp.map(|ix| {
            let mut universe = universe(self.markets[ix].open_interest);
            universe["srm_perp_margin_requirements"] = perp_requirements();
            let instrument = &self.instruments[ix];
            json!({ "name": instrument.name, "address": instrument.address.to_string(), "universes": [universe] })
        });
        let mut spot_universe = universe(Decimal::ZERO);
        spot_universe["srm_im_discount"] = decimal(asset.im_factor);
        spot_universe["srm_mm_discount"] = decimal(asset.mm_factor);
        spot_universe["pm2_im_discount"] = json!("0");
        spot_universe["pm2_mm_discount"] = json!("0");
        spot_universe["lending"] = self.lending_json(asset);
        let spot = json!({
            "name": asset.name, "address": asset.address.to_string(), "min_deposit_usd": "0",
            "erc20": { "decimals": asset.decimals, "underlying_erc20": asset.underlying.to_string() },
            "universes": [spot_universe],
        });
        let spot_24h = self.spots.get(asset.name).map(|s| super::money::text(s.previous));
        json!({
            "currency": asset.name, "market_type": if perp.is_some() { "ALL" } else { "SRM_BASE_ONLY" },
            "managers": [{
                "risk_universe_id": UNIVERSE, "risk_universe_name": "PRIME", "sm": MANAGER_SM, "pm": null,
            }],
            "option": self.option_entry_json(asset.name), "perp": perp_entry, "spot": [spot],
            "spot_price": decimal(self.spot_price(asset.name)), "spot_price_24h": spot_24h,
        })
    }

    fn option_entry_json(&self, currency: &str) -> Value {
        let Some(address) = super::catalog::option_asset(currency) else { return Value::Null };
        let of_currency = self.chains.iter().filter(|((c, _), _)| *c == currency);
        let places = of_currency.flat_map(|(_, chain)| chain.strikes.values().copied().flatten());
        let interest: Decimal = places.map(|ix| self.markets[ix].open_interest).sum();
        json!({
            "name": format!("{currency}-OPTION"), "address": address.to_string(),
            "universes": [{
                "risk_universe_id": UNIVERSE, "risk_universe_name": "PRIME",
                "oi": { "current_open_interest": decimal(interest), "interest_cap": "1000000000" },
            }],
        })
    }

    fn lending_json(&self, asset: &Asset) -> Value {
        if asset.name != super::catalog::CASH {
            return Value::Null;
        }
        json!({
            "borrow_apy": decimal(self.lending.borrow_rate), "supply_apy": decimal(self.lending.supply_rate),
            "total_borrow": decimal(self.lending.total_borrow), "total_borrow_cap": "1000000000",
        })
    }
}

fn perp_requirements() -> Value {
    let leverage = (Decimal::ONE / constant(PERP_IM)).round_dp(6);
    json!({ "im_perp_req": PERP_IM, "mm_perp_req": PERP_MM, "max_leverage": decimal(leverage) })
}
