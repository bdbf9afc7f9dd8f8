//! The bounds of a vault, read from its configuration by other means than the engine's own.

use rust_decimal::Decimal;

/// What a configuration allows.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Largest order, in cash.
    pub notional_max: Decimal,
    /// Longest life of a signature, seconds.
    pub order_life_s: u64,
    /// The venue must refuse an order later than this, ms.
    pub reject_after_ms: u64,
    /// Oldest ticker an order may rest on, ms.
    pub ticker_age_ms: u64,
    /// Shortest life of an option it trades, seconds; zero if it trades none.
    pub option_life_s: u64,
    /// Cash below which no option is traded, if it trades any.
    pub cash_min: Option<Decimal>,
    /// Leverage it wants while carry pays, and the largest quote, in base; within half of it nothing is traded.
    pub target: Option<(Decimal, Decimal)>,
    /// Loss against mark, in ten-thousandths of its value, at which it quotes no more, if it counts it.
    pub loss_bps: Option<u64>,
    /// Difference to the venue's cash that accrual and rounding explain.
    pub cash_tolerance: Decimal,
}

impl Rules {
    /// Reads the first vault of a configuration.
    ///
    /// # Errors
    /// A bound is missing; which.
    pub fn read(config: &str) -> Result<Rules, String> {
        let table: toml::Table = config.parse().map_err(|why| format!("{why}"))?;
        let vault = &table["vault"][0];
        let anywhere = |name: &str| {
            let groups = vault.as_table().into_iter().flat_map(|vault| vault.values());
            groups.filter_map(toml::Value::as_table).find_map(|group| group.get(name)).cloned()
        };
        let limit = |name: &str| vault.get("limits").and_then(|limits| limits.get(name)).cloned();
        let whole = |name: &str, value: Option<toml::Value>| {
            let number = value.and_then(|value| value.as_integer()).and_then(|number| u64::try_from(number).ok());
            number.ok_or_else(|| format!("{name} is not in the configuration"))
        };
        let money = |name: &str| limit(name).and_then(|value| value.as_str().and_then(|text| text.parse().ok()));
        let wanted = |name: &str| anywhere(name).and_then(|value| value.as_str().and_then(|text| text.parse().ok()));
        let missing = |name: &str| format!("{name} is not in the configuration");
        Ok(Rules {
            notional_max: money("notional_max_usdc").ok_or_else(|| missing("notional_max_usdc"))?,
            order_life_s: whole("order_life_s", limit("order_life_s"))?,
            reject_after_ms: whole("reject_after_ms", limit("reject_after_ms"))?,
            ticker_age_ms: whole("ticker_age_max_ms", anywhere("ticker_age_max_ms"))?,
            option_life_s: whole("life_min_s", limit("life_min_s")).unwrap_or_default(),
            cash_min: money("cash_min_usdc"),
            target: wanted("target_leverage_x").zip(wanted("clip_base")),
            loss_bps: whole("loss_ema_max_bps", anywhere("loss_ema_max_bps")).ok(),
            cash_tolerance: money("cash_tolerance_usdc").unwrap_or(Decimal::ONE),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::soak::Subject;

    #[test]
    fn every_vault_of_the_storms_states_its_bounds() {
        for seed in [0, 1, 2, 4, 6] {
            let rules = Rules::read(&Subject::of(seed).scene().config).expect("readable");
            assert!(rules.notional_max >= Decimal::from(1_000) && rules.order_life_s >= 310, "{seed}: {rules:?}");
            assert_eq!(rules.target.is_some() && rules.loss_bps.is_some(), Subject::of(seed) == Subject::Basis);
        }
    }
}
