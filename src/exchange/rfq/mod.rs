//! Requests for quotes (Derive §6): a taker asks for a package of legs, makers answer with signed prices, the taker
//! executes one of them and every leg fills at once or none does.

mod best;
mod execute;
mod funds;
mod house;
mod legs;
mod lifecycle;
mod maker;
mod proof;
mod reputation;
mod taker;
mod views;

pub use house::{HouseLeg, HouseRfq};
pub use maker::METHODS as MAKER_METHODS;
pub use taker::METHODS as TAKER_METHODS;

use super::eip712::Action;
use super::order::Status;
use super::outbox::ConnId;
use crate::base::ids::{Side, Uuid};
use crate::base::time::{Nanos, SEC};
use alloy_primitives::{Address, B256};
use reputation::Reputation;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How long a request stays open (Derive §6.1).
const WINDOW_NS: u64 = 600 * SEC;
/// A quote's signature outlives the window by at least this, seconds (Derive 11011).
const EXPIRY_MARGIN_S: u64 = 60;
/// Legs of one request (Derive 11112). The venue does not publish its limit.
const LEGS_MAX: usize = 16;
/// Makers one request may name (Derive 11113). The venue does not publish its limit.
const COUNTERPARTIES_MAX: usize = 32;
/// Requests that have ended and are still remembered, with their quotes.
const ENDED_RFQS_MAX: usize = 2_000;
/// Quotes that have ended and are still remembered.
const ENDED_QUOTES_MAX: usize = 20_000;

/// One leg of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Catalog place.
    pub instrument: usize,
    /// Instrument name.
    pub name: Arc<str>,
    /// Direction within the package, as one who buys the package sees it.
    pub side: Side,
    /// Amount, positive.
    pub amount: Decimal,
}

/// A leg with its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedLeg {
    /// The leg.
    pub leg: Leg,
    /// USD per unit.
    pub price: Decimal,
}

/// A request for quotes.
#[derive(Clone, Debug)]
pub struct Rfq {
    /// Venue name.
    pub id: Uuid,
    /// Subaccount of the taker.
    pub sub: u64,
    /// Its owner.
    pub wallet: Address,
    /// The package in the order it was sent.
    pub legs: Vec<Leg>,
    /// Client's name.
    pub label: String,
    /// Makers asked; all if `None`.
    pub counterparties: Option<Vec<Address>>,
    /// Quotes are for multiples of this share.
    pub step: Decimal,
    /// Hides best quotes dearer than this to a buyer of the package, for the full size.
    pub max_total_cost: Option<Decimal>,
    /// The same for a seller, with the same sign: what is received is negative.
    pub min_total_cost: Option<Decimal>,
    /// Builder fee for the full size, USDC.
    pub extra_fee: Decimal,
    /// When it was opened.
    pub created_at: Nanos,
    /// When it lapses.
    pub valid_until: Nanos,
    /// Unix ms of the last change.
    pub updated_ms: u64,
    /// How far it has come.
    pub status: Status,
    /// Why it ended early.
    pub reason: &'static str,
    /// Share executed.
    pub filled_pct: Decimal,
    /// The taker's direction, fixed by the first execution.
    pub filled_direction: Option<Side>,
    /// What the executions cost the taker.
    pub total_cost: Option<Decimal>,
    /// Every quote still remembered, oldest first.
    quotes: VecDeque<Uuid>,
    /// Those that are open, oldest first.
    live: Vec<Uuid>,
    /// Best quotes last told to a buyer and to a seller.
    told: [Option<Uuid>; 2],
}

/// A maker's answer.
#[derive(Clone, Debug)]
pub struct Quote {
    /// Venue name.
    pub id: Uuid,
    /// The request it answers.
    pub rfq: Uuid,
    /// Subaccount of the maker.
    pub sub: u64,
    /// Its owner.
    pub wallet: Address,
    /// The maker's direction.
    pub direction: Side,
    /// Priced legs in the order they were sent.
    pub legs: Vec<PricedLeg>,
    /// What an execution signs: keccak of the maker's legs.
    pub legs_hash: B256,
    /// Share of the request it would fill.
    pub fill_pct: Decimal,
    /// Cap on the maker's fee for the whole quote.
    pub max_fee: Decimal,
    /// Builder fee for the whole quote.
    pub extra_fee: Decimal,
    /// Fee charged.
    pub fee: Decimal,
    /// Client's name.
    pub label: String,
    /// Under market-maker protection.
    pub mmp: bool,
    /// Nonce.
    pub nonce: u64,
    /// What was signed; nothing by the house.
    pub action: Option<Box<Action>>,
    /// Address that signed.
    pub signer: Address,
    /// The signature as sent.
    pub signature: String,
    /// Signature expiry, unix seconds.
    pub expiry_s: u64,
    /// Unix ms of acceptance.
    pub created_ms: u64,
    /// Unix ms of the last change.
    pub updated_ms: u64,
    /// How far it has come.
    pub status: Status,
    /// Why it ended early.
    pub reason: &'static str,
    /// Connection it was sent on.
    pub conn: Option<ConnId>,
}

impl Rfq {
    /// True if a wallet may answer: it was asked, and it is not the taker itself.
    pub fn asks(&self, maker: Address) -> bool {
        maker != self.wallet && self.counterparties.as_ref().is_none_or(|named| named.contains(&maker))
    }

    /// Share not yet executed.
    pub fn remaining_pct(&self) -> Decimal {
        Decimal::ONE - self.filled_pct
    }
}

/// All requests and quotes, open and remembered.
#[derive(Debug, Default)]
pub struct Desk {
    rfqs: BTreeMap<Uuid, Rfq>,
    quotes: BTreeMap<Uuid, Quote>,
    /// Open requests by the end of their window.
    windows: BTreeSet<(Nanos, Uuid)>,
    /// Requests of each taker, oldest first.
    by_taker: BTreeMap<u64, VecDeque<Uuid>>,
    /// Quotes of each maker, oldest first.
    by_maker: BTreeMap<u64, VecDeque<Uuid>>,
    ended_rfqs: VecDeque<Uuid>,
    ended_quotes: VecDeque<Uuid>,
    reputations: BTreeMap<Address, Reputation>,
    /// Executions still to be refused, and with what.
    refusals: Option<(i64, u32)>,
}

impl Desk {
    /// When the next open request lapses.
    pub fn next_expiry(&self) -> Option<Nanos> {
        self.windows.first().map(|(at, _)| *at)
    }

    /// Places of the instruments that a taker has open requests for.
    pub fn asked_by(&self, sub: u64) -> Vec<usize> {
        self.open_of(sub).flat_map(|rfq| rfq.legs.iter().map(|leg| leg.instrument)).collect()
    }

    fn open_of(&self, sub: u64) -> impl Iterator<Item = &Rfq> {
        let ids = self.by_taker.get(&sub).into_iter().flatten();
        ids.filter_map(|id| self.rfqs.get(id)).filter(|r| r.status == Status::Open)
    }

    fn quotes_of(&self, maker: u64) -> impl DoubleEndedIterator<Item = &Quote> {
        self.by_maker.get(&maker).into_iter().flatten().filter_map(|id| self.quotes.get(id))
    }

    fn live_quotes<'a>(&'a self, rfq: &'a Rfq) -> impl Iterator<Item = &'a Quote> {
        rfq.live.iter().filter_map(|id| self.quotes.get(id))
    }
}
