//! What faults impose on the venue and its market for as long as they last, and what becomes of our clock.

use super::SimVenue;
use super::faults::Fault;
use crate::base::ids::Side;
use crate::base::time::Nanos;
use crate::exchange::world::{Pegs, Strain};
use crate::exchange::{KeyLoss, OpenOrder};
use rust_decimal::Decimal;

/// The venue's own bound of funding per hour is below this.
const FUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
/// Borrowing costs nothing, or ten times what is borrowed in a year.
const BORROW: [Decimal; 2] = [Decimal::ZERO, Decimal::TEN];
/// Volatility while the market has lost its senses, as multiples.
const VOLS: [f64; 2] = [0.02, 5.0];
/// How far forwards are below spot.
const FORWARD_BELOW: f64 = 0.03;
/// How much worse than the mark a stranger who knows more than we do still trades.
const EDGE: Decimal = Decimal::from_parts(5, 0, 0, false, 4);

/// What is imposed now.
#[derive(Debug, Default)]
pub(super) struct Imposed {
    /// The vault's subaccount.
    account: u64,
    /// An instrument that does not trade.
    deactivated: Option<String>,
    /// Something has become of the session key.
    key_lost: bool,
    /// Who takes from us on purpose, once there was one.
    stranger: Option<u64>,
    /// How much too fast our clock is, parts per million, and since when.
    drift: Option<(i64, Nanos)>,
}

/// Which of our orders somebody takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// All, and all of each.
    Everything,
    /// All that the market has moved away from.
    Stale,
    /// The smallest amount of each.
    Dust,
}

impl Imposed {
    /// Nothing yet, on a subaccount.
    pub(super) fn on(account: u64) -> Imposed {
        Imposed { account, ..Imposed::default() }
    }
}

impl SimVenue {
    /// Brings market and account to what faults impose on them, or back.
    pub(super) fn mind_faults(&mut self) {
        self.mind_market();
        self.mind_listing();
        self.mind_keys();
    }

    fn choice(&self, fault: Fault) -> usize {
        self.faults.as_ref().map_or(0, |faults| faults.choice(fault))
    }

    fn mind_market(&mut self) {
        let share = |fault, share: Decimal| if self.lasts(fault) { share } else { Decimal::ONE };
        let wrapped = share(Fault::Depegged, Decimal::new(90, 2));
        let usdc = share(Fault::StableDepegged, Decimal::new(88, 2));
        self.world.set_pegs(Pegs { wrapped, usdc });
        let of = |fault| self.lasts(fault).then(|| self.choice(fault));
        let rates = |choice: usize| ([FUNDING, -FUNDING][choice % 2], BORROW[choice / 2 % 2]);
        self.world.set_strain(Strain {
            rates: of(Fault::RatesExtreme).map(rates),
            vol: of(Fault::VolOff).map_or(1.0, |choice| VOLS[choice % 2]),
            forward_below: of(Fault::ForwardBelow).map_or(0.0, |_| FORWARD_BELOW),
        });
    }

    fn mind_listing(&mut self) {
        let (now, lasts) = (self.now, self.lasts(Fault::Deactivated));
        if !lasts {
            self.imposed.deactivated.take().iter().for_each(|name| self.exchange.reactivate(name, now));
        } else if self.imposed.deactivated.is_none() {
            let choice = self.choice(Fault::Deactivated);
            let mut concerns = self.exchange.concerns_of(self.imposed.account);
            if concerns.is_empty() {
                return;
            }
            let name = concerns.swap_remove(choice % concerns.len());
            self.exchange.deactivate(&name, now, &mut self.outbox);
            self.imposed.deactivated = Some(name);
        }
    }

    fn mind_keys(&mut self) {
        let lasts = self.lasts(Fault::KeyLost);
        if lasts {
            let now = self.now;
            self.faults.iter_mut().for_each(|faults| faults.hurt_private(now));
        }
        if lasts != self.imposed.key_lost {
            let loss = lasts.then(|| KeyLoss::ALL[self.choice(Fault::KeyLost) % KeyLoss::ALL.len()]);
            self.exchange.set_key_loss(self.imposed.account, loss);
            self.imposed.key_lost = lasts;
        }
    }

