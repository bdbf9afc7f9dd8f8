//! The crowd: seeded makers that quote around fair value and takers that come at random, one-sided when asked.
//!
//! Two makers per instrument re-quote when fair value moves, when a level has been eaten, and from time to time anyway;
//! their orders are post-only, so a quote of somebody else's that is better than theirs stays alone at the top until a
//! taker finds it. Work per turn is bounded by the number of levels and by the takers of one step.

use super::draws::Draws;
use super::path::at_scale;
use super::script::{Flow, Phase};
use crate::base::time::{MS, Nanos};
use crate::exchange::house::PURSE;
use crate::exchange::{Exchange, OrderId, Outbox, TimeInForce};
use rust_decimal::{Decimal, RoundingStrategy};

/// Makers per instrument.
const MAKERS: usize = 2;
/// Takers of one instrument in one step.
const TAKERS_PER_STEP_MAX: u32 = 4;
/// How far from fair value a taker goes, in basis points.
const REACH_BPS: f64 = 25.0;

/// What an instrument follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// The coin itself.
    Spot,
    /// The coin's LST.
    Lst,
    /// The coin's perp: spot and the phase's premium.
    Perp,
}

/// How an instrument is quoted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Instrument name.
    pub instrument: &'static str,
    /// Coin index and what of it is traded.
    pub of: (usize, Following),
    /// Decimal places of the price tick.
    pub price_places: u32,
    /// Decimal places of the amount step.
    pub amount_places: u32,
    /// Smallest order amount, in base units.
    pub amount_min: Decimal,
    /// Distance of the best level from fair value, in basis points.
    pub half_spread_bps: f64,
    /// Distance between levels, in basis points.
    pub level_gap_bps: f64,
    /// Levels per side and maker.
    pub levels: usize,
    /// Mean amount of the best level of one maker, in base units; deeper levels are larger.
    pub level_amount: f64,
    /// Shortest time between two re-quotes of a maker, in milliseconds.
    pub requote_ms: u64,
    /// Move of fair value that makes a maker re-quote, in basis points.
    pub move_bps: f64,
}

const fn perp(instrument: &'static str, coin: usize, price_places: u32, min: Decimal, level_amount: f64) -> Profile {
    Profile {
        instrument,
        of: (coin, Following::Perp),
        price_places,
        amount_places: 3,
        amount_min: min,
        half_spread_bps: 0.6,
        level_gap_bps: 0.7,
        levels: 4,
        level_amount,
        requote_ms: 60,
        move_bps: 0.4,
    }
}

const fn spot(perp: Profile, instrument: &'static str, of: Following, half_spread_bps: f64) -> Profile {
    // Steps of the embedded exchange's spot books: 0.01 for ether and weETH, 0.001 for bitcoin and LBTC.
    let amount_places = if perp.of.0 == 0 { 2 } else { 3 };
    Profile {
        instrument,
        of: (perp.of.0, of),
        amount_places,
        half_spread_bps,
        level_gap_bps: half_spread_bps / 2.0,
        levels: 3,
        level_amount: perp.level_amount / 10.0,
        requote_ms: 120,
        move_bps: half_spread_bps / 5.0,
        ..perp
    }
}

const ETH_PERP: Profile = perp("ETH-PERP", 0, 2, Decimal::from_parts(1, 0, 0, false, 1), 30.0);
const BTC_PERP: Profile = perp("BTC-PERP", 1, 1, Decimal::from_parts(1, 0, 0, false, 2), 1.2);

/// The instruments the crowd trades. Perps are deep and about 1.2 bp wide; the coins' spot books are 6 bp wide, and the
/// LSTs' thinner and 20 bp wide, so that whoever bids near fair value is alone there.
pub const PROFILES: [Profile; 6] = [
    ETH_PERP,
    BTC_PERP,
    spot(ETH_PERP, "ETH-USDC", Following::Spot, 3.0),
    spot(BTC_PERP, "BTC-USDC", Following::Spot, 3.0),
    spot(ETH_PERP, "WEETH-USDC", Following::Lst, 10.0),
    spot(BTC_PERP, "LBTC-USDC", Following::Lst, 10.0),
];

impl Profile {
    /// Fair value from external mids and LST ratios by coin.
    pub fn fair(&self, mids: &[Decimal; 2], ratios: &[Decimal; 3], premium_bps: f64) -> Decimal {
        let (coin, following) = self.of;
        match following {
            Following::Spot => mids[coin],
            Following::Lst => mids[coin] * ratios[coin],
            Following::Perp => beside(mids[coin], premium_bps),
        }
    }

    /// The nearest tick that is no better for the other side.
    fn tick(&self, price: Decimal, buy: bool) -> Decimal {
        let away = if buy { RoundingStrategy::ToZero } else { RoundingStrategy::AwayFromZero };
        price.round_dp_with_strategy(self.price_places, away)
    }

