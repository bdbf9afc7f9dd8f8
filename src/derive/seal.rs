//! Turns what risk granted into what may be sent: digest from a template, journal record, signature, in that order.
//!
//! What is sealed is a deed: plain numbers, for in a process of its own the signer has nothing but the engine's word that
//! risk granted them. So a deed is no permission. Its bytes are derived here, never accepted from outside, and what they
//! say is read back and judged by the [`Envelope`] before anything is written or signed. Inside the engine permission is
//! a type: deeds are made of an [`Order`] or an [`Execution`](crate::risk::order::Execution), which only risk's checks
//! can make, and the gateway sends nothing but a [`Signed`] or [`SignedExecution`], which hold one.

pub mod envelope;
mod execution;
mod movement;
pub mod wire;

use super::action::login::login_digest;
use super::action::rfq::ExecutionTemplate;
use super::action::trade::{OrderFrame, OrderTemplate, OrderTerms};
use super::decode::NoRoom;
use super::desk::{Desk, MemberTerms};
use super::dialect::{Address, Dialect};
use crate::base::ids::{InstrumentId, Nonce, SubaccountId, VaultId};
use crate::base::num::Cash;
use crate::base::time::Nanos;
use crate::engine::journal::{
    Charged, FloorRecord, GivenRecord, NoteRecord, Notes, OrderRecord, RECORD, Replay, SignatureRecord, SumRecord,
    WithdrawnRecord,
};
use crate::engine::ports::{Key, Store};
use crate::market::instrument::{Instrument, Kind, Listing};
use crate::msg::{Breach, HeldSignature, Mark, Note, Stage};
use crate::risk::order::{Order, Replaced};
use envelope::{Charge, Envelope, FenceTerms};
pub use execution::{PackageDeed, PackageSeal, SignedExecution};
pub use movement::{MovementDeed, SignedMovement};
use std::fmt;
use std::hash::{Hash, Hasher};

/// An order with its signature: what the sealing desk gave for its deed.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub struct Signed {
    order: Order,
    signature: [u8; 65],
}

impl Signed {
    /// An order with the signature that its deed was given. For the signer actor, on whichever side of a process wall the
    /// key is.
    pub(crate) fn of(order: Order, signature: [u8; 65]) -> Signed {
        Signed { order, signature }
    }

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
#[derive(Clone, Copy, PartialEq)]
pub struct LoginProof {
    /// The signed moment, unix ms.
    pub timestamp_ms: u64,
    /// `r ‖ s ‖ v`.
    pub signature: [u8; 65],
}

/// What it proves must be in no digest and no log: for a while, whoever holds it can log in.
impl Hash for LoginProof {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.timestamp_ms.hash(state);
    }
}

impl fmt::Debug for LoginProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginProof").field("timestamp_ms", &self.timestamp_ms).finish_non_exhaustive()
    }
}

/// What is sealed of an order: what its signature covers, and what the journal remembers it by. A claim, to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderDeed {
    /// Vault.
    pub vault: VaultId,
    /// Subaccount.
    pub subaccount: SubaccountId,
    /// Instrument.
    pub instrument: InstrumentId,
    /// The order in whose place it counts, replaced or ended, and how much of that had filled.
    pub replaces: Option<Replaced>,
    /// What is signed.
    pub terms: OrderTerms,
}

impl OrderDeed {
    /// Of a granted order.
    pub fn of(order: &Order) -> OrderDeed {
        OrderDeed {
            vault: order.vault(),
            subaccount: order.subaccount(),
            instrument: order.instrument(),
            replaces: order.counts_for(),
            terms: terms(order),
        }
    }
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
    envelope: Envelope,
    key: K,
    store: S,
    last: Nonce,
    notes: Notes,
    /// A contract is asked to sign what is sealed: its digest goes to the journal too.
    presigned: bool,
    /// What it was last asked to sign.
    asked: Option<SignatureRecord>,
}

/// Everything that changes while it signs; templates follow from the listings.
impl<K, S> Hash for Sealer<K, S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Sealer { orders, envelope, last, notes, .. } = self;
        (orders, envelope, last, notes).hash(state);
    }
}

impl<K, S> fmt::Debug for Sealer<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sealer { envelope, last, .. } = self;
        f.debug_struct("Sealer").field("envelope", envelope).field("last", last).finish_non_exhaustive()
    }
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

/// Where and for whom signatures are made, and within what.
#[derive(Clone, Debug)]
pub struct Charter<'a> {
    /// Network.
    pub dialect: &'a Dialect,
    /// Owner of the subaccounts.
    pub owner: Address,
    /// A fence for every subaccount.
    pub fences: Vec<FenceTerms>,
    /// What the journal tells of earlier runs.
    pub past: &'a Replay,
    /// The contract that owns the subaccounts and is named as signer (v2); none names the key itself.
    pub contract: Option<ContractCharter>,
}

/// A contract that signs for itself; the key only proves to the venue that the request is its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractCharter {
    /// Its address.
    pub address: Address,
    /// It is asked for each signature before the order leaves.
    pub presigned: bool,
}

