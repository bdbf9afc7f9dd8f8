//! The venue's signed feeds (`public/get_latest_signed_feeds`), read for the option expiries being watched.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;

use crate::base::num::{Cash, Price};
use crate::base::time::{MS, Nanos, SEC};
use crate::msg::{CurrencyId, OptionFeeds};

/// The venue itself does not use a feed of less confidence.
const CONFIDENCE_MIN: f64 = 0.55;
/// Unix milliseconds of this century are above it, unix seconds of the next thousand years below.
const MILLIS_FROM: u64 = 100_000_000_000;

/// An expiry whose feeds are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Place among the feeds read, for conflation.
    pub slot: u8,
    /// Currency of the options.
    pub currency: CurrencyId,
    /// Expiry, unix seconds.
    pub expiry_s: u64,
}

/// Why the feeds are not accepted.
#[derive(Debug)]
pub enum FeedError {
    /// Not the documented JSON.
    Json(serde_json::Error),
    /// A field holds something we cannot use.
    Field {
        /// The currency.
        currency: String,
        /// Expiry, unix seconds; zero for the spot feed.
        expiry_s: u64,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FeedError::Json(error) => write!(f, "signed feeds are not as documented: {error}"),
            FeedError::Field { currency, expiry_s, field, why } => {
                write!(f, "signed feeds of {currency}, expiry {expiry_s}: {field}: {why}")
            }
        }
    }
}

impl std::error::Error for FeedError {}

type ByExpiry<T> = HashMap<String, HashMap<String, T>>;

#[derive(Deserialize)]
struct Feeds {
    spot_data: HashMap<String, SpotRow>,
    fwd_data: ByExpiry<ForwardRow>,
    vol_data: ByExpiry<VolRow>,
}

#[derive(Deserialize)]
struct SpotRow {
    price: String,
    confidence: String,
}

#[derive(Deserialize)]
struct ForwardRow {
    confidence: String,
    fwd_diff: String,
    spot_aggregate_start: String,
    spot_aggregate_latest: String,
    timestamp: u64,
}

#[derive(Deserialize)]
struct VolRow {
    confidence: String,
    vol_data: Svi,
}

#[derive(Deserialize)]
#[allow(non_snake_case)] // the venue's own names
struct Svi {
    SVI_a: String,
    SVI_b: String,
    SVI_rho: String,
    SVI_m: String,
    SVI_sigma: String,
    SVI_fwd: String,
    SVI_refTau: String,
}

/// Reads the `result` for one currency, named `currency` at the venue. Expiries for which the venue has no volatility
/// or no forward, and currencies without spot, are left out.
pub fn option_feeds(
    result: &[u8],
    currency: &str,
    wanted: &[Wanted],
    read_at: Nanos,
) -> Result<Vec<OptionFeeds>, FeedError> {
    let feeds: Feeds = serde_json::from_slice(result).map_err(FeedError::Json)?;
    let Some(spot_row) = feeds.spot_data.get(currency) else { return Ok(Vec::new()) };
    let at_spot = At { currency, expiry_s: 0 };
    at_spot.confident("spot_data.confidence", &spot_row.confidence)?;
    let spot = at_spot.price("spot_data.price", &spot_row.price)?;
    if !spot.is_positive() {
        return Err(at_spot.wrong("spot_data.price", "must be above zero"));
    }
    let of =
        |expiry: &str| Some((feeds.fwd_data.get(currency)?.get(expiry)?, feeds.vol_data.get(currency)?.get(expiry)?));
    let mut found = Vec::new();
    for want in wanted {
        let Some((forward, vol)) = of(&want.expiry_s.to_string()) else { continue };
        let at = At { currency, expiry_s: want.expiry_s };
        at.confident("fwd_data.confidence", &forward.confidence)?;
        at.confident("vol_data.confidence", &vol.confidence)?;
        found.push(OptionFeeds {
            slot: want.slot,
            currency: want.currency,
            expiry_s: want.expiry_s,
            svi: at.svi(&vol.vol_data)?,
            forward_diff: at.price("fwd_diff", &forward.fwd_diff)?,
            spot_aggregates: [
                at.cash("spot_aggregate_start", &forward.spot_aggregate_start)?,
                at.cash("spot_aggregate_latest", &forward.spot_aggregate_latest)?,
            ],
            spot,
            forward_at: moment(forward.timestamp),
            read_at,
        });
    }
    Ok(found)
}

