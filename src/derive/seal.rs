//! Turns what risk granted into what may be sent: digest from a template, journal record, signature, in that order.
//!
//! Only an [`Order`] or an [`Execution`] can be sealed, and its bytes are derived here, never accepted from outside. A
//! [`Signed`] or [`SignedExecution`] cannot be made elsewhere. A ladder of orders signed ahead of the tick belongs in [`Sealer::seal`], before the digest.

mod execution;

use super::action::login::login_digest;
use super::action::rfq::ExecutionTemplate;
use super::action::trade::{OrderFrame, OrderTemplate, OrderTerms};
use super::decode::NoRoom;
use super::desk::{Desk, MemberTerms};
use super::dialect::{Address, Dialect};
use crate::base::ids::{Nonce, SubaccountId, VaultId};
use crate::base::time::Nanos;
use crate::engine::journal::{MilestoneRecord, OrderRecord};
use crate::engine::ports::{Key, Store};
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{Milestone, Stage};
use crate::risk::order::Order;
pub use execution::SignedExecution;

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
    /// No template: the subaccount or instrument is not ours to sign for, or not of the vault's kind (K4).
    Stranger,
    /// The legs of a package are of one instrument (Derive 11100).
    SameLegs,
    /// A price, amount or fee of a package that is negative, zero where that has no meaning, or too large to be signed.
    Range,
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
    maker: Maker,
    orders: Desk<OrderTemplate>,
    members: Vec<(MemberTerms, ExecutionTemplate)>,
    key: K,
    store: S,
    last: Nonce,
}

/// Makes order templates.
struct Maker {
    dialect: Dialect,
    owner: Address,
    signer: Address,
}

impl Maker {
    fn template(&self, subaccount: SubaccountId, instrument: &Instrument) -> OrderTemplate {
        let Maker { owner, signer, .. } = *self;
        let frame = OrderFrame { asset: instrument.asset, sub_id: instrument.sub_id, subaccount, owner, signer };
        OrderTemplate::new(&self.dialect, &frame)
    }
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
        let maker = Maker { dialect: *dialect, owner, signer: key.address() };
        let orders = Desk::new(pairs, |subaccount, instrument| maker.template(subaccount, instrument));
        Sealer { maker, orders, members: Vec::new(), key, store, last: floor }
    }

    /// Also for the options of these members, as they are listed.
    pub fn with_options(mut self, members: impl IntoIterator<Item = MemberTerms>) -> Sealer<K, S> {
        let Maker { dialect, owner, signer } = &self.maker;
        for terms in members {
            let template = ExecutionTemplate::new(dialect, terms.subaccount, owner, signer);
            self.orders.admit(terms);
            self.members.push((terms, template));
        }
        self
    }

    /// Address that signs.
    pub fn signer(&self) -> Address {
        self.maker.signer
    }

    /// Subaccount of a vault, if it is a member.
    pub fn subaccount(&self, vault: VaultId) -> Option<SubaccountId> {
        self.members.iter().find(|(terms, _)| terms.vault == vault).map(|(terms, _)| terms.subaccount)
    }

    /// Takes a change of the instrument table. Only options of a member's kind can be signed for afterwards.
    pub fn apply(&mut self, listing: &Listing) -> Result<(), NoRoom> {
        let Sealer { maker, orders, .. } = self;
        orders.apply(listing, |subaccount, instrument| maker.template(subaccount, instrument))
    }

    /// Digest, journal, signature.
    pub fn seal(&mut self, at: Nanos, order: &Order) -> Result<Signed, Unsealed> {
        if order.nonce() <= self.last {
            return Err(Unsealed::NonceReused);
        }
        let entry = self.orders.get(order.subaccount(), order.instrument()).ok_or(Unsealed::Stranger)?;
        let digest = entry.prepared.digest(&terms(order));
        self.last = order.nonce();
        self.store.append(&record(at, order).write());
        Ok(Signed { order: *order, signature: self.key.sign(&digest) })
    }

    /// Writes to the journal that a vault has entered a phase.
    pub fn note(&mut self, subaccount: SubaccountId, milestone: &Milestone) {
        self.store.append(&MilestoneRecord { subaccount, milestone: *milestone }.write());
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
