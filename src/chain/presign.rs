//! Signing by contract before trading (mode B): the life of a vault's one signature, as a fold.
//!
//! A vault's contract answers for one action hash at a time, and every new signature kills the one before at once. So no
//! signature is asked for or revoked while a fill, deposit or withdrawal signed earlier is unsettled; none while an order
//! still stands on the last one; and after a restart the live one is adopted or revoked before anything else.

mod refresh;
mod weigh;
pub mod words;

use super::abi::VaultSigner;
use super::lane::{Call, Fate, Head, Inclusion, Lane, Limits, Seen, Step, TxId};
use super::refusal::Refusal;
use alloy::primitives::{Address, B256, Bytes};
use alloy::sol_types::SolCall;
use refresh::Refresh;
use words::{Action, Alarm, Event, Facts, Halt, Held, Request, Shadow, Terms, Ticket, Why, Word};

#[derive(Clone, Debug)]
enum Stage {
    /// Until the journal, the lane and the contract have spoken.
    Recovering,
    /// No signature of ours is live.
    Clear,
    /// The shadow call is out.
    Checking(Request),
    /// The transaction is out.
    Signing(Signing),
    /// The transaction reverted; the shadow call is to say why.
    Explaining(Request),
    /// The contract answers for it.
    Live(Live),
    /// The revocation is out, or waits for settlement while no transaction is named.
    Revoking {
        digest: B256,
        tx: Option<TxId>,
    },
    Halted,
}

/// A wish whose transaction is on its way, for the first time or again after a reorg.
#[derive(Clone, Debug)]
struct Signing {
    request: Request,
    tx: TxId,
    withdrawn: bool,
    /// A reorg took it out of a block: what was filled on it settles only once it is back.
    passed: bool,
    released_at: Option<u64>,
}

/// A signature that is in a block.
#[derive(Clone, Debug)]
struct Live {
    held: Held,
    tx: Option<(TxId, Request)>,
    /// Height from which the contract must answer for it.
    since: u64,
    told: Told,
    released_at: Option<u64>,
    revoke: bool,
}

/// What the engine believes of a signature in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Signed,
    Suspended,
}

impl Live {
    /// A signature no order stands on.
    fn released(held: Held, block: u64) -> Live {
        Live { held, tx: None, since: block, told: Told::Signed, released_at: Some(block), revoke: false }
    }
}

/// One vault's signature and the account that asks for it.
#[derive(Debug)]
pub struct Presign {
    terms: Terms,
    lane: Lane,
    stage: Stage,
    /// A released signature which the wish in hand will replace.
    spent: Option<Held>,
    /// Still marked as signed on chain, but past its expiry.
    expired: Option<B256>,
    recovered: Option<Option<Held>>,
    unsettled: Option<u32>,
    /// The run is over: nothing more is signed, and what no order stands on is revoked at once.
    closing: bool,
    stale_told: bool,
    refresh: Refresh,
    facts: Option<Facts>,
    block: u64,
    next_tx: u64,
}

impl Presign {
    /// For the key `own` on the vault of `terms`.
    pub fn new(own: Address, terms: Terms, limits: Limits) -> Presign {
        Presign {
            terms,
            lane: Lane::new(own, limits),
            stage: Stage::Recovering,
            spent: None,
            expired: None,
            recovered: None,
            unsettled: None,
            closing: false,
            stale_told: false,
            refresh: Refresh::default(),
            facts: None,
            block: 0,
            next_tx: 0,
        }
    }

    /// The digest the contract answers for, and until when, Unix seconds; none while there is doubt.
    pub fn live(&self) -> Option<(B256, u64)> {
        match &self.stage {
            Stage::Live(Live { held, told: Told::Signed, .. }) => Some((held.digest, held.expiry_s)),
            _ => None,
        }
    }

    /// Height of the last block seen.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// True if a signature could be asked for now.
    pub fn is_ready(&self) -> bool {
        self.standing_obstacle().is_none()
    }

    /// True once the run is over and the contract answers for nothing any more, as far as that is ours.
    pub fn is_closed(&self) -> bool {
        let dead = |facts: Facts| !facts.live || self.expired == Some(facts.last_seen);
        let over = match self.stage {
            Stage::Clear => self.facts.is_some_and(dead),
            Stage::Halted => true,
            _ => false,
        };
        self.closing && over && self.lane.quiet()
    }

