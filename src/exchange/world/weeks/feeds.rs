//! Publishes the surface: volatility and forward of every listed expiry, near ones each second and far ones seldom.

use super::super::Strain;
use super::super::path::{Coin, at_scale};
use super::view::{Listed, View};
use super::{LongPath, Moment};
use crate::base::time::{Nanos, SEC};
use crate::exchange::Exchange;
use crate::exchange::options::Svi;
use rust_decimal::prelude::ToPrimitive;
use std::sync::Arc;

/// Time between two publications.
const EVERY_NS: u64 = SEC;
/// An expiry nearer than this is near, seconds.
const NEAR_S: u64 = 9 * 86_400;
/// Time between two publications of far expiries.
const FAR_EVERY_NS: u64 = 600 * SEC;
/// Time between two looks at what is listed.
const LISTED_EVERY_NS: u64 = 60 * SEC;
/// Weekly options expire on Fridays: the first Friday 08:00 UTC after the epoch, and the distance of its followers.
const FRIDAY_S: u64 = 86_400 + 8 * 3_600;
const WEEK_S: u64 = 7 * 86_400;
/// The weekly that trades is the first that lives longer than this, seconds.
const WEEKLY_TENOR_S_MIN: u64 = 86_400;

/// The expiry that the market trades at a moment: the first Friday 08:00 UTC more than a day away.
pub fn weekly_expiry_s(at: Nanos) -> u64 {
    let after = at.secs() + WEEKLY_TENOR_S_MIN;
    FRIDAY_S + (after.saturating_sub(FRIDAY_S) / WEEK_S + 1) * WEEK_S
}

/// What has been published and when the rest is due.
#[derive(Debug, Default)]
pub struct Feeds {
    due: Nanos,
    far_due: Nanos,
    known: Vec<(Coin, u64)>,
    listed: [Vec<Listed>; 2],
    listed_of_s: u64,
    listed_due: Nanos,
    strain: Strain,
}

impl Feeds {
    /// From now on volatility and forwards are so.
    pub fn set_strain(&mut self, strain: Strain) {
        if (self.strain.vol, self.strain.forward_below) != (strain.vol, strain.forward_below) {
            (self.due, self.far_due) = (Nanos::ZERO, Nanos::ZERO);
        }
        self.strain = strain;
    }

    /// The view of an expiry that the feeds state.
    pub fn view(
        &self,
        ex: &Exchange,
        path: &LongPath,
        (coin, moment): (Coin, &Moment),
        expiry_s: u64,
        at: Nanos,
    ) -> View {
        let spot = ex.index(coin.currency()).to_f64().unwrap_or_default();
        let mut slice = path.slice(moment, expiry_s, spot + self.above(path, (spot, moment), expiry_s));
        let variance = self.strain.vol * self.strain.vol;
        (slice.a, slice.b) = (slice.a * variance, slice.b * variance);
        View::new(slice, expiry_s, at)
    }

    /// How far a forward is above spot.
    fn above(&self, path: &LongPath, (spot, moment): (f64, &Moment), expiry_s: u64) -> f64 {
        path.forward_above_spot(moment, expiry_s) - spot * self.strain.forward_below
    }

    fn publish_one(&self, ex: &mut Exchange, path: &LongPath, of: (Coin, &Moment), expiry_s: u64, at: Nanos) {
        let (coin, moment) = of;
        let slice = self.view(ex, path, of, expiry_s, at).slice;
        let svi = Svi {
            a: slice.a,
            b: slice.b,
            rho: slice.rho,
            m: slice.m,
            sigma: slice.sigma,
            fwd: slice.forward,
            ref_tau: slice.tenor,
        };
        let spot = ex.index(coin.currency()).to_f64().unwrap_or_default();
        let above = self.above(path, (spot, moment), expiry_s);
        ex.set_forward(coin.currency(), expiry_s, at_scale(above, 2));
        ex.set_vol(coin.currency(), expiry_s, svi);
    }

    /// Publishes what is due.
    pub fn publish(&mut self, ex: &mut Exchange, path: &LongPath, at: Nanos) {
        if at < self.due {
            return;
        }
        self.due = at.plus(EVERY_NS);
        let far = at >= self.far_due;
        if far {
            self.far_due = at.plus(FAR_EVERY_NS);
            self.known.retain(|(_, expiry_s)| *expiry_s > at.secs());
        }
        for coin in Coin::ALL {
            let moment = path.moment(coin, at);
            for expiry_s in ex.expiries(coin.currency()) {
                let known = self.known.contains(&(coin, expiry_s));
                if expiry_s > at.secs() && (far || !known || expiry_s < at.secs() + NEAR_S) {
                    self.publish_one(ex, path, (coin, &moment), expiry_s, at);
                }
                if !known {
                    self.known.push((coin, expiry_s));
                }
            }
        }
    }

    /// The listed options of the trading weekly of a coin, looked up once a minute.
    pub fn listed(&mut self, ex: &Exchange, coin: Coin, at: Nanos) -> &[Listed] {
        let expiry_s = weekly_expiry_s(at);
        if at >= self.listed_due || expiry_s != self.listed_of_s {
            (self.listed_due, self.listed_of_s) = (at.plus(LISTED_EVERY_NS), expiry_s);
            self.listed = Coin::ALL.map(|coin| {
                let strikes = ex.listed_options(coin.currency(), expiry_s).into_iter();
                let both = strikes.flat_map(|(strike, call, put)| {
                    let strike = strike.to_f64().unwrap_or_default();
                    let option = |name: String, call| Listed { name: Arc::from(name), strike, call };
                    [option(call, true), option(put, false)]
                });
                both.filter(|option| option.strike > 0.0).collect()
            });
        }
        &self.listed[coin.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trading_weekly_is_the_first_friday_more_than_a_day_away() {
        let friday = 1_800_000_000; // 2027-01-15 08:00 UTC
        for (at_s, expected) in [
            (friday, friday + WEEK_S),
            (friday + 5 * 3_600, friday + WEEK_S),
            (friday + 6 * 86_400 - 1, friday + WEEK_S),
            (friday + 6 * 86_400, friday + 2 * WEEK_S),
        ] {
            assert_eq!(weekly_expiry_s(Nanos(at_s * SEC)), expected, "{at_s}");
        }
    }
}