impl<K: Key, S: Store> Sealer<K, S> {
    /// For the given subaccounts and instruments of one wallet.
    pub fn new<'a>(
        charter: Charter<'_>,
        pairs: impl IntoIterator<Item = (SubaccountId, &'a Instrument)>,
        key: K,
        store: S,
    ) -> Sealer<K, S> {
        let Charter { dialect, owner, fences, past, contract } = charter;
        let signer = contract.map_or_else(|| key.address(), |contract| contract.address);
        let maker = Maker { dialect: *dialect, owner, signer };
        let notes = past.notes().clone().with_room(fences.len());
        let mut envelope = Envelope::new(dialect, owner, maker.signer, fences).pinned(past.pins());
        past.spent().iter().for_each(|(subaccount, spent)| envelope.remember(*subaccount, spent));
        let mut pins = Vec::new();
        let orders = Desk::new(pairs, |subaccount, instrument| {
            pins.extend(envelope.list(instrument));
            maker.template(subaccount, instrument)
        });
        let presigned = contract.is_some_and(|contract| contract.presigned);
        let (members, last, asked) = (Vec::new(), past.floor(), past.last_signature());
        let mut sealer = Sealer { maker, orders, members, envelope, key, store, last, notes, presigned, asked };
        pins.iter().for_each(|pin| sealer.put(&pin.write()));
        sealer
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

    /// Address that actions name as their signer.
    pub fn signer(&self) -> Address {
        self.maker.signer
    }

    /// Subaccount of a vault, if it has a fence.
    pub fn subaccount(&self, vault: VaultId) -> Option<SubaccountId> {
        self.envelope.subaccount(vault)
    }

    /// Takes a change of the instrument table. Only options of a member's kind can be signed for afterwards.
    pub fn apply(&mut self, listing: &Listing) -> Result<(), NoRoom> {
        let Sealer { maker, orders, envelope, .. } = self;
        let pin = envelope.apply(listing);
        let outcome = orders.apply(listing, |subaccount, instrument| maker.template(subaccount, instrument));
        if let Some(pin) = pin {
            self.put(&pin.write());
        }
        outcome
    }

    /// Writes a record; at the beginning of a page, what the pages before it tell goes first.
    fn put(&mut self, record: &[u8; RECORD]) {
        if self.store.begins_page() {
            self.sum_up();
        }
        self.store.append(record);
    }

    /// Writes down all that a later run must know, however few pages it finds.
    fn sum_up(&mut self) {
        let Sealer { envelope, store, last, notes, asked, .. } = self;
        store.append(&FloorRecord(*last).write());
        for (subaccount, spent) in envelope.spent() {
            SumRecord::of(subaccount, spent).for_each(|sum| store.append(&sum.write()));
            WithdrawnRecord::of(subaccount, spent).for_each(|sum| store.append(&sum.write()));
        }
        notes.records(|record| store.append(record));
        asked.iter().for_each(|asked| store.append(&asked.write()));
        envelope.pins().iter().for_each(|pin| store.append(&pin.write()));
    }

    /// True while the journal has room for what is signed.
    pub fn has_room(&mut self) -> bool {
        self.store.has_room()
    }

    /// Nothing is signed that the journal might have no room for.
    fn room(&mut self) -> Result<(), Breach> {
        if self.has_room() { Ok(()) } else { Err(Breach::Journal) }
    }

    /// Takes a mark, for the envelope.
    pub fn mark(&mut self, mark: &Mark) {
        self.envelope.mark(mark);
    }

    /// Digest, judgement, journal, signature.
    pub fn seal_deed(&mut self, at: Nanos, deed: &OrderDeed) -> Result<[u8; 65], Breach> {
        let OrderDeed { instrument, subaccount, terms, replaces, .. } = deed;
        self.room()?;
        if terms.nonce <= self.last {
            return Err(Breach::Nonce);
        }
        let entry = self.orders.get(*subaccount, *instrument).ok_or(Breach::Instrument)?;
        let digest = entry.prepared.digest(terms);
        let charge = self.envelope.judge_order(at, *instrument, &entry.prepared, *replaces)?;
        let perp = entry.instrument.kind == Kind::Perp;
        self.last = terms.nonce;
        self.put(&record(at, deed, charge, perp).write());
        self.put_given(at, *subaccount, &charge);
        let asked = HeldSignature { nonce: terms.nonce, moves: false, digest, expires_s: terms.expiry_sec };
        self.note_asked(*subaccount, asked);
        Ok(self.key.sign(&digest))
    }

    /// Journals what a contract that signs beforehand will be asked for.
    fn note_asked(&mut self, subaccount: SubaccountId, signature: HeldSignature) {
        if self.presigned {
            let asked = SignatureRecord { subaccount, signature };
            self.asked = Some(asked);
            self.put(&asked.write());
        }
    }

    /// Writes down what a signature gives away, if anything.
    fn put_given(&mut self, at: Nanos, subaccount: SubaccountId, charge: &Charge) {
        if (charge.given.away, charge.given.back) != (Cash::ZERO, Cash::ZERO) {
            self.put(&GivenRecord { at, subaccount, given: charge.given }.write());
        }
    }

    /// Writes a vault's note to the journal.
    pub fn note(&mut self, subaccount: SubaccountId, note: &Note) {
        self.notes.take(subaccount, note);
        self.put(&NoteRecord { subaccount, note: *note }.write());
    }

    /// Writes one note of every vault.
    pub fn note_all(&mut self, note: &Note) {
        for place in 0..self.envelope.spent().count() {
            let subaccount = self.envelope.spent().nth(place).map(|(subaccount, _)| subaccount);
            subaccount.into_iter().for_each(|subaccount| self.note(subaccount, note));
        }
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

fn record(at: Nanos, deed: &OrderDeed, charge: Charge, perp: bool) -> OrderRecord {
    let OrderDeed { vault, subaccount, instrument, replaces, terms } = *deed;
    OrderRecord {
        at,
        nonce: terms.nonce,
        replaces: replaces.map_or(Nonce(0), |old| old.nonce),
        vault,
        subaccount,
        instrument,
        side: terms.side,
        price: terms.price,
        amount: terms.amount,
        expires_s: terms.expiry_sec,
        charged: Charged::of(charge.notional),
        perp,
    }
}
