//! Turns a granted order into a signed one: digest from the template, journal record, signature, in that order.
//!
//! Only an [`Order`] can be sealed, and its bytes are derived here, never accepted from outside. A [`Signed`] cannot be
//! made elsewhere. A ladder of orders signed ahead of the tick belongs in [`Sealer::seal`], before the digest.

use super::action::login::login_digest;
use super::action::trade::{OrderFrame, OrderTemplate, OrderTerms};
use super::dialect::{Address, Dialect};
use crate::base::ids::{InstrumentId, Nonce, SubaccountId};
use crate::base::time::Nanos;
use crate::engine::journal::OrderRecord;
use crate::engine::ports::{Key, Store};
use crate::market::instrument::Instrument;
use crate::msg::Stage;
use crate::risk::order::Order;

/// An order with its signature. Made by [`Sealer::seal`] only.
#[derive(Clone, Copy)]
pub struct Signed {
    order: Order,
    signature: [u8; 65],
}

impl Signed {
    /// The order.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// `r ‖ s ‖ v`.
    pub fn signature(&self) -> &[u8; 65] {
        &self.signature
    }

    /// What was signed, in the venue's terms.
    pub fn terms(&self) -> OrderTerms {
        terms(&self.order)
    }

    /// Notes the moment of a stage in its trace.
    pub fn stamp(&mut self, stage: Stage, at: Nanos) {
        self.order.stamp(stage, at);
    }
}

/// Proof of holding the session key, for `public/login`.
#[derive(Clone, Copy)]
pub struct LoginProof {
    /// The signed moment, unix ms.
    pub timestamp_ms: u64,
    /// `r ‖ s ‖ v`.
    pub signature: [u8; 65],
}

/// Why an order was not sealed. Each is our own fault: the vault must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsealed {
    /// The nonce is not above every nonce sealed before (K1).
    NonceReused,
    /// No template: the subaccount or instrument is not ours to sign for (K4).
    Stranger,
}

fn terms(order: &Order) -> OrderTerms {
    OrderTerms {
        price: order.price(),
        amount: order.amount(),
        max_fee: order.max_fee(),
        side: order.side(),
        nonce: order.nonce(),
        expiry_sec: order.expires_s(),
    }
}

/// The signing desk: templates, the key and the journal.
pub struct Sealer<K, S> {
    templates: Box<[(SubaccountId, InstrumentId, OrderTemplate)]>,
    key: K,
    store: S,
    last: Nonce,
}

impl<K: Key, S: Store> Sealer<K, S> {
    /// For the given subaccounts and instruments of one wallet. Nonces at or below `floor` are spent.
    pub fn new<'a>(
        dialect: &Dialect,
        owner: Address,
        pairs: impl IntoIterator<Item = (SubaccountId, &'a Instrument)>,
        key: K,
        store: S,
        floor: Nonce,
    ) -> Sealer<K, S> {
        let signer = key.address();
        let templates = pairs
            .into_iter()
            .map(|(subaccount, instrument)| {
                let frame =
                    OrderFrame { asset: instrument.asset, sub_id: instrument.sub_id, subaccount, owner, signer };
                (subaccount, instrument.id, OrderTemplate::new(dialect, &frame))
            })
            .collect();
        Sealer { templates, key, store, last: floor }
    }

    /// Address that signs.
    pub fn signer(&self) -> Address {
        self.key.address()
    }

    /// Digest, journal, signature.
    pub fn seal(&mut self, at: Nanos, order: &Order) -> Result<Signed, Unsealed> {
        if order.nonce() <= self.last {
            return Err(Unsealed::NonceReused);
        }
        let ours = |entry: &&mut (SubaccountId, InstrumentId, OrderTemplate)| {
            (entry.0, entry.1) == (order.subaccount(), order.instrument())
        };
        let (_, _, template) = self.templates.iter_mut().find(ours).ok_or(Unsealed::Stranger)?;
        let digest = template.digest(&terms(order));
        self.last = order.nonce();
        self.store.append(&record(at, order).write());
        Ok(Signed { order: *order, signature: self.key.sign(&digest) })
    }

    /// Proves the session key at venue time `venue_at`.
    pub fn login(&mut self, venue_at: Nanos) -> LoginProof {
        let timestamp_ms = venue_at.ms();
        LoginProof { timestamp_ms, signature: self.key.sign(&login_digest(timestamp_ms)) }
    }

    /// Housekeeping of the key, between ticks.
    pub fn refresh(&mut self) {
        self.key.refresh();
    }
}

fn record(at: Nanos, order: &Order) -> OrderRecord {
    OrderRecord {
        at,
        nonce: order.nonce(),
        replaces: order.replaced().map_or(Nonce(0), |old| old.nonce),
        vault: order.vault(),
        subaccount: order.subaccount(),
        instrument: order.instrument(),
        side: order.side(),
        price: order.price(),
        amount: order.amount(),
        expires_s: order.expires_s(),
    }
}
