//! Executions of quotes: kept back like orders, or written and handed to the socket.

use super::{Gateway, Out, Tag};
use crate::base::num::Price;
use crate::base::time::Nanos;
use crate::derive::encode::rfq::{ExecutionWire, LegText, execute_quote};
use crate::derive::seal::SignedExecution;
use crate::msg::{LEGS, Report, Request, Unsent};

impl Gateway {
    pub(super) fn on_execution(&mut self, at: Nanos, signed: &SignedExecution, out: &mut Out) {
        let execution = signed.execution();
        let (nonce, trace, request) = (execution.nonce(), execution.trace(), Request::Execute);
        if self.is_repeated(nonce) {
            return;
        }
        if let Some(why) = self.kept_back(at, execution.epoch(), nonce, execution.late_after()) {
            self.counts.kept_back += 1;
            out.report(trace, Report::Unsent { nonce, request, why });
            return;
        }
        let deal = execution.deal();
        let legs: [(LegText, Price); LEGS] = std::array::from_fn(|place| {
            let priced = deal.legs[place];
            let (side, amount) = (priced.leg.side, priced.leg.amount);
            (LegText { name: signed.names()[place], side, amount }, priced.price)
        });
        let wire = ExecutionWire {
            subaccount: execution.subaccount(),
            rfq_id: deal.rfq_id,
            quote_id: deal.quote_id,
            legs,
            max_fee: signed.max_fee(),
            nonce,
            expiry_sec: execution.expires_s(),
            nonces: self.form.nonces,
            signer: &self.form.signer,
            signature: signed.signature(),
        };
        match execute_quote(&mut self.buffer[..], &wire) {
            Ok(text) => {
                self.counts.executions += 1;
                self.last_sent = self.last_sent.max(nonce);
                out.frames.push(text, Tag::Order { trace, nonce, request });
            }
            // As with orders: a moment or nonce outside the wire's range goes nowhere.
            Err(_) => out.report(trace, Report::Unsent { nonce, request, why: Unsent::Late }),
        }
    }
}
