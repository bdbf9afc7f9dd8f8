//! The mission's numbers (strategy specification §1.0 to §1.5), which are the defaults; where it names none, what vaults of
//! this kind have run with.

use crate::base::num::{Amount, Price};
use crate::msg::Product;

/// Defaults of one kind of vault. What depends on the price of a coin is none for coins the specification does not name.
pub(super) struct Seeds {
    pub(super) product: Product,
    /// From an expiry to the next option auction.
    pub(super) option_delay_s: i64,
    /// Length of that auction.
    pub(super) auction_s: i64,
    /// Distance of a spread's strikes.
    pub(super) strike_diff: Option<Price>,
    /// Lowest, wanted and highest mark of a spread over its strike distance, in bps.
    pub(super) ratio_bps: [i64; 3],
    /// The same at most, whatever the strategy says: the contracts' bounds.
    pub(super) ratio_hard_bps: [i64; 2],
    /// Size and rounding of a lot.
    pub(super) lot: Option<[Amount; 2]>,
    /// Lowest and highest cost of one unit.
    pub(super) unit_cost: Option<[Price; 2]>,
    /// Growth per minute and cap of a lot's price spread, in bps.
    pub(super) spread_bps: [i64; 2],
    /// Change of the collateral's price that is worth a replace.
    pub(super) spot_reprice: Price,
}

impl Seeds {
    /// For options of `coin` against collateral `base`; an unreadable coin is taken for the usual one, so that one fault
    /// does not look like many.
    pub(super) fn of(product: Product, coin: Option<&str>, base: &str) -> Seeds {
        let limit_order = product == Product::CoveredCall;
        let long = product == Product::LongCallSpread;
        let coin = coin.unwrap_or(if product == Product::ShortPutSpread { "BTC" } else { "ETH" });
        let mut seeds = Seeds {
            product,
            option_delay_s: if limit_order { 300 * 60 } else { 310 * 60 },
            auction_s: if limit_order { 3_600 } else { 7_200 },
            strike_diff: None,
            ratio_bps: if long { [2_500, 4_000, 5_500] } else { [200, 700, 1_200] },
            ratio_hard_bps: if long { [1_000, 7_000] } else { [50, 2_000] },
            lot: None,
            unit_cost: None,
            spread_bps: if long { [1_000, 2_000] } else { [5_000, 10_000] },
            spot_reprice: if base == "SUSDE" { Price::from_raw(1_000_000) } else { Price::whole(2) },
        };
        seeds.size(coin, base);
        seeds
    }

    /// The table of §1.0.3 by coin and collateral.
    fn size(&mut self, coin: &str, base: &str) {
        let half = Amount::from_raw(500_000_000);
        let lots = |size, rounding| Some([Amount::whole(size), Amount::whole(rounding)]);
        let costs = |low, high| Some([Price::whole(low), Price::whole(high)]);
        let diff = |dollars| Some(Price::whole(dollars));
        (self.strike_diff, self.unit_cost, self.lot) = match (self.product, coin, base) {
            (Product::ShortCallSpread, "ETH", _) => (diff(100), costs(-200, -1), lots(15, 5)),
            (Product::ShortCallSpread, "BTC", _) => (diff(2_000), costs(-2_000, -20), lots(4, 2)),
            (Product::ShortPutSpread, "BTC", _) => (diff(2_000), costs(-2_000, -20), lots(2, 1)),
            (Product::LongCallSpread, "ETH", "SUSDE") => (diff(200), costs(0, 140), lots(50, 25)),
            (Product::LongCallSpread, "ETH", "WEETH") => (diff(200), costs(0, 140), Some([Amount::ONE, half])),
            (Product::LongCallSpread, "ETH", _) => (diff(200), costs(0, 140), None),
            _ => (None, None, None),
        };
    }
}
