//! Fees (Derive §8.1): a rate on index notional for perps and options, on trade notional for spot, plus a base fee for
//! takers. The rate fee of an option is at most a share of its mark value.

use super::catalog::{Instrument, Kind};
use super::money::truncate;
use rust_decimal::Decimal;

/// The prices a fee may be reckoned on.
#[derive(Clone, Copy, Debug)]
pub struct FeePrices {
    /// What was traded at.
    pub trade: Decimal,
    /// Index price.
    pub index: Decimal,
    /// Mark price.
    pub mark: Decimal,
}

/// The fee of one fill, truncated to twelve decimals. `base_due` adds the base fee of a taking order's first fill.
pub fn fee(instrument: &Instrument, taker: bool, prices: FeePrices, amount: Decimal, base_due: bool) -> Decimal {
    let rate = if taker { instrument.taker_fee } else { instrument.maker_fee };
    let per_unit = match instrument.kind {
        Kind::Perp => rate * prices.index,
        Kind::Erc20 => rate * prices.trade,
        Kind::Option => (rate * prices.index).min(instrument.fee_cap * prices.mark),
    };
    let base = if taker && base_due { instrument.base_fee } else { Decimal::ZERO };
    truncate(per_unit * amount + base)
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::super::money::constant;
    use super::*;

    fn prices(trade: &str, index: &str, mark: &str) -> FeePrices {
        FeePrices { trade: constant(trade), index: constant(index), mark: constant(mark) }
    }

    #[test]
    fn the_settled_mainnet_trades_reproduce_to_the_last_digit() {
        let instruments = catalog::instruments();
        let perp = instruments.iter().find(|i| &*i.name == "ETH-PERP").expect("listed");
        let table =
            [("2568.424787416985", "2568.89", "0.087052743622"), ("2568.415935616099", "2568.5", "0.087052478068")];
        for (index, price, expected) in table {
            let charged = fee(perp, true, prices(price, index, index), constant("0.1"), true);
            assert_eq!(charged, constant(expected), "index {index}");
        }
        let maker = fee(perp, false, prices("2568.89", "2568", "2568"), constant("0.1"), true);
        assert_eq!(maker, constant("0.02568"), "makers pay their rate and no base fee");
    }

    #[test]
    fn spot_is_charged_on_trade_notional() {
        let instruments = catalog::instruments();
        let spot = instruments.iter().find(|i| &*i.name == "WEETH-USDC").expect("listed");
        let charged = fee(spot, true, prices("4000", "9999", "9999"), constant("0.5"), false);
        assert_eq!(charged, constant("3"));
    }

    #[test]
    fn an_options_rate_is_capped_by_its_mark_and_its_base_fee_is_not() {
        let series = catalog::OptionSeries::new("ETH", 1_798_185_600, 0).expect("ETH has options");
        let option = series.option(constant("3500"), true).expect("encodable");
        let charged = |mark, taker, base| fee(&option, taker, prices("20", "3000", mark), constant("2"), base);
        assert_eq!(charged("20", true, true), constant("2.3"), "0.0003 × 3000 × 2 + 0.5");
        assert_eq!(charged("4", true, true), constant("1.5"), "an eighth of the mark × 2 + 0.5");
        assert_eq!(charged("4", false, true), constant("0.6"), "makers: 0.0001 × 3000 × 2");
        assert_eq!(charged("0", true, false), Decimal::ZERO);
    }
}