/// A feed's moment: the venue documents no unit, its chain counts seconds and its interface milliseconds.
fn moment(timestamp: u64) -> Nanos {
    Nanos(timestamp.saturating_mul(if timestamp < MILLIS_FROM { SEC } else { MS }))
}

/// Whose feeds are being read.
struct At<'a> {
    currency: &'a str,
    expiry_s: u64,
}

impl At<'_> {
    fn wrong(&self, field: &'static str, why: impl fmt::Display) -> FeedError {
        FeedError::Field { currency: self.currency.into(), expiry_s: self.expiry_s, field, why: why.to_string() }
    }

    fn float(&self, field: &'static str, text: &str) -> Result<f64, FeedError> {
        let value: f64 = text.parse().map_err(|_| self.wrong(field, format_args!("{text:?} is not a number")))?;
        if value.is_finite() { Ok(value) } else { Err(self.wrong(field, format_args!("{text:?} is not finite"))) }
    }

    fn confident(&self, field: &'static str, text: &str) -> Result<(), FeedError> {
        if self.float(field, text)? < CONFIDENCE_MIN {
            return Err(self.wrong(field, format_args!("{text} is below {CONFIDENCE_MIN}")));
        }
        Ok(())
    }

    fn price(&self, field: &'static str, text: &str) -> Result<Price, FeedError> {
        Price::observed(text.as_bytes()).map_err(|why| self.wrong(field, format_args!("{text:?}: {why}")))
    }

    fn cash(&self, field: &'static str, text: &str) -> Result<Cash, FeedError> {
        let cash = Cash::observed(text.as_bytes()).map_err(|why| self.wrong(field, format_args!("{text:?}: {why}")))?;
        if cash.is_negative() { Err(self.wrong(field, "must not be negative")) } else { Ok(cash) }
    }

    /// The parameters, as far as a surface of them exists: b ≥ 0, |ρ| ≤ 1, σ > 0, forward and year fraction > 0.
    fn svi(&self, svi: &Svi) -> Result<[f64; 7], FeedError> {
        let [a, b, rho, m, sigma, forward, tau] = [
            ("SVI_a", &svi.SVI_a),
            ("SVI_b", &svi.SVI_b),
            ("SVI_rho", &svi.SVI_rho),
            ("SVI_m", &svi.SVI_m),
            ("SVI_sigma", &svi.SVI_sigma),
            ("SVI_fwd", &svi.SVI_fwd),
            ("SVI_refTau", &svi.SVI_refTau),
        ]
        .map(|(field, text)| self.float(field, text));
        let (b, rho, sigma, forward, tau) = (b?, rho?, sigma?, forward?, tau?);
        for (field, good, why) in [
            ("SVI_b", b >= 0.0, "must not be negative"),
            ("SVI_rho", rho.abs() <= 1.0, "must be between −1 and 1"),
            ("SVI_sigma", sigma > 0.0, "must be above zero"),
            ("SVI_fwd", forward > 0.0, "must be above zero"),
            ("SVI_refTau", tau > 0.0, "must be above zero"),
        ] {
            if !good {
                return Err(self.wrong(field, why));
            }
        }
        Ok([a?, b, rho, m?, sigma, forward, tau])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const EXPIRY: u64 = 1_798_185_600;

    fn feeds() -> Value {
        let signed = json!({"signers": ["0x11"], "signatures": ["0x22"]});
        let forward = json!({
            "confidence": "1", "currency": "ETH", "deadline": 1_763_683_500, "expiry": EXPIRY, "fwd_diff": "-12.5",
            "signatures": signed, "spot_aggregate_latest": "1800000", "spot_aggregate_start": "0", "timestamp": 1_763_683_200
        });
        let svi = json!({
            "SVI_a": "0.002", "SVI_b": "0.03", "SVI_fwd": "3000", "SVI_m": "0.01", "SVI_refTau": "0.019178082191780823",
            "SVI_rho": "-0.2", "SVI_sigma": "0.05"
        });
        let vol = json!({
            "confidence": "0.98", "currency": "ETH", "deadline": 1_763_683_500, "expiry": EXPIRY, "signatures": signed,
            "timestamp": 1_763_683_200, "vol_data": svi
        });
        json!({
            "funding_data": {}, "perp_data": {"ETH": {"P": {"spot_diff_value": "1"}}}, "rate_data": {},
            "spot_data": {"ETH": {"price": "3012.123456789123", "confidence": "1", "feed_source_type": null, "timestamp": 1}},
            "fwd_data": {"ETH": {EXPIRY.to_string(): forward}}, "vol_data": {"ETH": {EXPIRY.to_string(): vol}}
        })
    }

    fn read(feeds: &Value, expiry_s: u64) -> Result<Vec<OptionFeeds>, FeedError> {
        let want = Wanted { slot: 3, currency: CurrencyId(1), expiry_s };
        option_feeds(feeds.to_string().as_bytes(), "ETH", &[want], Nanos(9))
    }

    #[test]
    fn forward_surface_and_spot_of_a_watched_expiry_are_read() {
        let [round] = read(&feeds(), EXPIRY).expect("reads")[..] else { panic!("one expiry") };
        assert_eq!((round.slot, round.currency, round.expiry_s), (3, CurrencyId(1), EXPIRY));
        let svi = [0.002, 0.03, -0.2, 0.01, 0.05, 3000.0, 7.0 / 365.0];
        assert!(round.svi.iter().zip(svi).all(|(read, written)| (read - written).abs() < 1e-15), "{:?}", round.svi);
        assert_eq!((round.forward_diff.to_string(), round.spot.to_string()), ("-12.5".into(), "3012.123456789".into()));
        assert_eq!(round.spot_aggregates, [Cash::ZERO, Cash::whole(1_800_000)]);
        assert_eq!((round.forward_at, round.read_at), (Nanos(1_763_683_200 * SEC), Nanos(9)));
        let mut later = feeds();
        later["fwd_data"]["ETH"][EXPIRY.to_string()]["timestamp"] = json!(1_763_683_200_123u64);
        assert_eq!(read(&later, EXPIRY).expect("reads")[0].forward_at, Nanos(1_763_683_200_123 * MS));
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        assert!(read(&feeds(), EXPIRY + 1).expect("reads").is_empty());
        for gone in ["spot_data", "fwd_data", "vol_data"] {
            let mut feeds = feeds();
            feeds[gone] = json!({"BTC": {}});
            if gone == "spot_data" {
                feeds[gone] = json!({});
            }
            assert!(read(&feeds, EXPIRY).expect(gone).is_empty());
        }
    }

    #[test]
    fn unusable_feeds_are_refused_by_field() {
        let vol = format!("/vol_data/ETH/{EXPIRY}");
        let forward = format!("/fwd_data/ETH/{EXPIRY}");
        for (path, value, field) in [
            (format!("{vol}/vol_data/SVI_b"), json!("-1"), "SVI_b"),
            (format!("{vol}/vol_data/SVI_rho"), json!("1.5"), "SVI_rho"),
            (format!("{vol}/vol_data/SVI_sigma"), json!("0"), "SVI_sigma"),
            (format!("{vol}/vol_data/SVI_fwd"), json!("NaN"), "SVI_fwd"),
            (format!("{vol}/vol_data/SVI_a"), json!("inf"), "SVI_a"),
            (format!("{vol}/vol_data/SVI_refTau"), json!("x"), "SVI_refTau"),
            (format!("{vol}/confidence"), json!("0.5"), "vol_data.confidence"),
            (format!("{forward}/confidence"), json!("0"), "fwd_data.confidence"),
            (format!("{forward}/fwd_diff"), json!("1e5"), "fwd_diff"),
            (format!("{forward}/spot_aggregate_start"), json!("-1"), "spot_aggregate_start"),
            ("/spot_data/ETH/price".into(), json!("0"), "spot_data.price"),
        ] {
            let mut feeds = feeds();
            *feeds.pointer_mut(&path).expect(&path) = value;
            let error = read(&feeds, EXPIRY).expect_err(&path).to_string();
            assert!(error.contains(field) && error.contains("ETH"), "{error}");
        }
        assert!(matches!(option_feeds(b"[]", "ETH", &[], Nanos(0)), Err(FeedError::Json(_))));
    }
}
