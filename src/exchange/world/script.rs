//! What the market does when: phases of funding, borrow rate, drift and one-sided flow, as data.

use super::path::Coin;
use rust_decimal::Decimal;

/// Takers of one instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// Instrument name.
    pub instrument: &'static str,
    /// Taker orders per second (Poisson).
    pub per_s: f64,
    /// Mean size of a taker order, in base units.
    pub amount_mean: f64,
    /// −1: all takers sell. 0: both sides alike. 1: all takers buy.
    pub bias: f64,
}

/// The state of the market from a moment on.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Seconds after the start.
    pub from_s: f64,
    /// Hourly funding rate imposed on each coin's perp; `None` leaves it to the book.
    pub funding_hourly: [Option<Decimal>; 2],
    /// USDC borrow rate per year; `None` leaves it to utilisation.
    pub borrow_apr: Option<Decimal>,
    /// Drift of each coin in basis points per minute.
    pub drift_bps_per_min: [f64; 2],
    /// How far perps trade from spot, in basis points.
    pub premium_bps: f64,
    /// Takers; an instrument not named has none.
    pub flows: Vec<Flow>,
}

impl Phase {
    /// The takers of an instrument.
    pub fn flow(&self, instrument: &str) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.instrument == instrument)
    }
}

/// Phases in order of time; the first starts at zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    phases: Vec<Phase>,
}

/// Share of the demo in which carry is good and the crowd sells.
const ENTRY_SHARE: f64 = 0.65;
/// Length of a market of waves.
const HALF_DAY_S: u64 = 43_200;
/// LST orders per second in the demo.
const DEMO_ORDERS_PER_S: f64 = 6.0;
/// Volume the demo's crowd offers on each LST while it sells, in base units of weETH and LBTC: about two and a half
/// times what the demo's vaults want to buy, so that they reach their target well before the turn.
const DEMO_VOLUME: [f64; 2] = [250.0, 12.0];

impl Script {
    /// A script of the given phases, put in order of time.
    pub fn new(mut phases: Vec<Phase>) -> Script {
        phases.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
        if let Some(first) = phases.first_mut() {
            first.from_s = 0.0;
        } else {
            phases.push(quiet());
        }
        Script { phases }
    }

    /// A market without end or lean: funding follows the book. The borrow rate is imposed, because the crowd's cash
    /// would otherwise hold utilisation, and with it the rate, near zero.
    pub fn steady() -> Script {
        Script::new(vec![quiet()])
    }

    /// A run of `seconds` with the demo's volumes, see [`Script::demo_with_volume`].
    pub fn demo(seconds: u64) -> Script {
        Script::demo_with_volume(seconds, DEMO_VOLUME)
    }

    /// A run of `seconds`: for the first 65 % funding is far above the borrow rate and the crowd sells LSTs, so that a
    /// vault bidding near fair value is filled several times a second and levers up; then funding turns negative and
    /// the crowd buys LSTs, so that an exiting vault can sell. `volume` is what the crowd sells in the first part, in
    /// base units of weETH and LBTC; in the shorter second part it buys as fast as needed to take the same back.
    pub fn demo_with_volume(seconds: u64, volume: [f64; 2]) -> Script {
        let seconds = seconds.max(1) as f64;
        let (entry_s, exit_s) = (seconds * ENTRY_SHARE, seconds * (1.0 - ENTRY_SHARE));
        let entry = Phase {
            from_s: 0.0,
            // About 105 % a year, below Derive's cap of 0.017123 % an hour.
            funding_hourly: [Some(Decimal::new(12, 5)), Some(Decimal::new(10, 5))],
            borrow_apr: Some(Decimal::new(5, 2)),
            drift_bps_per_min: [0.0; 2],
            premium_bps: 0.6,
            flows: flows_with_lsts(volume, entry_s, -0.9),
        };
        let exit = Phase {
            from_s: entry_s,
            funding_hourly: [Some(Decimal::new(-8, 5)), Some(Decimal::new(-6, 5))],
            borrow_apr: Some(Decimal::new(8, 2)),
            drift_bps_per_min: [-1.0; 2],
            premium_bps: -0.6,
            flows: flows_with_lsts(volume, exit_s, 0.9),
        };
        Script::new(vec![entry, exit])
    }

    /// Half a day in which the demo's two phases take turns, each whole turn `seconds` long: a vault builds and unwinds again
    /// and again.
    pub fn waves(seconds: u64) -> Script {
        let turn = Script::demo(seconds);
        let turns = HALF_DAY_S / seconds.max(1);
        let of_turn = |number: u64| {
            let from_s = (number * seconds.max(1)) as f64;
            turn.phases.iter().map(move |phase| Phase { from_s: from_s + phase.from_s, ..phase.clone() })
        };
        Script::new((0..turns.max(1)).flat_map(of_turn).collect())
    }

