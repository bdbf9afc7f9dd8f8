//! Listings as the venue publishes them (`get_instrument`, `get_instruments`, `get_all_instruments`), at start only.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::hex;
use serde::Deserialize;

use crate::base::ids::{InstrumentId, Name, Right};
use crate::base::num::{NumError, Ratio};
use crate::derive::encode::text::is_plain;
use crate::market::instrument::{Instrument, Kind, OptionTerms};

/// An instrument with what only some kinds have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What trading needs.
    pub instrument: Instrument,
    /// Quote currency, e.g. `USDC`.
    pub quote_currency: String,
    /// Risk universe, if the venue names one.
    pub risk_universe: Option<u64>,
    /// Standard-margin requirements of a perp, where published.
    pub perp_margin: Option<PerpMargin>,
    /// When trading ends, unix seconds.
    pub deactivates_sec: u64,
}

/// Standard-margin requirements of a perp, as shares of notional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerpMargin {
    /// Initial.
    pub initial: Ratio,
    /// Maintenance.
    pub maintenance: Ratio,
}

/// Why a listing is not accepted.
#[derive(Debug)]
pub enum ListingError {
    /// Not the documented JSON.
    Json(serde_json::Error),
    /// A field holds something we cannot use.
    Field {
        /// The instrument.
        instrument: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// More instruments than ids.
    TooMany,
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListingError::Json(error) => write!(f, "instrument listing is not as documented: {error}"),
            ListingError::Field { instrument, field, why } => write!(f, "instrument {instrument}: {field}: {why}"),
            ListingError::TooMany => f.write_str("more than 65536 instruments listed"),
        }
    }
}

impl std::error::Error for ListingError {}

#[derive(Deserialize)]
struct Row {
    instrument_name: String,
    instrument_type: String,
    base_currency: String,
    quote_currency: String,
    base_asset_address: String,
    base_asset_sub_id: String,
    tick_size: String,
    amount_step: String,
    minimum_amount: String,
    maximum_amount: String,
    maker_fee_rate: String,
    taker_fee_rate: String,
    base_fee: String,
    is_active: bool,
    mark_price_fee_rate_cap: Option<String>,
    risk_universe_id: Option<u64>,
    option_details: Option<OptionRow>,
    perp_details: Option<PerpRow>,
    scheduled_deactivation: u64,
}

#[derive(Deserialize)]
struct OptionRow {
    expiry: u64,
    strike: String,
    option_type: String,
}

#[derive(Deserialize)]
struct PerpRow {
    srm_perp_margin_requirements: Option<MarginRow>,
}

#[derive(Deserialize)]
struct MarginRow {
    im_perp_req: String,
    mm_perp_req: String,
}

/// The result of any of the three methods.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rows {
    Page { instruments: Vec<Row> },
    List(Vec<Row>),
    One(Box<Row>),
}

/// Reads the `result` of `get_instrument`, `get_instruments` or one page of `get_all_instruments`;
/// ids count up from `first`.
pub fn listings(result: &[u8], first: InstrumentId) -> Result<Vec<Listing>, ListingError> {
    let rows = match serde_json::from_slice(result).map_err(ListingError::Json)? {
        Rows::Page { instruments } | Rows::List(instruments) => instruments,
        Rows::One(row) => vec![*row],
    };
    let id = |place: usize| {
        let id = usize::from(first.0) + place;
        u16::try_from(id).map(InstrumentId).map_err(|_| ListingError::TooMany)
    };
    rows.into_iter().enumerate().map(|(place, row)| row.listing(id(place)?)).collect()
}

/// True for what needs no escape in a frame and no quotes in a letter: names go into both.
fn is_word(name: &str) -> bool {
    is_plain(name.as_bytes()) && !name.contains(' ')
}