    /// A mean amount, spread by up to `spread` of itself both ways, on step and not below the minimum.
    fn amount(&self, draws: &mut Draws, mean: f64, spread: f64) -> Decimal {
        let drawn = mean * draws.between(1.0 - spread, 1.0 + spread);
        at_scale(drawn, self.amount_places).max(self.amount_min)
    }
}

/// `price` moved by basis points, to a hundredth of one.
fn beside(price: Decimal, bps: f64) -> Decimal {
    price * (Decimal::ONE + Decimal::new((bps * 100.0).round() as i64, 6))
}

/// One level of one maker.
#[derive(Clone, Copy, Debug)]
struct Level {
    buy: bool,
    depth: usize,
    resting: Option<(OrderId, Decimal)>,
}

/// One maker on one instrument.
#[derive(Debug)]
struct Maker {
    account: u64,
    levels: Vec<Level>,
    anchor: Decimal,
    due: Nanos,
    refresh: Nanos,
}

/// Makers and takers of one instrument.
#[derive(Debug)]
struct Desk {
    profile: Profile,
    makers: Vec<Maker>,
    taker: u64,
}

/// What the crowd has done, for tests and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Maker orders placed.
    pub quotes: u64,
    /// Maker orders the exchange refused, nearly all because they would have crossed.
    pub quotes_refused: u64,
    /// Taker orders sent.
    pub takes: u64,
    /// Taker orders filled at least in part.
    pub takes_filled: u64,
}

/// The crowd on all instruments.
#[derive(Debug)]
pub struct Crowd {
    desks: Vec<Desk>,
    draws: Draws,
    activity: Activity,
}

impl Crowd {
    /// Opens the crowd's accounts.
    pub fn open(ex: &mut Exchange, seed: u64, profiles: &[Profile]) -> Crowd {
        let desks = profiles.iter().map(|profile| Desk::open(ex, *profile)).collect();
        Crowd { desks, draws: Draws::new(seed, 1), activity: Activity::default() }
    }

    /// What has been done so far.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// Lets makers re-quote around the given mids and ratios.
    pub fn quote(
        &mut self,
        ex: &mut Exchange,
        (mids, ratios): (&[Decimal; 2], &[Decimal; 3]),
        phase: &Phase,
        at: Nanos,
        out: &mut Outbox,
    ) {
        for desk in &mut self.desks {
            let fair = desk.profile.fair(mids, ratios, phase.premium_bps);
            for maker in &mut desk.makers {
                if maker.wants(&desk.profile, ex, fair, at) {
                    maker.requote(&desk.profile, ex, fair, at, &mut self.draws, &mut self.activity, out);
                }
            }
        }
    }

    /// Lets the takers of a time span come.
    pub fn take(
        &mut self,
        ex: &mut Exchange,
        (mids, ratios): (&[Decimal; 2], &[Decimal; 3]),
        phase: &Phase,
        (at, span_s): (Nanos, f64),
        out: &mut Outbox,
    ) {
        for desk in &self.desks {
            let Some(flow) = phase.flow(desk.profile.instrument) else { continue };
            let fair = desk.profile.fair(mids, ratios, phase.premium_bps);
            for _ in 0..arrivals(&mut self.draws, flow.per_s * span_s) {
                desk.take(ex, flow, fair, at, &mut self.draws, &mut self.activity, out);
            }
        }
    }
}

/// Number of arrivals with the given mean: its whole part, and one more with the rest's probability.
fn arrivals(draws: &mut Draws, mean: f64) -> u32 {
    let whole = mean.max(0.0) as u32;
    (whole + u32::from(draws.happens(mean - f64::from(whole)))).min(TAKERS_PER_STEP_MAX)
}

impl Desk {
    fn open(ex: &mut Exchange, profile: Profile) -> Desk {
        let mut account = |role: &str| ex.house_account(&format!("crowd {role} {}", profile.instrument), &PURSE);
        let levels: Vec<Level> = (0..profile.levels)
            .flat_map(|depth| [true, false].map(|buy| Level { buy, depth, resting: None }))
            .collect();
        let makers = (0..MAKERS)
            .map(|number| Maker {
                account: account(&format!("maker {}", number + 1)),
                levels: levels.clone(),
                anchor: Decimal::ZERO,
                due: Nanos::ZERO,
                refresh: Nanos::ZERO,
            })
            .collect();
        Desk { profile, makers, taker: account("taker") }
    }