    /// The number and the phase in force `elapsed_s` after the start.
    pub fn at(&self, elapsed_s: f64) -> (usize, &Phase) {
        let later = self.phases.partition_point(|phase| phase.from_s <= elapsed_s);
        let index = later.saturating_sub(1);
        (index, &self.phases[index])
    }

    /// The phases in order.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }
}

fn quiet() -> Phase {
    let mut flows = coin_flows();
    flows.push(Flow { instrument: "WEETH-USDC", per_s: 0.5, amount_mean: 0.6, bias: 0.0 });
    flows.push(Flow { instrument: "LBTC-USDC", per_s: 0.4, amount_mean: 0.03, bias: 0.0 });
    Phase {
        from_s: 0.0,
        funding_hourly: [None; 2],
        borrow_apr: Some(Decimal::new(42, 3)),
        drift_bps_per_min: [0.0; 2],
        premium_bps: 0.3,
        flows,
    }
}

/// Two-sided takers of the coins themselves.
fn coin_flows() -> Vec<Flow> {
    vec![
        Flow { instrument: "ETH-PERP", per_s: 4.0, amount_mean: 1.5, bias: 0.0 },
        Flow { instrument: "BTC-PERP", per_s: 3.0, amount_mean: 0.06, bias: 0.0 },
        Flow { instrument: "ETH-USDC", per_s: 1.0, amount_mean: 0.5, bias: 0.0 },
        Flow { instrument: "BTC-USDC", per_s: 0.8, amount_mean: 0.02, bias: 0.0 },
    ]
}

fn flows_with_lsts(volume: [f64; 2], over_s: f64, bias: f64) -> Vec<Flow> {
    // The leaning side gets (1+|bias|)/2 of all orders.
    let orders = over_s * DEMO_ORDERS_PER_S * (1.0 + f64::abs(bias)) / 2.0;
    let lst = |coin: Coin, instrument| Flow {
        instrument,
        per_s: DEMO_ORDERS_PER_S,
        amount_mean: volume[coin.index()] / orders,
        bias,
    };
    let mut flows = coin_flows();
    flows.push(lst(Coin::Eth, "WEETH-USDC"));
    flows.push(lst(Coin::Btc, "LBTC-USDC"));
    flows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_turns_at_two_thirds() {
        let script = Script::demo(60);
        for (elapsed_s, phase, sells, pays_shorts) in
            [(0.0, 0, true, true), (38.9, 0, true, true), (39.0, 1, false, false), (600.0, 1, false, false)]
        {
            let (index, found) = script.at(elapsed_s);
            assert_eq!(index, phase, "{elapsed_s}");
            assert_eq!(found.flow("WEETH-USDC").expect("named").bias < 0.0, sells, "{elapsed_s}");
            let funding = found.funding_hourly[0].expect("imposed");
            assert_eq!(funding * Decimal::from(8_760) > found.borrow_apr.expect("imposed"), pays_shorts, "{elapsed_s}");
        }
    }

    #[test]
    fn waves_turn_again_and_again() {
        let script = Script::waves(30);
        for elapsed_s in [0.0, 19.0, 30.0, 43_000.0] {
            let sells = script.at(elapsed_s).1.flow("WEETH-USDC").expect("named").bias < 0.0;
            assert_eq!(sells, elapsed_s % 30.0 < 19.5, "{elapsed_s}");
        }
        assert_eq!(script.phases().len(), 2 * 1_440);
    }

    #[test]
    fn the_demo_offers_its_volume_at_any_length() {
        for seconds in [10, 20, 60, 600] {
            let script = Script::demo_with_volume(seconds, [100.0, 4.0]);
            let flow = script.at(0.0).1.flow("WEETH-USDC").expect("named");
            let sold = flow.per_s * (1.0 - flow.bias) / 2.0 * flow.amount_mean * seconds as f64 * ENTRY_SHARE;
            assert!((sold - 100.0).abs() < 1e-9, "{seconds}: {sold}");
        }
    }

    #[test]
    fn phases_are_put_in_order_and_start_at_zero() {
        let at = |from_s| Phase { from_s, ..quiet() };
        let script = Script::new(vec![at(9.0), at(3.0)]);
        assert_eq!(script.phases().iter().map(|p| p.from_s).collect::<Vec<_>>(), [0.0, 9.0]);
        assert_eq!(Script::new(vec![]), Script::steady());
    }
}
