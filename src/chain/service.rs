//! The chain's side of the contract stage: hears what the engine asks, has the vault's contract sign, and says what came
//! of it. It is started anew if it fails, and then tells the stage that it knows nothing.

use super::call::{self, Form};
use super::lane::Alarm as LaneAlarm;
use super::presign::words::{Alarm, Event, Halt, Held, Ticket, Why, Word};
use super::refusal::Refusal;
use super::signer::{ContractSigner, Pace};
use crate::derive::action::Envelope;
use crate::derive::dialect::Dialect;
use crate::engine::ports::Key;
use crate::msg::{ActionAsk, ChainAsk, ChainWord, ContractAlarm, ContractHalt, HeldSignature, Unbacked, Unsigned};
use crate::topology::ChainEnds;
use alloy::primitives::{Address, B256};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often the stage is listened to.
const LISTEN: Duration = Duration::from_millis(5);
/// Pause before a failed side is started anew.
const AGAIN: Duration = Duration::from_secs(1);
/// Signatures remembered for the report.
const KEPT_MAX: usize = 4_096;

/// What has been done so far, for a person.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Signatures asked for.
    pub asked: u64,
    /// Signatures the contract made.
    pub made: u64,
    /// Wishes of which none came.
    pub refused: u64,
    /// Signatures revoked.
    pub revoked: u64,
    /// Prices brought to the collateral's feed, which held them in a block.
    pub refreshed: u64,
    /// Times a newer price was wanted there and none came.
    pub not_refreshed: u64,
    /// Gas used by everything in a block.
    pub gas_used: u64,
    /// Paid for it, wei.
    pub paid_wei: u128,
    /// Blocks from wish to signature, of the last few thousand.
    pub waited_blocks: Vec<u64>,
    /// Names and digests the contract signed, of the last few thousand.
    pub signed: Vec<(u64, B256)>,
    /// Times this side had to be started anew.
    pub restarts: u64,
    /// The last refusal or alarm, in words.
    pub last: Option<String>,
    /// When the signature that is live ends, Unix seconds.
    pub live_until_s: Option<u64>,
    /// The run is over and the contract answers for nothing of ours any more.
    pub closed: bool,
}