impl Row {
    fn listing(self, id: InstrumentId) -> Result<Listing, ListingError> {
        let kind = match self.instrument_type.as_str() {
            "erc20" => Kind::Spot,
            "perp" => Kind::Perp,
            "option" => Kind::Option,
            other => return Err(self.wrong("instrument_type", format!("{other:?} is not erc20, perp or option"))),
        };
        let asset = hex::decode_to_array(&self.base_asset_address).map_err(|_| {
            self.wrong("base_asset_address", format!("{:?} is not an address", self.base_asset_address))
        })?;
        let sub_id = self
            .base_asset_sub_id
            .parse()
            .map_err(|_| self.wrong("base_asset_sub_id", format!("{:?} is not a number", self.base_asset_sub_id)))?;
        let instrument = Instrument {
            id,
            name: self.name("instrument_name", &self.instrument_name)?,
            kind,
            base_currency: self.name("base_currency", &self.base_currency)?,
            asset,
            sub_id,
            tick: self.read("tick_size", &self.tick_size)?,
            step: self.read("amount_step", &self.amount_step)?,
            min_amount: self.read("minimum_amount", &self.minimum_amount)?,
            max_amount: self.read("maximum_amount", &self.maximum_amount)?,
            maker_fee: self.read("maker_fee_rate", &self.maker_fee_rate)?,
            taker_fee: self.read("taker_fee_rate", &self.taker_fee_rate)?,
            base_fee: self.read("base_fee", &self.base_fee)?,
            mark_fee_cap: self.mark_fee_cap()?,
            option: self.option_terms(kind)?,
            active: self.is_active,
        };
        self.check(&instrument)?;
        Ok(Listing {
            perp_margin: self.perp_margin()?,
            quote_currency: self.quote_currency,
            risk_universe: self.risk_universe_id,
            deactivates_sec: self.scheduled_deactivation,
            instrument,
        })
    }

    /// Refuses scales and limits that no order could respect.
    fn check(&self, instrument: &Instrument) -> Result<(), ListingError> {
        for (field, good, why) in [
            ("instrument_name", is_word(&self.instrument_name), "is no plain word"),
            ("base_currency", is_word(&self.base_currency), "is no plain word"),
            ("tick_size", instrument.tick.is_positive(), "must be above zero"),
            ("amount_step", instrument.step.is_positive(), "must be above zero"),
            ("minimum_amount", !instrument.min_amount.is_negative(), "must not be negative"),
            ("maximum_amount", instrument.max_amount >= instrument.min_amount, "is below minimum_amount"),
            ("taker_fee_rate", in_fee_range(instrument.taker_fee), "is not between −1 and 1"),
            ("maker_fee_rate", in_fee_range(instrument.maker_fee), "is not between −1 and 1"),
            ("base_fee", !instrument.base_fee.is_negative(), "must not be negative"),
        ] {
            if !good {
                return Err(self.wrong(field, why.to_string()));
            }
        }
        Ok(())
    }

    fn mark_fee_cap(&self) -> Result<Ratio, ListingError> {
        let text = self.mark_price_fee_rate_cap.as_deref();
        Ok(text.map(|text| self.read("mark_price_fee_rate_cap", text)).transpose()?.unwrap_or_default())
    }

    fn name(&self, field: &'static str, text: &str) -> Result<Name, ListingError> {
        Name::new(text).ok_or_else(|| self.wrong(field, format!("{text:?} is longer than {} bytes", Name::LEN_MAX)))
    }

    fn perp_margin(&self) -> Result<Option<PerpMargin>, ListingError> {
        let Some(row) = self.perp_details.as_ref().and_then(|perp| perp.srm_perp_margin_requirements.as_ref()) else {
            return Ok(None);
        };
        let initial = self.read("im_perp_req", &row.im_perp_req)?;
        let maintenance = self.read("mm_perp_req", &row.mm_perp_req)?;
        Ok(Some(PerpMargin { initial, maintenance }))
    }

    fn option_terms(&self, kind: Kind) -> Result<Option<OptionTerms>, ListingError> {
        let row = match (&self.option_details, kind) {
            (Some(row), Kind::Option) => row,
            (None, Kind::Option) => return Err(self.wrong("option_details", "missing".to_string())),
            _ => return Ok(None),
        };
        let right = match row.option_type.as_str() {
            "C" => Right::Call,
            "P" => Right::Put,
            other => return Err(self.wrong("option_type", format!("{other:?} is not C or P"))),
        };
        Ok(Some(OptionTerms { expiry_s: row.expiry, strike: self.read("strike", &row.strike)?, right }))
    }

    fn read<T: FromStr<Err = NumError>>(&self, field: &'static str, text: &str) -> Result<T, ListingError> {
        text.parse().map_err(|error| self.wrong(field, format!("{text:?}: {error}")))
    }

    fn wrong(&self, field: &'static str, why: String) -> ListingError {
        ListingError::Field { instrument: self.instrument_name.clone(), field, why }
    }
}

