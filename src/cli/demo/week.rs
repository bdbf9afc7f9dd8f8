//! Moves an option vault's week so that its next auction begins now, at any hour of any day.

use crate::base::time::{Nanos, SEC};
use crate::config::OptionVaultConfig;
use crate::exchange::world::weeks::weekly_expiry_s;

const DAY_S: u64 = 86_400;
/// Options may be chosen and traded with this much left to live: the crowd's weekly has a day at least.
const LIFE_S_MIN: u64 = DAY_S / 2;
/// The crowd turns to the next weekly a day before the expiry of this one; an auction about to begin then is for the
/// next one at once.
const TURN_S: u64 = 60;

/// Sets the week so that the auction of the options the crowd trades begins at `start`: they are the latest the vault
/// may choose from then on, and its mandate allows their life, which is returned in seconds.
pub(super) fn begin_at(vault: &mut OptionVaultConfig, start: Nanos) -> u64 {
    let expiry_s = weekly_expiry_s(start.plus(TURN_S * SEC));
    let life_s = expiry_s.saturating_sub(start.secs());
    let week = &mut vault.params.week;
    // More days than are left, so that the expiry is within them, and no later one is.
    week.expiry_days = life_s / DAY_S + 1;
    week.expiry_s_min = LIFE_S_MIN;
    week.option_delay_s = week.expiry_days * DAY_S - life_s;
    vault.limits.life_s_min = LIFE_S_MIN;
    vault.limits.life_s_max = vault.limits.life_s_max.max(week.expiry_days * DAY_S);
    life_s
}

#[cfg(test)]
mod tests {
    use super::super::Vault;
    use super::*;
    use crate::base::ids::{InstrumentId, Name, Right};
    use crate::base::num::{Amount, Cash, Price, Ratio};
    use crate::config::{Config, Online};
    use crate::exchange::world::WorldSettings;
    use crate::exchange::{Settings, expiries_due};
    use crate::market::instrument::{Instrument, Kind, OptionTerms};
    use crate::msg::{OptionValue, Product, Value};
    use crate::sim::venue::{Pace, SimVenue};
    use crate::strategy::options::ChainLine;
    use crate::strategy::options::selector::Chain;

    const MONDAY_S: u64 = 1_795_996_800; // 2026-11-30 00:00 UTC

    fn option(place: u16, expiry_s: u64, strike: Price, right: Right) -> ChainLine {
        let instrument = Instrument {
            id: InstrumentId(place),
            name: Name::new("ETH-C").expect("short"),
            kind: Kind::Option,
            base_currency: Name::new("ETH").expect("short"),
            asset: [0; 20],
            sub_id: 0,
            tick: Price::ONE,
            step: Amount::ONE,
            min_amount: Amount::ONE,
            max_amount: Amount::whole(1_000),
            maker_fee: Ratio::ZERO,
            taker_fee: Ratio::ZERO,
            base_fee: Cash::ZERO,
            mark_fee_cap: Ratio::ZERO,
            option: Some(OptionTerms { expiry_s, strike, right }),
            active: true,
        };
        ChainLine { instrument, value: None }
    }

    /// What the vault's rule chooses at a moment from what the exchange lists then.
    fn chosen(vault: &OptionVaultConfig, at: Nanos) -> Option<u64> {
        let call = |(place, expiry_s)| option(place, expiry_s, Price::whole(3_000), Right::Call);
        let lines: Vec<ChainLine> = (0u16..).zip(expiries_due(at.secs())).map(call).collect();
        Chain { lines: &lines, product: Product::CoveredCall, at }.expiry(&vault.params.week)
    }

    /// The demo's own configuration, its addresses made up.
    fn configured(vault: Vault) -> OptionVaultConfig {
        let values = [
            ("@WS@", "ws://127.0.0.1:9/v3/ws"),
            ("@REST@", "http://127.0.0.1:9/v3"),
            ("@RPC@", "http://127.0.0.1:9"),
            ("@OWNER@", "0x1111111111111111111111111111111111111111"),
            ("@SUBACCOUNT@", "7"),
            ("@KEY@", "session.key"),
        ];
        let template = vault.stage().config.to_owned();
        let text = values.iter().fold(template, |text, (name, value)| text.replace(name, value));
        let config = Config::parse(&text, "demo.toml", &Online::here()).expect("sound");
        config.vaults[0].options().expect("an option vault").clone()
    }