impl Tally {
    /// The median of the blocks waited.
    pub fn waited_p50(&self) -> Option<u64> {
        let mut sorted = self.waited_blocks.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

/// A tally that the service writes and others read.
pub type Shared = Arc<Mutex<Tally>>;

/// What the service works with.
pub struct Service<M> {
    /// Makes the signer, at the start and after a failure.
    pub make: M,
    /// Network signed for.
    pub dialect: &'static Dialect,
    /// The contract.
    pub contract: Address,
    /// How often the chain is looked at.
    pub pace: Pace,
    /// Where it counts.
    pub tally: Shared,
    /// Set once the run is over: nothing more is signed, and a signature without an order is revoked.
    pub close: Arc<AtomicBool>,
}

/// One life of the service.
struct Life<'s, K, M> {
    service: &'s Service<M>,
    signer: ContractSigner<K>,
    asked_at: Option<(Ticket, u64)>,
    due: VecDeque<ChainWord>,
    ready: bool,
    closing: bool,
}

impl<K: Key, M: Fn() -> Result<ContractSigner<K>, String>> Service<M> {
    /// Serves the stage for ever.
    pub async fn run(self, mut ends: ChainEnds) {
        loop {
            let Err(why) = self.live(&mut ends).await else { return };
            self.count(|tally| {
                tally.restarts += 1;
                tally.last = Some(why);
            });
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn live(&self, ends: &mut ChainEnds) -> Result<(), String> {
        let signer = (self.make)()?;
        let due = VecDeque::from([ChainWord::Hello]);
        let mut life = Life { service: self, signer, asked_at: None, due, ready: false, closing: false };
        let mut looked_at: Option<Instant> = None;
        let mut silent_since: Option<Instant> = None;
        loop {
            // What was said before must have been taken before more is done.
            while let Some(word) = life.due.pop_front() {
                if let Err(word) = ends.words.send(word) {
                    life.due.push_front(word);
                    break;
                }
            }
            if life.due.is_empty() {
                if let Some(ask) = ends.asks.receive() {
                    life.hear(ask).await;
                    continue;
                }
                if !life.closing && self.close.load(Ordering::Relaxed) {
                    life.close().await;
                    continue;
                }
                if looked_at.is_none_or(|at| at.elapsed() >= self.pace.look) {
                    looked_at = Some(Instant::now());
                    life.look(&mut silent_since).await;
                    continue;
                }
            }
            tokio::time::sleep(LISTEN).await;
        }
    }
}

impl<M> Service<M> {
    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<K: Key, M> Life<'_, K, M> {
    async fn hear(&mut self, ask: ChainAsk) {
        let event = match ask {
            ChainAsk::Sign(ask) => {
                let request = request(self.service.dialect, self.service.contract, &ask);
                self.asked_at = Some((request.ticket, self.signer.block()));
                self.service.count(|tally| tally.asked += 1);
                Event::Sign(request)
            }
            ChainAsk::Release(nonce) => Event::Release(Ticket(nonce.0)),
            ChainAsk::Revoke(nonce) => Event::Revoke(Ticket(nonce.0)),
            ChainAsk::Unsettled(count) => Event::Unsettled(count),
            ChainAsk::Recovered(held) => Event::Recovered(held.map(recovered)),
        };
        let words = self.signer.tell(event).await;
        self.say(words);
    }

    async fn close(&mut self) {
        self.closing = true;
        let words = self.signer.tell(Event::Close).await;
        self.say(words);
    }

    async fn look(&mut self, silent_since: &mut Option<Instant>) {
        match self.signer.poll().await {
            Ok(words) => {
                *silent_since = None;
                self.say(words);
            }
            Err(why) => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.service.pace.silent_max {
                    *silent_since = Some(Instant::now());
                    self.service.count(|tally| tally.last = Some(why.to_string()));
                    self.say(vec![Word::Alarm(Alarm::NodeSilent)]);
                }
            }
        }
    }

    fn say(&mut self, words: Vec<Word>) {
        for word in words {
            self.note(&word);
            self.due.extend(told(&word));
        }
        let (gas_used, paid_wei) = self.signer.spent();
        let (live, closed) = (self.signer.live(), self.signer.is_closed());
        self.service.count(|tally| {
            (tally.gas_used, tally.paid_wei) = (gas_used, paid_wei);
            (tally.live_until_s, tally.closed) = (live.map(|(_, expiry_s)| expiry_s), closed);
        });
        let ready = self.signer.is_ready();
        if ready != self.ready {
            self.ready = ready;
            self.due.push_back(ChainWord::Ready(ready));
        }
    }

    fn note(&mut self, word: &Word) {
        let asked_at = self.asked_at;
        self.service.count(|tally| match word {
            Word::Signed { ticket, digest, block } => {
                let Some((_, asked)) = asked_at.filter(|(asked, _)| asked == ticket) else { return };
                tally.made += 1;
                if tally.signed.len() < KEPT_MAX {
                    tally.signed.push((ticket.0, *digest));
                    tally.waited_blocks.push(block.saturating_sub(asked));
                }
            }
            Word::Refused(_, why) => {
                tally.refused += 1;
                tally.last = Some(format!("not signed: {why:?}"));
            }
            Word::Revoked(_) => tally.revoked += 1,
            Word::Refreshed { .. } => tally.refreshed += 1,
            Word::NotRefreshed(why) => {
                tally.not_refreshed += 1;
                tally.last = Some(format!("no newer price for the feed: {why}"));
            }
            // The word before it says why.
            Word::Alarm(Alarm::NotRefreshed) => {}
            Word::Alarm(alarm) => tally.last = Some(format!("{alarm:?}")),
            Word::Halted(why) => tally.last = Some(format!("halted: {why:?}")),
            _ => {}
        });
    }
}

/// The call that asks for a signature.
pub fn request(dialect: &Dialect, contract: Address, ask: &ActionAsk) -> super::presign::words::Request {
    let envelope = Envelope {
        subaccount: ask.subaccount,
        nonce: ask.nonce,
        module: ask.module,
        expiry_sec: ask.expires_s,
        owner: contract.into(),
        signer: contract.into(),
    };
    let extra = ask.legs.as_ref().map_or(&[][..], |legs| legs);
    call::request(Form::WithExtraData, &dialect.domain_separator, &envelope, ask.data.as_slice(), extra)
}

/// A signature as its life knows it.
pub fn recovered(held: HeldSignature) -> Held {
    Held { ticket: Ticket(held.nonce.0), digest: B256::from(held.digest), expiry_s: held.expires_s }
}

/// What the engine hears of a word.
pub fn told(word: &Word) -> Option<ChainWord> {
    let name = |ticket: &Ticket| crate::base::ids::Nonce(ticket.0);
    let unbacked = |ticket: &Ticket, why| Some(ChainWord::Unbacked { nonce: name(ticket), why });
    match word {
        Word::Signed { ticket, block, .. } => Some(ChainWord::Signed { nonce: name(ticket), block: *block }),
        Word::Adopted(ticket) => Some(ChainWord::Adopted(name(ticket))),
        Word::Refused(ticket, why) => Some(ChainWord::Refused { nonce: name(ticket), why: unsigned(why) }),
        Word::Suspended(ticket) => unbacked(ticket, Unbacked::Suspended),
        Word::Lost(ticket) => unbacked(ticket, Unbacked::Lost),
        Word::Expired(ticket) => unbacked(ticket, Unbacked::Expired),
        Word::Revoked(_) | Word::Refreshed { .. } | Word::NotRefreshed(_) => None,
        Word::Halted(Halt::KeyUsedElsewhere) => Some(ChainWord::Halted(ContractHalt::KeyUsedElsewhere)),
        Word::Halted(Halt::RevocationReverted) => Some(ChainWord::Halted(ContractHalt::RevocationReverted)),
        Word::Alarm(alarm) => Some(ChainWord::Alarm(alarmed(alarm))),
    }
}

fn unsigned(why: &Why) -> Unsigned {
    match why {
        Why::Recovering => Unsigned::Recovering,
        Why::Unsettled(_) => Unsigned::Unsettled,
        Why::Busy => Unsigned::Busy,
        Why::NotListed => Unsigned::NotListed,
        Why::Disabled => Unsigned::Disabled,
        Why::Blocked => Unsigned::Blocked,
        Why::StalePrice => Unsigned::StalePrice,
        Why::Reverted(refusal) if refusal.is_stale_price() => Unsigned::StalePrice,
        Why::Reverted(refusal) => Unsigned::Reverted(Refusal::selector(refusal)),
        Why::Unreachable(_) => Unsigned::Unreachable,
        Why::OtherHash(_) => Unsigned::OtherHash,
        Why::Late => Unsigned::Late,
        Why::Withdrawn => Unsigned::Withdrawn,
        Why::Halted => Unsigned::Halted,
    }
}

fn alarmed(alarm: &Alarm) -> ContractAlarm {
    match alarm {
        Alarm::Lane(LaneAlarm::BalanceLow(_)) => ContractAlarm::GasLow,
        Alarm::Lane(LaneAlarm::FeeAtCap { .. }) => ContractAlarm::FeeAtCap,
        Alarm::Lane(LaneAlarm::Leftover { .. }) => ContractAlarm::Leftover,
        Alarm::Lane(LaneAlarm::NotTaken { .. }) => ContractAlarm::NotTaken,
        // What cannot be true is no answer.
        Alarm::Lane(LaneAlarm::Absurd(_)) => ContractAlarm::NodeSilent,
        Alarm::LateUnsettled(_) => ContractAlarm::LateUnsettled,
        Alarm::Foreign(_) => ContractAlarm::Foreign,
        Alarm::Disabled(on) => ContractAlarm::Disabled(*on),
        Alarm::Blocked(on) => ContractAlarm::Blocked(*on),
        Alarm::Listed(on) => ContractAlarm::Listed(*on),
        Alarm::StalePrice(on) => ContractAlarm::StalePrice(*on),
        Alarm::NotRefreshed => ContractAlarm::NotRefreshed,
        Alarm::NodeSilent => ContractAlarm::NodeSilent,
    }
}