    /// Somebody takes from the vault's resting orders, now. Returns how many orders were met.
    pub fn take_ours(&mut self, take: Take) -> usize {
        let stranger = match self.imposed.stranger {
            Some(known) => known,
            None => *self.imposed.stranger.insert(self.exchange.stranger_account()),
        };
        let steps = self.exchange.open_orders_of(self.imposed.account);
        let step = |order: &OpenOrder| self.exchange.smallest_take(&order.instrument);
        let smallest: Vec<(u64, Decimal)> = steps.iter().map(|order| (order.nonce, step(order))).collect();
        let wants = |order: &OpenOrder, mark: Decimal| match take {
            Take::Everything => Some(order.remaining),
            Take::Stale => is_stale(order, mark).then_some(order.remaining),
            Take::Dust => smallest.iter().find(|(nonce, _)| *nonce == order.nonce).map(|(_, step)| *step),
        };
        self.exchange.take_from((stranger, self.imposed.account), wants, self.now, &mut self.outbox)
    }

    /// From now on our clock is so many parts per million too fast.
    pub fn drift_clock(&mut self, ppm: i64) {
        self.imposed.drift = Some((ppm, self.now)).filter(|_| ppm != 0);
    }

    /// How much too fast our clock is, parts per million.
    pub fn drift_ppm(&self) -> i64 {
        self.imposed.drift.map_or(0, |(ppm, _)| ppm)
    }

    /// Moves our clock on, at its own rate.
    pub(super) fn tick_clock(&mut self) {
        if let Some((ppm, since)) = &mut self.imposed.drift {
            let gained_ns = (self.now.since(*since) as i64).saturating_mul(*ppm) / 1_000_000;
            if gained_ns != 0 {
                (self.skew_ns, *since) = (self.skew_ns + gained_ns, self.now);
            }
        }
        self.clock.advance_to(self.engine_now());
    }
}