    /// An expiry as the exchange marks it at a moment.
    fn chain(venue: &SimVenue, vault: &OptionVaultConfig, expiry_s: u64) -> Vec<ChainLine> {
        let ratio = |number: f64| Ratio::from_raw((number * 1e9) as i64);
        let right = vault.params.product.right();
        let listed = venue.exchange.listed_options(&vault.option_currency, expiry_s);
        let line = |(place, (strike, call, put)): (u16, (rust_decimal::Decimal, String, String))| {
            let strike = Price::observed(strike.to_string().as_bytes()).expect("a strike");
            let mark = venue.exchange.option_mark(if right == Right::Call { &call } else { &put })?;
            let price =
                |number: rust_decimal::Decimal| Price::observed(number.to_string().as_bytes()).expect("a price");
            let model = OptionValue {
                mark_iv: ratio(mark.vol),
                forward: price(mark.forward),
                discount: Ratio::ONE,
                delta: ratio(mark.delta),
            };
            let value =
                Value { mark: price(mark.price), option: Some(model), good_until: Nanos::MAX, ..Value::default() };
            Some(ChainLine { value: Some(value), ..option(place, expiry_s, strike, right) })
        };
        (0u16..).zip(listed).filter_map(line).collect()
    }

    #[test]
    fn at_every_quarter_day_each_vault_finds_options_that_fit() {
        for at_s in (0..28).map(|quarter| MONDAY_S + quarter * 21_600 + 3_600) {
            let start = Nanos(at_s * SEC);
            let mut venue = SimVenue::open(Settings::default(), WorldSettings::option_demo(7), start);
            venue.run_alone(start.plus(3 * SEC), Pace::Busy { stretch_ns: SEC / 4 });
            for vault in [Vault::Harvest, Vault::SafeHarvest, Vault::Maxi, Vault::Bull] {
                let mut config = configured(vault);
                begin_at(&mut config, start);
                let expiry_s = chosen(&config, start).expect("an expiry");
                let lines = chain(&venue, &config, expiry_s);
                let chain = Chain { lines: &lines, product: config.params.product, at: start };
                let picked = chain.select(&config.params.selection, expiry_s);
                assert!(picked.is_some(), "{vault:?} at {at_s}: none of {} options fits", lines.len());
            }
        }
    }

    #[test]
    fn at_every_hour_of_a_week_the_crowds_weekly_is_due_and_stays_so() {
        let vault = configured(Vault::Harvest);
        let offsets = [0, 1, 59, 60, 61, 1_800, 3_539, 3_541, 3_595, 3_599];
        for at_s in (0..168).flat_map(|hour| offsets.map(|offset| MONDAY_S + hour * 3_600 + offset)) {
            let mut vault = vault.clone();
            let start = Nanos(at_s * SEC);
            begin_at(&mut vault, start);
            // An engine that is ready late, and an auction that goes on for a while.
            for later_s in [0, 1, 30, 59] {
                let at = start.plus(later_s * SEC);
                let expiry_s = chosen(&vault, at).unwrap_or_else(|| panic!("{at_s} + {later_s}: nothing chosen"));
                assert_eq!(vault.params.week.auction_start_s(expiry_s), at_s, "{at_s} + {later_s}");
                let life_s = expiry_s - at.secs();
                assert!((vault.limits.life_s_min..=vault.limits.life_s_max).contains(&life_s), "{at_s} + {later_s}");
            }
            let late = start.plus(TURN_S * SEC);
            assert_eq!(chosen(&vault, late), Some(weekly_expiry_s(late)), "{at_s}: not what the crowd trades");
        }
    }
}
