//! What risk says to gateway, signer and operators, in the story's words.

use super::{Play, SUB};
use keel::actors::risk::{Notice, Out};
use keel::base::ids::{InstrumentId, Nonce, Uuid};
use keel::base::num::Amount;
use keel::base::time::MS;
use keel::market::instrument::Instrument;
use keel::msg::*;
use keel::risk::order::Granted;
use std::fmt::Write;

impl Play {
    pub(super) fn line(&self, said: &mut String, text: &str) {
        let ms = self.at.since(self.from) / MS;
        let _ = writeln!(said, "+{:<8} {text}", format!("{}.{:02}", ms / 1_000, ms % 1_000 / 10));
    }

    fn name(&self, nonce: Nonce) -> String {
        let place = self.nonces.iter().position(|known| *known == nonce);
        place.map_or_else(|| format!("foreign {}", nonce.0), |place| (place + 1).to_string())
    }

    fn instrument(&self, id: InstrumentId) -> &Instrument {
        &self.instruments[usize::from(id.0)]
    }

    fn leg(&self, leg: &Leg) -> String {
        format!("{:?} {} {}", leg.side, leg.amount, self.instrument(leg.instrument).name)
    }

    /// Writes down what risk says, except to the auction.
    pub(super) fn tell(&mut self, out: &mut Out, said: &mut String) {
        for granted in out.orders.drain() {
            self.tell_granted(&granted, said);
        }
        let urgent: Vec<Urgent> = out.urgent.drain().collect();
        for one in urgent {
            match one {
                Urgent::Ask { name, wish, .. } => {
                    self.nonces.push(name);
                    self.asked = Some(wish);
                    self.asks += 1;
                    let legs: Vec<String> = wish.legs.iter().map(|leg| self.leg(leg)).collect();
                    self.line(said, &format!("risk → gateway  RFQ {}: {}", self.name(name), legs.join(", ")));
                }
                Urgent::Unask { .. } => self.line(said, "risk → gateway  withdraw the RFQ"),
                Urgent::Stop { epoch } => self.line(said, &format!("risk → gateway  stop, epoch {}", epoch.0)),
                Urgent::Cancel { nonce, .. } => {
                    self.unanswered.push((nonce, Request::Cancel, None));
                    self.line(said, &format!("risk → gateway  cancel {}", self.name(nonce)));
                }
                Urgent::Reconcile { .. } => out.urgent.push(one),
            }
        }
        for notice in out.notices.drain() {
            self.tell_notice(&notice, said);
        }
    }

    fn tell_granted(&mut self, granted: &Granted, said: &mut String) {
        let text = match granted {
            Granted::Order(order) => {
                self.nonces.push(order.nonce());
                self.orders.push(OrderRow {
                    subaccount: SUB,
                    order_id: Uuid(order.nonce().0.into()),
                    nonce: order.nonce(),
                    instrument: order.instrument(),
                    side: order.side(),
                    price: order.price(),
                    amount: order.amount(),
                    filled: Amount::ZERO,
                    status: OrderStatus::Rejected,
                    updated_at: self.at,
                });
                let replaced = order.replaced().map(|old| old.nonce);
                let request = if replaced.is_some() { Request::Replace } else { Request::Place };
                self.unanswered.push((order.nonce(), request, replaced));
                let old = order
                    .replaced()
                    .map(|old| format!(", replacing {} at {} filled", self.name(old.nonce), old.filled));
                let (side, amount, price) = (order.side(), order.amount(), order.price());
                let what = self.instrument(order.instrument()).name;
                format!("order {}: {side:?} {amount} {what} @ {price}{}", self.nonces.len(), old.unwrap_or_default())
            }
            Granted::Execution(execution) => {
                self.nonces.push(execution.nonce());
                let deal = execution.deal();
                self.executing = Some(*deal);
                let cost = package_cost(&deal.legs);
                format!("execution {} of quote {}: cost {cost}", self.nonces.len(), deal.quote_id.0)
            }
            Granted::Movement(_) | Granted::Note { .. } => return,
        };
        self.line(said, &format!("risk → signer   {text}"));
    }

    fn tell_notice(&mut self, notice: &Notice, said: &mut String) {
        match notice {
            Notice::Mode { mode, .. } => self.line(said, &format!("risk → ops      mode {mode:?}")),
            Notice::Alarm { alarm, .. } => self.line(said, &format!("risk → ops      ALARM {alarm:?}")),
            Notice::Phase { milestone, .. } => {
                let strikes: Vec<String> =
                    milestone.strikes.iter().filter(|strike| strike.is_positive()).map(ToString::to_string).collect();
                let strikes =
                    if strikes.is_empty() { String::new() } else { format!(", strikes {}", strikes.join("/")) };
                self.line(said, &format!("risk → ops      phase {}{strikes}", milestone.phase.name()));
            }
            Notice::Demand { demand, .. } => self.demand = Some(*demand),
            Notice::Sample { stats, .. } => {
                let refused: u64 = stats.refused.iter().sum();
                if refused > self.refused {
                    self.refused = refused;
                    self.line(said, &format!("risk            refused {refused} wishes so far: {:?}", stats.refused));
                }
            }
            Notice::Filled { .. } | Notice::Hedged { .. } | Notice::Settlement { .. } | Notice::Capital { .. } => {}
        }
    }
}
