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
/// may choose from then on, and its mandate allows their life.
pub(super) fn begin_at(vault: &mut OptionVaultConfig, start: Nanos) {
    let expiry_s = weekly_expiry_s(start.plus(TURN_S * SEC));
    let life_s = expiry_s.saturating_sub(start.secs());
    let week = &mut vault.params.week;
    // More days than are left, so that the expiry is within them, and no later one is.
    week.expiry_days = life_s / DAY_S + 1;
    week.expiry_s_min = LIFE_S_MIN;
    week.option_delay_s = week.expiry_days * DAY_S - life_s;
    vault.limits.life_s_min = LIFE_S_MIN;
    vault.limits.life_s_max = vault.limits.life_s_max.max(week.expiry_days * DAY_S);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{InstrumentId, Name, Right};
    use crate::base::num::{Amount, Cash, Price, Ratio};
    use crate::config::{Config, Online};
    use crate::exchange::expiries_due;
    use crate::market::instrument::{Instrument, Kind, OptionTerms};
    use crate::msg::Product;
    use crate::sim::weeks::Vault;
    use crate::strategy::options::ChainLine;
    use crate::strategy::options::selector::Chain;

    fn call(place: u16, expiry_s: u64) -> ChainLine {
        let strike = Price::whole(3_000);
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
            option: Some(OptionTerms { expiry_s, strike, right: Right::Call }),
            active: true,
        };
        ChainLine { instrument, value: None }
    }

    /// What the vault's rule chooses at a moment from what the exchange lists then.
    fn chosen(vault: &OptionVaultConfig, at: Nanos) -> Option<u64> {
        let lines: Vec<ChainLine> =
            (0u16..).zip(expiries_due(at.secs())).map(|(place, expiry_s)| call(place, expiry_s)).collect();
        Chain { lines: &lines, product: Product::CoveredCall, at }.expiry(&vault.params.week)
    }

    #[test]
    fn at_every_hour_of_a_week_the_crowds_weekly_is_due_and_stays_so() {
        let scene = Vault::Harvest.scene();
        let config = Config::parse(scene.config, scene.file, &Online::here()).expect("sound");
        let vault = config.vaults[0].options().expect("an option vault");
        let monday_s = 1_795_996_800; // 2026-11-30 00:00 UTC
        let offsets = [0, 1, 59, 60, 61, 1_800, 3_539, 3_541, 3_595, 3_599];
        for at_s in (0..168).flat_map(|hour| offsets.map(|offset| monday_s + hour * 3_600 + offset)) {
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
