//! What the engine reads beside the venue: the external book, the borrow rate and the ratio feeds.

use super::{EXTERNAL, LATENCY_NS, RATIO_NS, SimVenue};
use crate::base::num::Ratio;
use crate::base::time::Nanos;
use crate::exchange::world::path::Coin;
use crate::msg::{Command, PastRatio, RatioRound};
use crate::ops::control::read_borrow_rate;
use crate::topology::ControlEnds;
use rust_decimal::Decimal;

impl SimVenue {
    pub(super) fn publish_external(&mut self) {
        let prices = self.world.prices();
        if prices.step == self.external_step {
            return;
        }
        self.external_step = prices.step;
        if self.external_is_silent() {
            return;
        }
        for coin in Coin::ALL {
            self.update_id += 1;
            let bid = self.world.external_price(coin).round_dp(2);
            let ask = bid + Decimal::new(1, 2);
            let symbol = ["ETHUSDC", "BTCUSDC"][coin.index()];
            let text = format!(
                r#"{{"u":{},"s":"{symbol}","b":"{bid}","B":"5.00000000","a":"{ask}","A":"5.00000000"}}"#,
                self.update_id
            );
            self.hand(EXTERNAL, self.now.plus(LATENCY_NS), &text);
        }
    }

    /// What the control plane would read: the borrow rate and the ratio feeds.
    pub(super) fn publish_ratios(&mut self, control: &mut ControlEnds) {
        if self.now < self.ratios_due {
            return;
        }
        self.ratios_due = self.now.plus(RATIO_NS);
        let currency = self.call("public/get_currency", &serde_json::json!({ "currency": "USDC" }));
        let result = currency.and_then(|body| serde_json::from_str::<serde_json::Value>(&body).ok());
        if let Some(apr) = result.and_then(|body| read_borrow_rate(&body["result"].to_string()).ok()) {
            let _ = control.commands.send(Command::BorrowRate { apr, read_at: self.engine_now() });
        }
        if !self.oracle_is_frozen() {
            self.last_ratios = self.ratio_rounds();
        }
        let read_at = self.engine_now();
        for round in &self.last_ratios {
            // A full lane only delays the round by a second.
            let _ = control.ratios.send(RatioRound { read_at, ..*round });
        }
    }

    /// What the ratio feeds say now.
    fn ratio_rounds(&self) -> Vec<RatioRound> {
        let (prices, at) = (self.world.prices(), self.engine_now());
        let round = |(feed, source): (u8, &u8)| {
            let ratio = prices.ratio.get(usize::from(*source)).and_then(observed)?;
            let past = self.look_back_ns.and_then(|by_ns| self.past_ratio(*source, by_ns));
            let updated_at = at.shifted(self.chain_skew_ns());
            Some(RatioRound { feed, ratio, updated_at, read_at: at, past })
        };
        (0u8..).zip(&self.ratio_feeds).filter_map(round).collect()
    }

    fn past_ratio(&self, source: u8, by_ns: u64) -> Option<PastRatio> {
        let at = Nanos(self.now.0.saturating_sub(by_ns));
        let ratio = observed(&self.world.ratio_at(source, at))?;
        let at = at.shifted(self.skew_ns);
        Some(PastRatio { ratio, updated_at: at, at })
    }
}

fn observed(ratio: &Decimal) -> Option<Ratio> {
    Ratio::observed(ratio.to_string().as_bytes()).ok()
}