fn in_fee_range(rate: Ratio) -> bool {
    rate.abs() <= Ratio::ONE
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::base::ids::Side;
    use crate::base::num::Price;
    use crate::derive::action::trade::option_sub_id;

    fn perp() -> Value {
        json!({
            "instrument_name": "ETH-PERP", "instrument_type": "perp", "base_currency": "ETH", "quote_currency": "USDC",
            "base_asset_address": "0xAf65752C4643E25C02F693f9D4FE19cF23a095E3", "base_asset_sub_id": "0",
            "tick_size": "0.01", "amount_step": "0.001", "minimum_amount": "0.1", "maximum_amount": "10000",
            "maker_fee_rate": "0.0001", "taker_fee_rate": "0.0003", "base_fee": "0.01", "is_active": true,
            "mark_price_fee_rate_cap": null, "risk_universe_id": 1, "option_details": null,
            "scheduled_deactivation": i64::MAX,
            "perp_details": {
                "aggregate_funding": "1020.924990439907504194", "index": "ETH-USD",
                "srm_perp_margin_requirements": {"im_perp_req": "0.066", "mm_perp_req": "0.05", "max_leverage": "15"}
            }
        })
    }

    fn option() -> Value {
        let mut row = perp();
        row["instrument_name"] = json!("ETH-20261225-3500-C");
        row["instrument_type"] = json!("option");
        row["base_asset_sub_id"] = json!("39614082760370722398570160768");
        row["perp_details"] = Value::Null;
        row["option_details"] =
            json!({"expiry": 1_798_185_600, "strike": "3500", "option_type": "C", "index": "ETH-USD"});
        row["mark_price_fee_rate_cap"] = json!("0.125");
        row
    }

    fn read(value: &Value) -> Result<Vec<Listing>, ListingError> {
        listings(value.to_string().as_bytes(), InstrumentId(3))
    }

    #[test]
    fn all_three_shapes_are_read() {
        let both = read(&json!([perp(), option()])).expect("list");
        assert_eq!(read(&json!({"instruments": [perp(), option()], "pagination": {}})).expect("page"), both);
        assert_eq!(read(&perp()).expect("one"), both[..1]);
        let (perp, option) = (&both[0], &both[1]);
        assert_eq!((perp.instrument.id, option.instrument.id), (InstrumentId(3), InstrumentId(4)));
        let margin = PerpMargin { initial: Ratio::from_raw(66_000_000), maintenance: Ratio::from_raw(50_000_000) };
        assert_eq!(perp.perp_margin, Some(margin));
        let terms = option.instrument.option.expect("option");
        assert_eq!(
            option_sub_id(terms.right == Right::Call, terms.strike, terms.expiry_s),
            Some(option.instrument.sub_id)
        );
        assert_eq!(option.instrument.mark_fee_cap, Ratio::from_raw(125_000_000));
    }

    #[test]
    fn prices_amounts_and_fees_round_to_the_safe_side() {
        let perp = read(&perp()).expect("perp").remove(0).instrument;
        let price: Price = "2568.894".parse().expect("price");
        assert_eq!(perp.passive_price(Side::Buy, price).to_string(), "2568.89");
        assert_eq!(perp.passive_price(Side::Sell, price).to_string(), "2568.9");
        assert_eq!(perp.whole_steps("0.1239".parse().expect("amount")).to_string(), "0.123");
        // 3 × 0.0003 × 2568.68 + 0.01 / 0.1 = 2.411812, and mark above index counts.
        let (mark, index): (Price, Price) = ("2568.68".parse().expect("mark"), "2568.42".parse().expect("index"));
        assert_eq!(perp.max_fee(mark, index).to_string(), "2.411812");
        assert_eq!(perp.max_fee(index, mark).to_string(), "2.411812");
        let dearer: Price = "2568.6801".parse().expect("mark");
        assert_eq!(perp.max_fee(dearer, index).to_string(), "2.411813", "rounded up to six decimals");
    }

    #[test]
    fn unusable_listings_are_refused_by_field() {
        for (field, value) in [
            ("tick_size", json!("0")),
            ("tick_size", json!("1e-2")),
            ("amount_step", json!("-1")),
            ("maximum_amount", json!("0.01")),
            ("base_asset_address", json!("0x12")),
            ("base_asset_sub_id", json!("x")),
            ("instrument_type", json!("future")),
            ("instrument_name", json!("ETH\"")),
            ("instrument_name", json!("ETH PERP")),
            ("base_currency", json!("ETH USD")),
            ("base_currency", json!("")),
            ("taker_fee_rate", json!("3")),
        ] {
            let mut row = perp();
            row[field] = value;
            let error = read(&row).expect_err(field).to_string();
            assert!(error.contains(field), "{error}");
        }
        let mut row = option();
        row["option_details"] = Value::Null;
        assert!(read(&row).expect_err("no details").to_string().contains("option_details"));
        assert!(matches!(read(&json!({"x": 1})), Err(ListingError::Json(_))));
        let two = json!([perp(), perp()]).to_string();
        assert!(matches!(listings(two.as_bytes(), InstrumentId(u16::MAX)), Err(ListingError::TooMany)));
    }
}
