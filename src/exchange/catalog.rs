//! What can be held and traded here: five assets, six instruments, and the numbers that govern them.
//!
//! ETH values are those observed on mainnet (Derive §8.2). BTC values were never observed and are chosen here: ticks
//! of 0.1 USD and steps worth about as many dollars as ETH's. The LSTs copy the spot instrument of their base, and the
//! addresses of LSTs and LST collateral factors are this exchange's own configuration.

use super::money::constant;
use alloy_primitives::{Address, U256, address};
use rust_decimal::Decimal;

/// What kind of thing an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Spot against USDC.
    Erc20,
    /// Perpetual future.
    Perp,
}

impl Kind {
    /// The venue's word.
    pub const fn wire(self) -> &'static str {
        match self {
            Kind::Erc20 => "erc20",
            Kind::Perp => "perp",
        }
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
    /// `ETH-PERP`.
    pub name: &'static str,
    /// Spot or perp.
    pub kind: Kind,
    /// Base currency; also the asset name of spot.
    pub base: &'static str,
    /// Word 0 of a signed order.
    pub address: Address,
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
}

/// Risk universe of everything here (PRIME).
pub const UNIVERSE: u32 = 1;
/// Manager id of standard margin in that universe.
pub const MANAGER_SM: u32 = 4;
/// Cash.
pub const CASH: &str = "USDC";
/// Address of the cash asset.
pub const CASH_ADDRESS: Address = address!("21bE5df32D7FBd02Da22E03c48AbFE8E93A1b46b");
/// Initial margin of ETH and BTC perps, as a share of notional (Derive §8.8).
pub const PERP_IM: &str = "0.066";
/// Maintenance margin of ETH and BTC perps.
pub const PERP_MM: &str = "0.05";

/// The assets.
pub fn assets() -> Vec<Asset> {
    let asset = |name, address, underlying, decimals, im, mm| Asset {
        name,
        address,
        underlying,
        decimals,
        im_factor: constant(im),
        mm_factor: constant(mm),
    };
    vec![
        asset(CASH, CASH_ADDRESS, address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "1", "1"),
        asset("ETH", ETH_SPOT, address!("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"), 18, "0.7", "0.8"),
        asset("BTC", BTC_SPOT, address!("2260fac5e5542a773aa44fbcfedf7c193bc2c599"), 8, "0.7", "0.8"),
        asset("WEETH", WEETH_SPOT, address!("cd5fe23c85820f7b72d0926fc9b05b43e359b7ee"), 18, "0.5005", "0.65"),
        asset("LBTC", LBTC_SPOT, address!("8236a87084f8b84306f72007f36f2618a5634494"), 8, "0.5005", "0.65"),
    ]
}

const ETH_SPOT: Address = address!("E201fCEfD4852f96810C069f66560dc25B2C7A55");
const BTC_SPOT: Address = address!("7da2D398dddDfC946Efd2C758c4688D21887790d");
const WEETH_SPOT: Address = address!("00000000000000000000000000000000000eE711");
const LBTC_SPOT: Address = address!("00000000000000000000000000000000000B7C11");
const ETH_PERP: Address = address!("Af65752C4643E25C02F693f9D4FE19cF23a095E3");
const BTC_PERP: Address = address!("DBa83C0C654DB1cd914FA2710bA743e925B53086");
const ETH_OPTION: Address = address!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4");
const BTC_OPTION: Address = address!("d0711b9eBE84b778483709CDe62BacFDBAE13623");

/// The instruments, sorted by name.
pub fn instruments() -> Vec<Instrument> {
    let make = |name, kind, base, address, grid: [&'static str; 4], fees: [&'static str; 2]| Instrument {
        name,
        kind,
        base,
        address,
        tick: constant(grid[0]),
        step: constant(grid[1]),
        minimum: constant(grid[2]),
        maximum: constant(grid[3]),
        maker_fee: constant(fees[0]),
        taker_fee: constant(fees[1]),
        base_fee: constant("0.01"),
    };
    let spot_fees = ["0.0015", "0.0015"];
    let perp_fees = ["0.0001", "0.0003"];
    vec![
        make("BTC-PERP", Kind::Perp, "BTC", BTC_PERP, ["0.1", "0.0001", "0.01", "500"], perp_fees),
        make("BTC-USDC", Kind::Erc20, "BTC", BTC_SPOT, ["0.1", "0.001", "0.01", "50"], spot_fees),
        make("ETH-PERP", Kind::Perp, "ETH", ETH_PERP, ["0.01", "0.001", "0.1", "10000"], perp_fees),
        make("ETH-USDC", Kind::Erc20, "ETH", ETH_SPOT, ["0.01", "0.01", "0.1", "1000"], spot_fees),
        make("LBTC-USDC", Kind::Erc20, "LBTC", LBTC_SPOT, ["0.1", "0.001", "0.01", "50"], spot_fees),
        make("WEETH-USDC", Kind::Erc20, "WEETH", WEETH_SPOT, ["0.01", "0.01", "0.1", "1000"], spot_fees),
    ]
}

/// The two words by which a signature names an instrument: asset and sub id. Options have words although they cannot
/// be traded here yet, because debug endpoints encode them.
pub fn signing_words(name: &str) -> Option<(Address, U256)> {
    if let Some(instrument) = instruments().iter().find(|i| i.name == name) {
        return Some((instrument.address, U256::ZERO));
    }
    let parts: Vec<&str> = name.split('-').collect();
    let [currency, date, strike, right] = parts[..] else { return None };
    let asset = match currency {
        "ETH" => ETH_OPTION,
        "BTC" => BTC_OPTION,
        _ => return None,
    };
    Some((asset, option_sub_id(date, strike, right)?))
}

/// Derive §3.3: `(call ? 2^95 : 0) | strike×1e8 << 32 | expiry seconds`, expiring at 08:00 UTC.
fn option_sub_id(date: &str, strike: &str, right: &str) -> Option<U256> {
    let day = jiff::civil::Date::strptime("%Y%m%d", date).ok()?;
    let expiry = day.at(8, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    let expiry = u32::try_from(expiry).ok()?;
    let strike = super::money::parse(&strike.replace('_', "."))? * Decimal::from(100_000_000u64);
    let strike = u64::try_from(strike).ok().filter(|s| *s < 1 << 62)?;
    let call = match right {
        "C" => U256::from(1) << 95,
        "P" => U256::ZERO,
        _ => return None,
    };
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
    fn every_spot_instrument_is_a_known_asset() {
        let assets = assets();
        for i in instruments().iter().filter(|i| i.kind == Kind::Erc20) {
            assert!(assets.iter().any(|a| a.name == i.base && a.address == i.address), "{}", i.name);
        }
    }
}