    #[allow(clippy::too_many_arguments)]
    fn take(
        &self,
        ex: &mut Exchange,
        flow: &Flow,
        fair: Decimal,
        at: Nanos,
        draws: &mut Draws,
        activity: &mut Activity,
        out: &mut Outbox,
    ) {
        let buy = draws.happens((1.0 + flow.bias) / 2.0);
        let amount = self.profile.amount(draws, flow.amount_mean, 0.8);
        let reach_bps = if buy { REACH_BPS } else { -REACH_BPS };
        let price = self.profile.tick(beside(fair, reach_bps), buy);
        activity.takes += 1;
        let sent = ex.house_order(self.taker, self.profile.instrument, buy, price, amount, TimeInForce::Ioc, at, out);
        if sent.is_ok_and(|fill| !fill.filled.is_zero()) {
            activity.takes_filled += 1;
        }
    }
}

impl Maker {
    fn wants(&self, profile: &Profile, ex: &Exchange, fair: Decimal, at: Nanos) -> bool {
        if at < self.due {
            return false;
        }
        let moved_bps = Decimal::new((profile.move_bps * 100.0) as i64, 6) * self.anchor;
        at >= self.refresh || (fair - self.anchor).abs() >= moved_bps || self.eaten(profile, ex)
    }

    /// Whether the book's top is worse than this maker's own best level, which must then be gone.
    fn eaten(&self, profile: &Profile, ex: &Exchange) -> bool {
        let (bid, ask) = ex.top_of_book(profile.instrument);
        self.levels.iter().filter(|level| level.depth == 0).any(|level| match (level.resting, level.buy) {
            (None, _) => true,
            (Some((_, price)), true) => bid.is_none_or(|(best, _)| best < price),
            (Some((_, price)), false) => ask.is_none_or(|(best, _)| best > price),
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn requote(
        &mut self,
        profile: &Profile,
        ex: &mut Exchange,
        fair: Decimal,
        at: Nanos,
        draws: &mut Draws,
        activity: &mut Activity,
        out: &mut Outbox,
    ) {
        let refresh = at >= self.refresh;
        // All cancels before all orders, so that a moving maker does not cross itself.
        let mut wanted = Vec::with_capacity(self.levels.len());
        for level in &mut self.levels {
            let distance_bps = profile.half_spread_bps
                + profile.level_gap_bps * (level.depth as f64 + draws.between(-0.3, 0.3)).max(0.0);
            let signed_bps = if level.buy { -distance_bps } else { distance_bps };
            let price = profile.tick(beside(fair, signed_bps), level.buy);
            if let Some((order, _)) = level.resting.take() {
                ex.house_cancel(self.account, order, at, out);
            }
            wanted.push(price);
        }
        for (level, price) in self.levels.iter_mut().zip(wanted) {
            let mean = profile.level_amount * (1.0 + 0.5 * level.depth as f64);
            let amount = profile.amount(draws, mean, 0.4);
            let tif = TimeInForce::PostOnly;
            activity.quotes += 1;
            match ex.house_order(self.account, profile.instrument, level.buy, price, amount, tif, at, out) {
                Ok(fill) => level.resting = Some((fill.order, price)),
                Err(_) => activity.quotes_refused += 1,
            }
        }
        self.anchor = fair;
        let pause_ms = profile.requote_ms as f64 * draws.between(1.0, 1.5);
        self.due = at.plus(pause_ms as u64 * MS);
        if refresh {
            self.refresh = at.plus(draws.between(800.0, 1_600.0) as u64 * MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fair_values_follow_their_coin() {
        let mids = [Decimal::from(3_000), Decimal::from(90_000)];
        let ratios = [Decimal::new(107, 2), Decimal::new(1_004, 3), Decimal::ONE];
        let fair = |index: usize, premium_bps| PROFILES[index].fair(&mids, &ratios, premium_bps);
        assert_eq!(fair(0, 1.0), Decimal::new(30_003, 1));
        assert_eq!(fair(2, 1.0), Decimal::from(3_000));
        assert_eq!(fair(4, 1.0), Decimal::from(3_210));
        assert_eq!(fair(5, 0.0), Decimal::from(90_360));
    }

    #[test]
    fn prices_round_away_from_fair_value_and_amounts_to_step() {
        let profile = PROFILES[0];
        assert_eq!(profile.tick(Decimal::new(30_000_567, 4), true), Decimal::new(300_005, 2));
        assert_eq!(profile.tick(Decimal::new(30_000_567, 4), false), Decimal::new(300_006, 2));
        let mut draws = Draws::new(1, 0);
        for _ in 0..100 {
            let amount = profile.amount(&mut draws, 0.12, 0.8);
            assert!(amount >= profile.amount_min && amount.scale() <= 3 && amount < Decimal::new(217, 3));
        }
    }

    #[test]
    fn arrivals_have_their_mean_and_a_bound() {
        let mut draws = Draws::new(1, 0);
        let total: u32 = (0..20_000).map(|_| arrivals(&mut draws, 0.12)).sum();
        assert!((2_200..2_600).contains(&total), "{total}");
        assert_eq!(arrivals(&mut draws, 1e9), TAKERS_PER_STEP_MAX);
        assert_eq!(arrivals(&mut draws, -1.0), 0);
    }
}