/// True if whoever takes an order now pays less than the mark, or hardly more.
fn is_stale(order: &OpenOrder, mark: Decimal) -> bool {
    let (edge, mark) = (mark * EDGE, mark);
    match order.side {
        Side::Buy => order.price > mark - edge,
        Side::Sell => order.price < mark + edge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{MS, SEC};
    use crate::exchange::Settings;
    use crate::exchange::world::WorldSettings;
    use crate::sim::venue::Pace;
    use crate::sim::venue::faults::Faults;
    use crate::sim::weeks::FIRST_EXPIRY_S;

    const START: Nanos = Nanos((FIRST_EXPIRY_S + 5 * 3_600) * SEC);
    const PACE: Pace = Pace::Busy { stretch_ns: 5 * MS };

    fn open() -> SimVenue {
        let mut venue = SimVenue::open(Settings::default(), WorldSettings::option_demo(1), START);
        wait(&mut venue);
        venue
    }

    fn wait(venue: &mut SimVenue) {
        venue.run_alone(venue.now().plus(2 * SEC), PACE);
    }

    /// With one kind at work and lasting.
    fn under(venue: &mut SimVenue, seed: u64, fault: Fault) {
        let mut faults = Faults::of(seed, fault);
        while faults.lasts(fault, venue.now().plus(3 * SEC)).is_none() {
            faults.begin_spans(venue.now(), 1.0);
        }
        venue.mistreat(Some(faults));
        wait(venue);
    }

    /// A bid of the vault's account below the mark of ether.
    fn bid(venue: &mut SimVenue, share: Decimal) -> Decimal {
        let account = venue.imposed.account;
        let placed = venue.mishap(|exchange, at, out| {
            let price = (exchange.mark("ETH-USDC") * share).round_dp(1);
            exchange.stranger_order(account, ("ETH-USDC", Side::Buy), (price, Decimal::ONE), at, out).map(|_| price)
        });
        placed.expect("it rests")
    }

    #[test]
    fn what_the_market_has_moved_away_from_is_stale() {
        let order = |side, price| OpenOrder {
            nonce: 1,
            instrument: "WEETH-USDC".to_owned(),
            side,
            price: Decimal::from(price),
            remaining: Decimal::ONE,
            filled: Decimal::ZERO,
            since_ms: 0,
            option_expiry_s: None,
        };
        let mark = Decimal::from(3_000);
        for (side, price, stale) in
            [(Side::Buy, 2_990, false), (Side::Buy, 2_999, true), (Side::Sell, 3_010, false), (Side::Sell, 2_900, true)]
        {
            assert_eq!(is_stale(&order(side, price), mark), stale, "{side:?} {price}");
        }
    }

    #[test]
    fn strangers_take_a_crumb_or_all_and_what_is_stale_only_if_it_is() {
        let mut venue = open();
        bid(&mut venue, Decimal::new(99, 2));
        assert_eq!(venue.take_ours(Take::Stale), 0);
        let resting = |venue: &SimVenue| venue.exchange.open_orders_of(venue.imposed.account);
        assert_eq!(venue.take_ours(Take::Dust), 1);
        let step = venue.exchange.smallest_take("ETH-USDC");
        assert_eq!(resting(&venue)[0].filled, step);
        assert_eq!((venue.take_ours(Take::Everything), resting(&venue)), (1, Vec::new()));
    }

    #[test]
    fn a_deactivated_instrument_loses_its_orders_and_comes_back() {
        let mut venue = open();
        let price = bid(&mut venue, Decimal::new(99, 2));
        under(&mut venue, 3, Fault::Deactivated);
        assert!(venue.exchange.open_orders_of(venue.imposed.account).is_empty());
        let account = venue.imposed.account;
        let place = |venue: &mut SimVenue| {
            venue.mishap(|exchange, at, out| {
                exchange.stranger_order(account, ("ETH-USDC", Side::Buy), (price, Decimal::ONE), at, out)
            })
        };
        assert_eq!(place(&mut venue).map_err(|refusal| refusal.code), Err(11_021));
        venue.mistreat(None);
        wait(&mut venue);
        assert!(place(&mut venue).is_ok());
    }

    #[test]
    fn volatility_and_forwards_move_for_everybody_and_come_back() {
        let mut venue = open();
        let expiry_s = venue.exchange.expiries("ETH").into_iter().next_back().expect("listed");
        let (_, call, _) = venue.exchange.listed_options("ETH", expiry_s).swap_remove(0);
        let mark = |venue: &SimVenue| venue.exchange.option_mark(&call).expect("listed");
        let before = mark(&venue);
        under(&mut venue, 4, Fault::VolOff);
        let share = mark(&venue).vol / before.vol;
        assert!(!(0.1..3.0).contains(&share), "{share}");
        venue.mistreat(None);
        wait(&mut venue);
        let share = mark(&venue).vol / before.vol;
        assert!((0.9..1.1).contains(&share), "{share}");
        under(&mut venue, 5, Fault::ForwardBelow);
        assert!(mark(&venue).forward < venue.spot("ETH") * Decimal::new(98, 2));
    }

    #[test]
    fn rates_are_forced_to_their_bounds_and_come_back() {
        let mut venue = open();
        let before = venue.exchange.funding_rate("ETH");
        under(&mut venue, 6, Fault::RatesExtreme);
        assert!(venue.exchange.funding_rate("ETH").abs() > Decimal::new(1, 4));
        venue.mistreat(None);
        wait(&mut venue);
        assert_eq!(venue.exchange.funding_rate("ETH"), before);
    }

    #[test]
    fn a_clock_drifts_by_its_rate_until_it_is_told_not_to() {
        let mut venue = open();
        venue.drift_clock(-500);
        venue.run_alone(venue.now().plus(10 * SEC), PACE);
        let skew_ns = venue.skew_ns();
        assert!((-5_000_000..=-4_990_000).contains(&skew_ns), "{skew_ns}");
        venue.drift_clock(0);
        wait(&mut venue);
        assert_eq!(venue.skew_ns(), skew_ns);
    }
}
