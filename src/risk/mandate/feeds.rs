//! What the vault contracts read from the price feeds, with the feeds' own staleness rules and reverts.

use super::fixed::{add, add_signed, sub, to_signed, to_unsigned};
use super::revert::Revert;
use super::svi::VolCurve;
use alloy_primitives::{I256, U256};

/// Length of the settlement average before expiry.
pub const SETTLEMENT_TWAP_S: u64 = 1_800;

/// The three numbers a vault contract asks for; each may revert, at the place in the order of checks where it is read.
pub trait Feeds {
    /// Base spot in 18 decimals.
    fn spot(&self) -> Result<U256, Revert>;
    /// Volatility of a strike (18 decimals) and expiry (Unix seconds).
    fn vol(&self, strike: u128, expiry_s: u64) -> Result<U256, Revert>;
    /// Forward to an expiry, blended with the settlement average in its last half hour.
    fn forward(&self, expiry_s: u64) -> Result<U256, Revert>;
}

/// A stored price and when it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotDatum {
    /// Price in 18 decimals.
    pub price: U256,
    /// Unix seconds.
    pub at_s: u64,
    /// Oldest age accepted.
    pub heartbeat_s: u64,
}

impl SpotDatum {
    /// The price, or `BLF_DataTooOld`.
    pub fn fresh(&self, now_s: u64) -> Result<U256, Revert> {
        check_age(self.at_s, self.heartbeat_s, now_s).map(|()| self.price)
    }
}

/// Stored volatility curve of one expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolDatum {
    /// Expiry, Unix seconds.
    pub expiry_s: u64,
    /// Unix seconds; zero where the feed has nothing.
    pub at_s: u64,
    /// The curve.
    pub curve: VolCurve,
}

/// Stored forward of one expiry (`ForwardDetails`, `SettlementDetails`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardDatum {
    /// Expiry, Unix seconds.
    pub expiry_s: u64,
    /// Unix seconds, at most the expiry; zero where the feed has nothing.
    pub at_s: u64,
    /// Forward less spot, 18 decimals.
    pub spot_difference: I256,
    /// Sum of spot · seconds when the settlement average began.
    pub settlement_start: U256,
    /// Sum of spot · seconds when the datum was signed.
    pub settlement_now: U256,
}

impl ForwardDatum {
    /// Part of the settlement price that is fixed, and part that still moves (`getForwardPricePortions`).
    pub fn portions(&self, spot: U256) -> Result<(U256, U256), Revert> {
        let moving = to_unsigned(add_signed(to_signed(spot)?, self.spot_difference)?)?;
        let left_s = self.expiry_s.checked_sub(self.at_s).ok_or(Revert::ArithmeticOverflow)?;
        if left_s >= SETTLEMENT_TWAP_S {
            return Ok((U256::ZERO, moving));
        }
        let window = U256::from(SETTLEMENT_TWAP_S);
        let fixed = sub(self.settlement_now, self.settlement_start)?.wrapping_div(window);
        let moving = moving.checked_mul(U256::from(left_s)).ok_or(Revert::ArithmeticOverflow)?;
        Ok((fixed, moving.wrapping_div(window)))
    }

    /// Forward for settlement (`getForwardPrice`) without regard to age.
    pub fn price(&self, spot: U256) -> Result<U256, Revert> {
        let (fixed, moving) = self.portions(spot)?;
        add(fixed, moving)
    }
}

/// A copy of every feed of one market at one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// Block time, Unix seconds.
    pub now_s: u64,
    /// Spot of what the vault holds.
    pub base_spot: SpotDatum,
    /// Spot beneath the options; differs from the base's for staking tokens.
    pub option_spot: SpotDatum,
    /// Curves by expiry.
    pub vols: Vec<VolDatum>,
    /// Oldest age of a curve.
    pub vol_heartbeat_s: u64,
    /// Forwards by expiry.
    pub forwards: Vec<ForwardDatum>,
    /// Oldest age of a forward.
    pub forward_heartbeat_s: u64,
    /// Oldest age of a forward within the settlement window.
    pub settlement_heartbeat_s: u64,
}

impl FeedState {
    fn check_forward_age(&self, datum: &ForwardDatum) -> Result<(), Revert> {
        if datum.at_s == datum.expiry_s {
            return Ok(());
        }
        check_age(datum.at_s, self.forward_heartbeat_s, self.now_s)?;
        let window_start_s = datum.expiry_s.checked_sub(SETTLEMENT_TWAP_S).ok_or(Revert::ArithmeticOverflow)?;
        let due_s = datum.at_s.checked_add(self.settlement_heartbeat_s).ok_or(Revert::ArithmeticOverflow)?;
        if self.now_s > window_start_s && due_s < self.now_s {
            return Err(Revert::LffSettlementDataTooOld);
        }
        Ok(())
    }
}

impl Feeds for FeedState {
    fn spot(&self) -> Result<U256, Revert> {
        self.base_spot.fresh(self.now_s)
    }

    fn vol(&self, strike: u128, expiry_s: u64) -> Result<U256, Revert> {
        let stored = self.vols.iter().find(|datum| datum.expiry_s == expiry_s && datum.at_s != 0);
        let datum = stored.ok_or(Revert::LvfMissingExpiryData)?;
        check_age(datum.at_s, self.vol_heartbeat_s, self.now_s)?;
        datum.curve.vol(U256::from(strike))
    }

