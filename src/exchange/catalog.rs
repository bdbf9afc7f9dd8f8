//! What can be held and traded here: six assets, seven standing instruments, options as they are listed, and the
//! numbers that govern them.
//!
//! ETH values are those observed on mainnet (Derive §8.2). BTC values were never observed and are chosen here: ticks
//! of 0.1 USD and steps worth about as many dollars as ETH's. Asset addresses are v2's, which v3 has taken over as far
//! as is known. The LSTs copy the spot instrument of their base. Grid and
//! fees of SUSDE and the collateral factors of LSTs and SUSDE are this exchange's own configuration.

use super::Dialect;
use super::money::{constant, text};
use alloy_primitives::{Address, U256, address};
use rust_decimal::Decimal;
use std::sync::Arc;

/// What kind of thing an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Spot against USDC.
    Erc20,
    /// Perpetual future.
    Perp,
    /// European option, cash-settled in USDC.
    Option,
}

impl Kind {
    /// The venue's word.
    pub const fn wire(self) -> &'static str {
        match self {
            Kind::Erc20 => "erc20",
            Kind::Perp => "perp",
            Kind::Option => "option",
        }
    }
}

/// What an option pays: the difference of settlement price and strike, if positive, at 08:00 UTC of its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionTerms {
    /// Currency whose spot settles it.
    pub currency: &'static str,
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// Strike, USD.
    pub strike: Decimal,
    /// Call or put.
    pub call: bool,
}

impl OptionTerms {
    /// Currency and expiry: what it shares feeds and settlement with.
    pub const fn expiry(&self) -> (&'static str, u64) {
        (self.currency, self.expiry_s)
    }

    /// What one unit pays at a settlement price.
    pub fn payoff(&self, settlement: Decimal) -> Decimal {
        let gain = if self.call { settlement - self.strike } else { self.strike - settlement };
        gain.max(Decimal::ZERO)
    }
}

/// Something that can be held as collateral.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Name and currency: `ETH`.
    pub name: &'static str,
    /// Protocol asset address: word 0 of what is signed.
    pub address: Address,
    /// ERC-20 behind it.
    pub underlying: Address,
    /// Decimals of the ERC-20.
    pub decimals: u8,
    /// Share of the value that counts towards initial margin.
    pub im_factor: Decimal,
    /// Share of the value that counts towards maintenance margin.
    pub mm_factor: Decimal,
}

/// Something that can be traded.
#[derive(Clone, Debug)]
pub struct Instrument {
    /// `ETH-PERP`, `ETH-20261225-4000-C`.
    pub name: Arc<str>,
    /// Spot, perp or option.
    pub kind: Kind,
    /// Base currency; also the asset name of spot.
    pub base: &'static str,
    /// Word 0 of a signed order.
    pub address: Address,
    /// Word 1 of a signed order, zero except for options.
    pub sub_id: U256,
    /// Price grid.
    pub tick: Decimal,
    /// Amount grid.
    pub step: Decimal,
    /// Least amount that may rest.
    pub minimum: Decimal,
    /// Largest order.
    pub maximum: Decimal,
    /// Maker fee rate.
    pub maker_fee: Decimal,
    /// Taker fee rate.
    pub taker_fee: Decimal,
    /// Charged once to a taking order, USDC.
    pub base_fee: Decimal,
    /// Most a rate fee may be, as a share of the mark value; zero is no cap.
    pub fee_cap: Decimal,
    /// What it pays, for options.
    pub terms: Option<OptionTerms>,
    /// Whether orders are taken.
    pub active: bool,
    /// Unix second of listing.
    pub activation_s: u64,
    /// Unix second after which no order is taken.
    pub deactivation_s: u64,
    /// Price it was settled at.
    pub settlement: Option<Decimal>,
}

/// Risk universe of everything here (PRIME).
pub const UNIVERSE: u32 = 1;
/// Manager id of standard margin in that universe.
pub const MANAGER_SM: u32 = 4;
/// Cash.
pub const CASH: &str = "USDC";
/// Address of the cash asset.
const CASH_ADDRESS: Address = address!("21bE5df32D7FBd02Da22E03c48AbFE8E93A1b46b");
/// Address of the cash asset on v2.
const CASH_ADDRESS_V2: Address = address!("57B03E14d409ADC7fAb6CFc44b5886CAD2D5f02b");
/// Initial margin of ETH and BTC perps, as a share of notional (Derive §8.8).
pub const PERP_IM: &str = "0.066";
/// Maintenance margin of ETH and BTC perps.
pub const PERP_MM: &str = "0.05";

