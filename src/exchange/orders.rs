//! `private/order` and `private/replace`, with the speed bump between admission and matching.

use super::admission::{after_bump, placed_json};
use super::order::{Order, Status};
use super::outbox::{ConnId, Outbox};
use super::params::invalid;
use super::rpc::{Answer, Call, Method, ReplyTo};
use super::{Exchange, OrderId, Refusal, TimeInForce};
use crate::base::time::Nanos;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Methods of this module.
pub const METHODS: &[Method] =
    &[Method::matching("private/order", order), Method::matching("private/replace", replace)];

/// Orders inside the speed bump, by release and arrival.
#[derive(Debug, Default)]
pub struct Waiting {
    queue: BTreeMap<(Nanos, u64), Delayed>,
    arrivals: u64,
}

#[derive(Debug)]
struct Delayed {
    reply: ReplyTo,
    order: Order,
    replaces: Option<Target>,
}

/// The order a replace takes the place of.
#[derive(Clone, Debug)]
struct Target {
    order: OrderId,
    expected_filled: Option<Decimal>,
}

impl Waiting {
    /// When the first order is released.
    pub fn next(&self) -> Option<Nanos> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    fn push(&mut self, release: Nanos, delayed: Delayed) {
        self.arrivals += 1;
        self.queue.insert((release, self.arrivals), delayed);
    }

    fn pop_due(&mut self, at: Nanos) -> Option<(Nanos, Delayed)> {
        let entry = self.queue.first_entry().filter(|e| e.key().0 <= at)?;
        let ((release, _), delayed) = entry.remove_entry();
        Some((release, delayed))
    }

    /// Drops mmp orders of a connection that is gone.
    pub fn drop_mmp_of(&mut self, conn: ConnId) {
        self.queue.retain(|_, d| !(d.order.mmp && d.order.conn == Some(conn)));
    }
}

fn order(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let mut order = exchange.read_order(call)?;
    exchange.admit(&mut order, call)?;
    exchange.enter(order, None, call)
}

fn replace(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let mut order = exchange.read_order(call)?;
    exchange.admit(&mut order, call)?;
    let by_id = call.params.opt_uuid("order_id_to_cancel")?;
    let by_nonce = call.params.opt_u64("nonce_to_cancel")?;
    let target = match (by_id, by_nonce) {
        (Some(id), None) => id,
        (None, Some(nonce)) => exchange.open_by_nonce(order.sub, order.instrument, nonce).unwrap_or_default(),
        _ => return Err(invalid("order_id_to_cancel", "exactly one of order_id_to_cancel and nonce_to_cancel")),
    };
    let expected_filled = call.params.opt_decimal("expected_filled_amount")?;
    exchange.enter(order, Some(Target { order: target, expected_filled }), call)
}

impl Exchange {
    fn enter(&mut self, order: Order, replaces: Option<Target>, call: &Call) -> Result<Answer, Refusal> {
        if let Some(sub) = self.subs.get_mut(&order.sub) {
            sub.nonces.insert(order.nonce);
        }
        if order.tif == TimeInForce::PostOnly || self.settings.speed_bump_ms == 0 {
            return self.run(order, replaces, call.at).map(Answer::Now);
        }
        let release = after_bump(call.at, self.settings.speed_bump_ms);
        self.waiting.push(release, Delayed { reply: call.reply.clone(), order, replaces });
        Ok(Answer::Later)
    }

    /// Lets every order through whose time has come, in order of arrival.
    pub(super) fn release_waiting(&mut self, at: Nanos, out: &mut Outbox) {
        while let Some((release, delayed)) = self.waiting.pop_due(at) {
            let result = self.run(delayed.order, delayed.replaces, release);
            self.reply(&delayed.reply, result, out);
            self.flush(out);
        }
    }

    fn run(&mut self, order: Order, replaces: Option<Target>, at: Nanos) -> Result<Value, Refusal> {
        match replaces {
            None => self.place_named(order, at).map(|placed| placed_json(&placed)),
            Some(target) => self.run_replace(order, &target, at),
        }
    }

    /// Places an order and frees its nonce if it is refused.
    fn place_named(&mut self, order: Order, at: Nanos) -> Result<super::execution::Placed, Refusal> {
        let (sub, nonce) = (order.sub, order.nonce);
        let placed = self.place(order, at);
        if placed.is_err() {
            self.release_nonce(sub, nonce);
        }
        placed
    }

    fn release_nonce(&mut self, sub: u64, nonce: u64) {
        if let Some(sub) = self.subs.get_mut(&sub) {
            sub.nonces.release(nonce);
        }
    }

    /// Cancels and creates in one step. A target that cannot be cancelled refuses the whole; a new order that is
    /// refused leaves the cancel standing and reports the refusal beside it.
    fn run_replace(&mut self, mut order: Order, target: &Target, at: Nanos) -> Result<Value, Refusal> {
        if let Err(refusal) = self.replaceable(&order, target) {
            self.release_nonce(order.sub, order.nonce);
            return Err(refusal);
        }
        let cancelled = self.end_order(target.order, Status::Cancelled, "user_request", at);
        order.replaced = Some(target.order);
        let cancelled_json = cancelled.map(|o| o.json());
        Ok(match self.place_named(order, at) {
            Ok(placed) => {
                let created = placed_json(&placed);
                json!({
                    "cancelled_order": cancelled_json, "order": created["order"], "trades": created["trades"],
                    "create_order_error": null,
                })
            }
            Err(refusal) => json!({
                "cancelled_order": cancelled_json, "order": null, "trades": null,
                "create_order_error": refusal.json(),
            }),
        })
    }

    fn replaceable(&self, order: &Order, target: &Target) -> Result<(), Refusal> {
        let Some(old) = self.orders.get(&target.order).filter(|o| o.sub == order.sub) else {
            return Err(self.missing_order(order.sub, target.order));
        };
        if old.instrument != order.instrument {
            return Err(Refusal::because(-32602, format!("instrument_name: the order is on {}", old.instrument_name)));
        }
        match target.expected_filled {
            Some(expected) if expected != old.filled => {
                Err(Refusal::because(11028, format!("filled {}", super::money::text(old.filled))))
            }
            _ => Ok(()),
        }
    }

    /// Why an order is not open: 11003 cancelled, 11004 filled, 11005 expired, 11006 never was.
    pub(super) fn missing_order(&self, sub: u64, id: OrderId) -> Refusal {
        let ended = self.subs.get(&sub).and_then(|s| s.ended.iter().rev().find(|o| o.id == id));
        let code = match ended.map(|o| o.status) {
            Some(Status::Cancelled) => 11003,
            Some(Status::Filled) => 11004,
            Some(Status::Expired) => 11005,
            _ => 11006,
        };
        Refusal::because(code, format!("{id:?}"))
    }

    /// The open order of a nonce.
    pub(super) fn open_by_nonce(&self, sub: u64, instrument: usize, nonce: u64) -> Option<OrderId> {
        let open = &self.subs.get(&sub)?.open;
        let named = |id: &&OrderId| self.orders.get(id).is_some_and(|o| o.nonce == nonce && o.instrument == instrument);
        open.iter().find(named).copied()
    }
}