    fn forward(&self, expiry_s: u64) -> Result<U256, Revert> {
        let spot = self.option_spot.fresh(self.now_s)?;
        let stored = self.forwards.iter().find(|datum| datum.expiry_s == expiry_s && datum.at_s != 0);
        let datum = stored.ok_or(Revert::LffMissingExpiryData)?;
        self.check_forward_age(datum)?;
        datum.price(spot)
    }
}

fn check_age(at_s: u64, heartbeat_s: u64, now_s: u64) -> Result<(), Revert> {
    let due_s = at_s.checked_add(heartbeat_s).ok_or(Revert::ArithmeticOverflow)?;
    if due_s < now_s { Err(Revert::BlfDataTooOld) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY_S: u64 = 1_732_780_800;

    fn e18(whole: u64) -> U256 {
        U256::from(whole) * U256::from(1_000_000_000_000_000_000_u64)
    }

    fn curve() -> VolCurve {
        VolCurve {
            a: I256::from_raw(e18(1)),
            b: U256::ZERO,
            rho: I256::ZERO,
            m: I256::ZERO,
            sigma: U256::ZERO,
            forward: e18(3_000),
            ref_tau: 1_000_000_000_000_000_000,
        }
    }

    fn feeds(now_s: u64, forward_at_s: u64) -> FeedState {
        let spot = SpotDatum { price: e18(3_000), at_s: now_s, heartbeat_s: 180 };
        FeedState {
            now_s,
            base_spot: spot,
            option_spot: spot,
            vols: vec![VolDatum { expiry_s: EXPIRY_S, at_s: now_s - 1_200, curve: curve() }],
            vol_heartbeat_s: 1_200,
            forwards: vec![ForwardDatum {
                expiry_s: EXPIRY_S,
                at_s: forward_at_s,
                spot_difference: I256::from_raw(e18(6)),
                settlement_start: e18(1_000_000),
                settlement_now: e18(1_000_000) + e18(2_900) * U256::from(600),
            }],
            forward_heartbeat_s: 3_600,
            settlement_heartbeat_s: 180,
        }
    }

    #[test]
    fn the_forward_blends_into_the_settlement_average() {
        let price = |at_s| feeds(EXPIRY_S - 100, at_s).forwards[0].price(e18(3_000));
        assert_eq!(price(EXPIRY_S - 1_800), Ok(e18(3_006)));
        // One second into the window the aggregate counts: 2900·600/1800 fixed, 1799/1800 of the forward left.
        let moving = e18(3_006) * U256::from(1_799) / U256::from(1_800);
        let fixed = e18(2_900) * U256::from(600) / U256::from(1_800);
        assert_eq!(price(EXPIRY_S - 1_799), Ok(fixed + moving));
        assert_eq!(price(EXPIRY_S), Ok(fixed));
        assert_eq!(price(EXPIRY_S + 1), Err(Revert::ArithmeticOverflow));
        let mut datum = feeds(EXPIRY_S, EXPIRY_S).forwards[0];
        datum.spot_difference = -I256::from_raw(e18(3_000)) - I256::ONE;
        assert_eq!(datum.price(e18(3_000)), Err(Revert::SafeCast));
        datum.spot_difference = I256::ZERO;
        datum.settlement_now = datum.settlement_start - U256::ONE;
        assert_eq!(datum.price(e18(3_000)), Err(Revert::ArithmeticOverflow));
    }

    #[test]
    fn stale_and_missing_data_revert_by_name() {
        let day = EXPIRY_S - 86_400;
        let window = EXPIRY_S - 1_800;
        let forward = |now_s, at_s| feeds(now_s, at_s).forward(EXPIRY_S).map(|_| ());
        let cases = [
            (day, day - 3_600, Ok(())),
            (day, day - 3_601, Err(Revert::BlfDataTooOld)),
            (day, 0, Err(Revert::LffMissingExpiryData)),
            (window, window - 181, Ok(())),
            (window + 1, window - 179, Ok(())),
            (window + 1, window - 180, Err(Revert::LffSettlementDataTooOld)),
            (EXPIRY_S + 100_000, EXPIRY_S, Ok(())),
        ];
        for (now_s, at_s, expected) in cases {
            assert_eq!(forward(now_s, at_s), expected, "{now_s} {at_s}");
        }
        let mut state = feeds(day, day);
        assert_eq!(state.vol(1, EXPIRY_S + 1), Err(Revert::LvfMissingExpiryData));
        assert_eq!(state.vol(0, EXPIRY_S), Ok(U256::ZERO));
        state.vols[0].at_s -= 1;
        assert_eq!(state.vol(0, EXPIRY_S), Err(Revert::BlfDataTooOld));
        assert_eq!(state.spot(), Ok(e18(3_000)));
        state.base_spot.at_s -= 181;
        assert_eq!(state.spot(), Err(Revert::BlfDataTooOld));
        // The market's own spot feed is another one.
        assert_eq!(state.forward(EXPIRY_S), Ok(e18(3_006)));
        state.option_spot.at_s -= 181;
        assert_eq!(state.forward(EXPIRY_S), Err(Revert::BlfDataTooOld));
    }
}