    /// Folds one event.
    pub fn on(&mut self, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Sign(request) => self.on_sign(request, out),
            Event::Release(ticket) => self.on_release(ticket),
            Event::Revoke(ticket) => self.on_revoke(ticket, out),
            Event::Close => self.on_close(out),
            Event::Unsettled(count) => self.on_unsettled(count, out),
            Event::Recovered(held) => {
                self.recovered.get_or_insert(held);
            }
            Event::Shadow(ticket, shadow) => self.on_shadow(ticket, shadow, out),
            Event::Facts(facts) => self.on_facts(facts, out),
            Event::Price(price) => self.on_price(price, out),
            Event::Node(seen) => self.on_node(&seen, out),
        }
        self.advance(out);
        self.refresh(out);
    }

    fn on_sign(&mut self, request: Request, out: &mut Vec<Action>) {
        if let Some(why) = self.obstacle(&request) {
            out.push(Action::Say(Word::Refused(request.ticket, why)));
            return;
        }
        if let Stage::Live(live) = &self.stage {
            self.spent = Some(live.held);
        }
        out.push(Action::AskShadow(request.ticket, request.calldata.clone()));
        self.stage = Stage::Checking(request);
    }

    /// What stands against this signature now.
    fn obstacle(&self, request: &Request) -> Option<Why> {
        self.standing_obstacle().or_else(|| self.late(request.expiry_s).then_some(Why::Late))
    }

    /// What stands against any.
    fn standing_obstacle(&self) -> Option<Why> {
        match &self.stage {
            Stage::Halted => return Some(Why::Halted),
            Stage::Recovering => return Some(Why::Recovering),
            _ if self.closing => return Some(Why::Withdrawn),
            Stage::Clear | Stage::Live(Live { released_at: Some(_), revoke: false, .. }) => {}
            _ => return Some(Why::Busy),
        }
        if self.unsettled != Some(0) {
            return Some(Why::Unsettled(self.unsettled));
        }
        if !self.lane.quiet_beside(self.refresh.tx()) {
            return Some(Why::Busy);
        }
        let Some(facts) = self.facts else { return Some(Why::Busy) };
        if !facts.listed {
            return Some(Why::NotListed);
        }
        if facts.disabled {
            return Some(Why::Disabled);
        }
        if facts.blocked {
            return Some(Why::Blocked);
        }
        self.stale(&facts).then_some(Why::StalePrice)
    }

    fn late(&self, expiry_s: u64) -> bool {
        self.head().is_none_or(|head| expiry_s < head.time_s.saturating_add(self.terms.life_s_min))
    }

    fn head(&self) -> Option<Head> {
        self.lane.head()
    }

    fn on_release(&mut self, ticket: Ticket) {
        let block = self.block;
        match &mut self.stage {
            Stage::Live(live) if live.held.ticket == ticket => {
                live.released_at.get_or_insert(block);
            }
            Stage::Signing(signing) if signing.request.ticket == ticket => {
                signing.released_at.get_or_insert(block);
            }
            _ => {}
        }
    }

    fn on_revoke(&mut self, ticket: Ticket, out: &mut Vec<Action>) {
        match &mut self.stage {
            Stage::Checking(request) if request.ticket == ticket => self.fall_back(ticket, Why::Withdrawn, out),
            Stage::Signing(signing) if signing.request.ticket == ticket && !signing.withdrawn => {
                signing.withdrawn = true;
                // One that a fill may need gets into its block again and is revoked after settlement.
                if !signing.passed || self.unsettled == Some(0) {
                    self.abandon(ticket, Why::Withdrawn, out);
                }
            }
            Stage::Live(live) if live.held.ticket == ticket => live.revoke = true,
            _ => {}
        }
    }

    fn on_close(&mut self, out: &mut Vec<Action>) {
        self.closing = true;
        // An order that waits for its signature will not be sent.
        if let Stage::Checking(Request { ticket, .. })
        | Stage::Signing(Signing { request: Request { ticket, .. }, .. }) = &self.stage
        {
            self.on_revoke(*ticket, out);
        }
    }

    fn on_unsettled(&mut self, count: u32, out: &mut Vec<Action>) {
        let before = self.unsettled.replace(count);
        if count == 0 {
            return;
        }
        match &mut self.stage {
            Stage::Checking(request) => {
                let ticket = request.ticket;
                self.fall_back(ticket, Why::Unsettled(Some(count)), out);
            }
            Stage::Signing(signing) if !signing.withdrawn && !signing.passed => {
                signing.withdrawn = true;
                let ticket = signing.request.ticket;
                out.push(Action::Say(Word::Alarm(Alarm::LateUnsettled(count))));
                self.abandon(ticket, Why::Unsettled(Some(count)), out);
            }
            // What matched while the revocation travelled would not settle after it.
            Stage::Revoking { tx: Some(tx), .. } if before == Some(0) => {
                let tx = *tx;
                out.push(Action::Say(Word::Alarm(Alarm::LateUnsettled(count))));
                self.withdraw(tx, out);
            }
            _ => {}
        }
    }

    /// Gives a wish up before anything was sent: what was live before still is.
    fn fall_back(&mut self, ticket: Ticket, why: Why, out: &mut Vec<Action>) {
        out.push(Action::Say(Word::Refused(ticket, why)));
        self.stage = self.before();
    }

    /// Gives a wish up whose transaction is out.
    fn abandon(&mut self, ticket: Ticket, why: Why, out: &mut Vec<Action>) {
        out.push(Action::Say(Word::Refused(ticket, why)));
        if let Stage::Signing(signing) = &self.stage {
            self.withdraw(signing.tx, out);
        }
    }

    /// Tries to keep a transaction from having its effect.
    fn withdraw(&mut self, tx: TxId, out: &mut Vec<Action>) {
        let mut steps = Vec::new();
        self.lane.abandon(tx, &mut steps);
        out.extend(steps.into_iter().map(Action::Lane));
    }

    fn on_shadow(&mut self, ticket: Ticket, shadow: Shadow, out: &mut Vec<Action>) {
        match &self.stage {
            Stage::Checking(request) if request.ticket == ticket => match shadow {
                Shadow::Passed if self.late(request.expiry_s) => self.fall_back(ticket, Why::Late, out),
                Shadow::Passed => {
                    let request = request.clone();
                    let data = request.calldata.clone();
                    if let Some(tx) = self.submit(self.terms.vault, data, self.terms.sign_gas, out) {
                        self.stage =
                            Stage::Signing(Signing { request, tx, withdrawn: false, passed: false, released_at: None });
                    }
                }
                Shadow::Reverted(refusal) => self.fall_back(ticket, Why::Reverted(refusal), out),
                Shadow::Unreachable(why) => self.fall_back(ticket, Why::Unreachable(why), out),
            },
            Stage::Explaining(request) if request.ticket == ticket => {
                let why = match shadow {
                    // The state has moved on, or the gas ran out.
                    Shadow::Passed => Why::Reverted(Refusal::Bare),
                    Shadow::Reverted(refusal) => Why::Reverted(refusal),
                    Shadow::Unreachable(why) => Why::Unreachable(why),
                };
                self.fall_back(ticket, why, out);
            }
            _ => {}
        }
    }

    fn submit(&mut self, to: Address, data: Bytes, gas_limit: u64, out: &mut Vec<Action>) -> Option<TxId> {
        self.next_tx += 1;
        let id = TxId(self.next_tx);
        let mut steps = Vec::new();
        let taken = self.lane.submit(id, Call { to, data, gas_limit }, &mut steps);
        out.extend(steps.into_iter().map(Action::Lane));
        taken.then_some(id)
    }

    fn on_node(&mut self, seen: &Seen, out: &mut Vec<Action>) {
        let mut steps = Vec::new();
        self.lane.on(seen, &mut steps);
        for step in steps {
            match step {
                Step::Fate(tx, fate) => self.on_fate(tx, fate, out),
                Step::Alarm(alarm) => out.push(Action::Say(Word::Alarm(Alarm::Lane(alarm)))),
                other => out.push(Action::Lane(other)),
            }
        }
        if let Seen::Head(head) = seen {
            self.block = head.number;
            self.on_time(*head, out);
            out.push(Action::AskFacts);
        }
    }

    fn on_time(&mut self, head: Head, out: &mut Vec<Action>) {
        let late = |expiry_s: u64, terms: &Terms| expiry_s < head.time_s.saturating_add(terms.life_s_min);
        match &mut self.stage {
            Stage::Live(live) if head.time_s > live.held.expiry_s => {
                out.push(Action::Say(Word::Expired(live.held.ticket)));
                self.expired = Some(live.held.digest);
                self.stage = Stage::Clear;
            }
            Stage::Live(live)
                if live.released_at.is_some_and(|at| head.number >= at.saturating_add(self.terms.idle_blocks_max)) =>
            {
                live.revoke = true;
            }
            Stage::Signing(signing)
                if !signing.withdrawn
                    && late(signing.request.expiry_s, &self.terms)
                    && (!signing.passed || self.unsettled == Some(0)) =>
            {
                signing.withdrawn = true;
                let ticket = signing.request.ticket;
                self.abandon(ticket, Why::Late, out);
            }
            _ => {}
        }
    }

    fn on_fate(&mut self, id: TxId, fate: Fate, out: &mut Vec<Action>) {
        if fate == Fate::Displaced {
            self.halt(Halt::KeyUsedElsewhere, out);
            return;
        }
        self.on_price_fate(id, fate, out);
        match (&self.stage, fate) {
            (Stage::Signing(signing), Fate::Mined(seen)) if signing.tx == id => self.signing_mined(seen, out),
            (Stage::Signing(signing), Fate::Emptied) if signing.tx == id => self.stage = self.before(),
            (Stage::Revoking { digest, tx: Some(tx) }, Fate::Emptied) if *tx == id => {
                self.stage = Stage::Revoking { digest: *digest, tx: None };
            }
            (Stage::Live(live), Fate::Vanished) => {
                if let Some((tx, request)) = live.tx.clone().filter(|(tx, _)| *tx == id) {
                    if live.told == Told::Signed {
                        out.push(Action::Say(Word::Suspended(live.held.ticket)));
                    }
                    let (withdrawn, released_at) = (live.revoke, live.released_at);
                    let passed = live.told != Told::Nothing;
                    self.stage = Stage::Signing(Signing { request, tx, withdrawn, passed, released_at });
                }
            }
            (Stage::Revoking { tx: Some(tx), .. }, Fate::Mined(seen)) if *tx == id && !seen.succeeded => {
                self.halt(Halt::RevocationReverted, out);
            }
            (Stage::Revoking { digest, tx: Some(tx) }, Fate::Mined(_)) if *tx == id => {
                out.push(Action::Say(Word::Revoked(*digest)));
                self.stage = Stage::Clear;
            }
            _ => {}
        }
        // What the contract said before belongs to another history.
        self.facts = None;
        out.push(Action::AskFacts);
    }

    /// The transaction of a wish is in a block: what it did is held against the contract next, why it reverted is asked.
    fn signing_mined(&mut self, seen: Inclusion, out: &mut Vec<Action>) {
        let Stage::Signing(signing) = &self.stage else { return };
        let Signing { request, tx, withdrawn, passed, released_at } = signing.clone();
        self.stage = match (seen.succeeded, withdrawn) {
            (true, _) => {
                self.spent = None;
                let held = Held { ticket: request.ticket, digest: request.digest, expiry_s: request.expiry_s };
                let (since, tx) = (seen.block, Some((tx, request)));
                // One that nobody wants any more is revoked at once.
                let told = if passed { Told::Suspended } else { Told::Nothing };
                Stage::Live(Live { held, tx, since, told, released_at, revoke: withdrawn })
            }
            (false, true) => self.before(),
            (false, false) => {
                out.push(Action::AskShadow(request.ticket, request.calldata.clone()));
                Stage::Explaining(request)
            }
        };
    }

    /// What a wish that came to nothing leaves behind.
    fn before(&mut self) -> Stage {
        match self.spent.take() {
            Some(held) => Stage::Live(Live::released(held, self.block)),
            None => Stage::Clear,
        }
    }

    fn halt(&mut self, why: Halt, out: &mut Vec<Action>) {
        if !matches!(self.stage, Stage::Halted) {
            out.push(Action::Say(Word::Halted(why)));
        }
        self.stage = Stage::Halted;
    }

    /// Takes the steps that wait for more than one event.
    fn advance(&mut self, out: &mut Vec<Action>) {
        let Some(facts) = self.facts else { return };
        match &self.stage {
            Stage::Recovering => self.recover(facts, out),
            Stage::Clear if facts.live && self.lane.quiet() && self.expired != Some(facts.last_seen) => {
                out.push(Action::Say(Word::Alarm(Alarm::Foreign(facts.last_seen))));
                self.stage = Stage::Revoking { digest: facts.last_seen, tx: None };
            }
            Stage::Live(Live { held, revoke, released_at, .. })
                if *revoke || (self.closing && released_at.is_some()) =>
            {
                self.stage = Stage::Revoking { digest: held.digest, tx: None }
            }
            _ => {}
        }
        if let Stage::Revoking { digest, tx: None } = self.stage
            && self.unsettled == Some(0)
        {
            let data = VaultSigner::revokeSignatureCall { hash: digest }.abi_encode().into();
            let tx = self.submit(self.terms.vault, data, self.terms.revoke_gas, out);
            self.stage = Stage::Revoking { digest, tx };
        }
    }

    fn recover(&mut self, facts: Facts, out: &mut Vec<Action>) {
        let (Some(known), true) = (self.recovered, self.lane.quiet()) else { return };
        let adopted = known.filter(|held| facts.live && held.digest == facts.last_seen && !self.late(held.expiry_s));
        if let (None, Some(held)) = (adopted, known) {
            out.push(Action::Say(Word::Lost(held.ticket)));
        }
        self.stage = match adopted {
            Some(held) => {
                out.push(Action::Say(Word::Adopted(held.ticket)));
                Stage::Live(Live { released_at: None, ..Live::released(held, facts.block) })
            }
            None if facts.live => Stage::Revoking { digest: facts.last_seen, tx: None },
            None => Stage::Clear,
        };
    }
}
