//! Fees (Derive §8.1): a rate on index notional for perps and on trade notional for spot, plus a base fee for takers.

use super::catalog::{Instrument, Kind};
use super::money::truncate;
use rust_decimal::Decimal;

/// The fee of one fill, truncated to twelve decimals. `base_due` adds the base fee of a taking order's first fill.
pub fn fee(
    instrument: &Instrument,
    taker: bool,
    price: Decimal,
    index: Decimal,
    amount: Decimal,
    base_due: bool,
) -> Decimal {
    let rate = if taker { instrument.taker_fee } else { instrument.maker_fee };
    let reference = match instrument.kind {
        Kind::Perp => index,
        Kind::Erc20 => price,
    };
    let base = if taker && base_due { instrument.base_fee } else { Decimal::ZERO };
    truncate(rate * reference * amount + base)
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::super::money::constant;
    use super::*;

    #[test]
    fn the_settled_mainnet_trades_reproduce_to_the_last_digit() {
        let instruments = catalog::instruments();
        let perp = instruments.iter().find(|i| i.name == "ETH-PERP").expect("listed");
        let table =
            [("2568.424787416985", "2568.89", "0.087052743622"), ("2568.415935616099", "2568.5", "0.087052478068")];
        for (index, price, expected) in table {
            let charged = fee(perp, true, constant(price), constant(index), constant("0.1"), true);
            assert_eq!(charged, constant(expected), "index {index}");
        }
        let maker = fee(perp, false, constant("2568.89"), constant("2568"), constant("0.1"), true);
        assert_eq!(maker, constant("0.02568"), "makers pay their rate and no base fee");
    }

    #[test]
    fn spot_is_charged_on_trade_notional() {
        let instruments = catalog::instruments();
        let spot = instruments.iter().find(|i| i.name == "WEETH-USDC").expect("listed");
        let charged = fee(spot, true, constant("4000"), constant("9999"), constant("0.5"), false);
        assert_eq!(charged, constant("3"));
    }
}