/// The assets.
pub fn assets(dialect: Dialect) -> Vec<Asset> {
    let asset = |name, address, underlying, decimals, im, mm| Asset {
        name,
        address,
        underlying,
        decimals,
        im_factor: constant(im),
        mm_factor: constant(mm),
    };
    let cash = if dialect == Dialect::V2 { CASH_ADDRESS_V2 } else { CASH_ADDRESS };
    vec![
        asset(CASH, cash, address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "1", "1"),
        asset("ETH", ETH_SPOT, address!("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"), 18, "0.7", "0.8"),
        asset("BTC", BTC_SPOT, address!("2260fac5e5542a773aa44fbcfedf7c193bc2c599"), 8, "0.7", "0.8"),
        asset("WEETH", WEETH_SPOT, address!("cd5fe23c85820f7b72d0926fc9b05b43e359b7ee"), 18, "0.5005", "0.65"),
        asset("LBTC", LBTC_SPOT, address!("8236a87084f8b84306f72007f36f2618a5634494"), 8, "0.5005", "0.65"),
        asset("SUSDE", SUSDE_SPOT, address!("9d39a5de30e57443bff2a8307a4256c8797a3497"), 18, "0.85", "0.9"),
    ]
}

const ETH_SPOT: Address = address!("E201fCEfD4852f96810C069f66560dc25B2C7A55");
const BTC_SPOT: Address = address!("7da2D398dddDfC946Efd2C758c4688D21887790d");
const WEETH_SPOT: Address = address!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
const LBTC_SPOT: Address = address!("eaF03Bb3280C609d35E7F84d24a996c7C0b74F5f");
const SUSDE_SPOT: Address = address!("375804CdcF0D534FDD2657584A7c4Ff5AB14A2bb");
const ETH_PERP: Address = address!("Af65752C4643E25C02F693f9D4FE19cF23a095E3");
const BTC_PERP: Address = address!("DBa83C0C654DB1cd914FA2710bA743e925B53086");
const ETH_OPTION: Address = address!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4");
const BTC_OPTION: Address = address!("d0711b9eBE84b778483709CDe62BacFDBAE13623");

/// Unix second since which everything that stands is listed.
const STANDING_SINCE_S: u64 = 1_701_840_228;
/// An option stops trading this many seconds before it expires (Derive §8.5).
pub const DEACTIVATION_S: u64 = 60;

/// The standing instruments, sorted by name.
pub fn instruments() -> Vec<Instrument> {
    let make = |name: &str, kind, base, address, grid: [&'static str; 4], fees: [&'static str; 2]| Instrument {
        name: Arc::from(name),
        kind,
        base,
        address,
        sub_id: U256::ZERO,
        tick: constant(grid[0]),
        step: constant(grid[1]),
        minimum: constant(grid[2]),
        maximum: constant(grid[3]),
        maker_fee: constant(fees[0]),
        taker_fee: constant(fees[1]),
        base_fee: constant("0.01"),
        fee_cap: Decimal::ZERO,
        terms: None,
        active: true,
        activation_s: STANDING_SINCE_S,
        deactivation_s: i64::MAX as u64,
        settlement: None,
    };
    let spot_fees = ["0.0015", "0.0015"];
    let perp_fees = ["0.0001", "0.0003"];
    vec![
        make("BTC-PERP", Kind::Perp, "BTC", BTC_PERP, ["0.1", "0.0001", "0.01", "500"], perp_fees),
        make("BTC-USDC", Kind::Erc20, "BTC", BTC_SPOT, ["0.1", "0.001", "0.01", "50"], spot_fees),
        make("ETH-PERP", Kind::Perp, "ETH", ETH_PERP, ["0.01", "0.001", "0.1", "10000"], perp_fees),
        make("ETH-USDC", Kind::Erc20, "ETH", ETH_SPOT, ["0.01", "0.01", "0.1", "1000"], spot_fees),
        make("LBTC-USDC", Kind::Erc20, "LBTC", LBTC_SPOT, ["0.1", "0.001", "0.01", "50"], spot_fees),
        make("SUSDE-USDC", Kind::Erc20, "SUSDE", SUSDE_SPOT, ["0.0001", "0.01", "1", "1000000"], ["0.0005", "0.0005"]),
        make("WEETH-USDC", Kind::Erc20, "WEETH", WEETH_SPOT, ["0.01", "0.01", "0.1", "1000"], spot_fees),
    ]
}

/// Grid of ETH options (Derive §8.2): tick, step, minimum, maximum.
const ETH_OPTION_GRID: [&str; 4] = ["0.1", "0.01", "0.1", "5000"];
/// Grid of BTC options, chosen here.
const BTC_OPTION_GRID: [&str; 4] = ["1", "0.01", "0.01", "500"];

/// What all options of one currency and expiry have in common.
#[derive(Clone, Debug)]
pub struct OptionSeries {
    /// Everything but name, sub id and terms.
    template: Instrument,
    /// `ETH-20261225`.
    prefix: String,
    currency: &'static str,
    expiry_s: u64,
}

