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
        for coin in Coin::ALL {
            self.update_id += 1;
            let bid = prices.external[coin.index()].round_dp(2);
            let ask = bid + Decimal::new(1, 2);
            let symbol = ["ETHUSDC", "BTCUSDC"][coin.index()];
            let text = format!(
                r#"{{"u":{},"s":"{symbol}","b":"{bid}","B":"5.00000000","a":"{ask}","A":"5.00000000"}}"#,
                self.update_id
            );
            self.wires[EXTERNAL].deliver(self.now.plus(LATENCY_NS), text.as_bytes());
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
            let _ = control.commands.send(Command::BorrowRate { apr, read_at: self.now });
        }
        let prices = self.world.prices();
        for (feed, source) in (0u8..).zip(&self.ratio_feeds) {
            let Some(ratio) = prices.ratio.get(usize::from(*source)).and_then(observed) else { continue };
            let past = self.look_back_ns.and_then(|by_ns| self.past_ratio(*source, by_ns));
            // A full lane only delays the round by a second.
            let _ = control.ratios.send(RatioRound { feed, ratio, updated_at: self.now, read_at: self.now, past });
        }
    }

    fn past_ratio(&self, source: u8, by_ns: u64) -> Option<PastRatio> {
        let at = Nanos(self.now.0.saturating_sub(by_ns));
        let ratio = observed(&self.world.ratio_at(source, at))?;
        Some(PastRatio { ratio, updated_at: at, at })
    }
}

fn observed(ratio: &Decimal) -> Option<Ratio> {
    Ratio::observed(ratio.to_string().as_bytes()).ok()
}
