//! Movements of capital: kept back like orders, or written and handed to the socket.

use super::{Gateway, Out, Tag};
use crate::base::time::Nanos;
use crate::derive::encode::capital::{MovementWire, movement};
use crate::derive::seal::SignedMovement;
use crate::msg::{Report, Request, Trace, Unsent};

impl Gateway {
    pub(super) fn on_movement(&mut self, at: Nanos, signed: &SignedMovement, out: &mut Out) {
        let moved = signed.movement();
        let (nonce, trace, request) = (moved.nonce(), Trace::default(), Request::Move);
        if self.is_repeated(nonce) {
            return;
        }
        if let Some(why) = self.kept_back(at, moved.epoch(), nonce, moved.late_after()) {
            self.counts.kept_back += 1;
            out.report(trace, Report::Unsent { nonce, request, why });
            return;
        }
        let wire = MovementWire {
            flow: moved.flow(),
            subaccount: moved.subaccount(),
            currency: moved.currency(),
            amount: moved.amount(),
            token_decimals: moved.token_decimals(),
            nonce,
            expiry_sec: moved.expires_s(),
            signer: &self.form.signer,
            atomic: self.form.atomic,
            signature: signed.signature(),
        };
        match movement(&mut self.buffer[..], &wire) {
            Ok(text) => {
                self.last_sent = self.last_sent.max(nonce);
                out.frames.push(text, Tag::Order { trace, nonce, request });
            }
            // As with orders: a moment outside the wire's range goes nowhere.
            Err(_) => out.report(trace, Report::Unsent { nonce, request, why: Unsent::Late }),
        }
    }
}