impl OptionSeries {
    /// The series of an expiry, listed at a unix second; `None` if the currency has no options.
    pub fn new(currency: &'static str, expiry_s: u64, listed_s: u64) -> Option<OptionSeries> {
        let grid = if currency == "BTC" { BTC_OPTION_GRID } else { ETH_OPTION_GRID };
        let prefix = format!("{currency}-{}", date_text(expiry_s));
        let template = Instrument {
            name: Arc::from(prefix.as_str()),
            kind: Kind::Option,
            base: currency,
            address: option_asset(currency)?,
            sub_id: U256::ZERO,
            tick: constant(grid[0]),
            step: constant(grid[1]),
            minimum: constant(grid[2]),
            maximum: constant(grid[3]),
            maker_fee: constant("0.0001"),
            taker_fee: constant("0.0003"),
            base_fee: constant("0.5"),
            fee_cap: constant("0.125"),
            terms: None,
            active: true,
            activation_s: listed_s,
            deactivation_s: expiry_s.saturating_sub(DEACTIVATION_S),
            settlement: None,
        };
        Some(OptionSeries { template, prefix, currency, expiry_s })
    }

    /// One option, named after its terms (a decimal point is written `_`); `None` if its strike cannot be encoded.
    pub fn option(&self, strike: Decimal, call: bool) -> Option<Instrument> {
        let right = if call { "C" } else { "P" };
        let strike_text = text(strike).replace('.', "_");
        Some(Instrument {
            name: Arc::from(format!("{}-{strike_text}-{right}", self.prefix)),
            sub_id: packed_sub_id(self.expiry_s, strike, call)?,
            terms: Some(OptionTerms { currency: self.currency, expiry_s: self.expiry_s, strike, call }),
            ..self.template.clone()
        })
    }
}

/// The day of a unix second as `YYYYMMDD`.
pub fn date_text(at_s: u64) -> String {
    let second = i64::try_from(at_s).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()).unwrap_or_default();
    second.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d").to_string()
}

/// The address of a currency's option asset.
pub fn option_asset(currency: &str) -> Option<Address> {
    match currency {
        "ETH" => Some(ETH_OPTION),
        "BTC" => Some(BTC_OPTION),
        _ => None,
    }
}

/// The two words by which a signature names an instrument: asset and sub id. An option has them whether it is listed
/// or not, because debug endpoints encode what they are given.
pub fn signing_words(name: &str) -> Option<(Address, U256)> {
    if let Some(instrument) = instruments().iter().find(|i| &*i.name == name) {
        return Some((instrument.address, U256::ZERO));
    }
    let parts: Vec<&str> = name.split('-').collect();
    let [currency, date, strike, right] = parts[..] else { return None };
    Some((option_asset(currency)?, option_sub_id(date, strike, right)?))
}

fn option_sub_id(date: &str, strike: &str, right: &str) -> Option<U256> {
    let day = jiff::civil::Date::strptime("%Y%m%d", date).ok()?;
    let expiry = day.at(8, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    let call = match right {
        "C" => true,
        "P" => false,
        _ => return None,
    };
    packed_sub_id(u64::try_from(expiry).ok()?, super::money::parse(&strike.replace('_', "."))?, call)
}

/// Derive §3.3: `(call ? 2^95 : 0) | strike×1e8 << 32 | expiry seconds`, expiring at 08:00 UTC.
fn packed_sub_id(expiry_s: u64, strike: Decimal, call: bool) -> Option<U256> {
    let expiry = u32::try_from(expiry_s).ok()?;
    let strike = u64::try_from(strike * Decimal::from(100_000_000u64)).ok().filter(|s| *s < 1 << 62)?;
    let call = if call { U256::from(1) << 95 } else { U256::ZERO };
    Some(call | U256::from(strike) << 32 | U256::from(expiry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_words_follow_the_published_examples() {
        let (asset, put) = signing_words("ETH-20270625-6000-P").expect("option");
        assert_eq!(asset, ETH_OPTION);
        assert_eq!(put.to_string(), "2576980377601813910400");
        let (_, call) = signing_words("ETH-20270625-6000-C").expect("option");
        assert_eq!(call.to_string(), "39614083834112546398585885568");
        for bad in ["DOGE-PERP", "ETH-20270625-6000-X", "ETH-2027-6000-C", "ETH", ""] {
            assert!(signing_words(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_option_is_named_and_signed_after_its_terms() {
        let series = OptionSeries::new("ETH", 1_813_910_400, 1).expect("ETH has options");
        assert!(OptionSeries::new("LBTC", 1_813_910_400, 1).is_none());
        let listed = series.option(constant("6000"), false).expect("encodable");
        assert_eq!(&*listed.name, "ETH-20270625-6000-P");
        assert_eq!(listed.sub_id.to_string(), "2576980377601813910400");
        assert_eq!(listed.deactivation_s, 1_813_910_340);
        let fraction = series.option(constant("0.5"), true).expect("encodable");
        assert_eq!(&*fraction.name, "ETH-20270625-0_5-C");
        let put = listed.terms.expect("an option");
        assert_eq!(put.payoff(constant("5990")), constant("10"));
        assert_eq!(OptionTerms { call: true, ..put }.payoff(constant("5990")), Decimal::ZERO);
    }

    #[test]
    fn every_spot_instrument_is_a_known_asset() {
        let assets = assets(Dialect::V3);
        for i in instruments().iter().filter(|i| i.kind == Kind::Erc20) {
            assert!(assets.iter().any(|a| a.name == i.base && a.address == i.address), "{}", i.name);
        }
    }
}
