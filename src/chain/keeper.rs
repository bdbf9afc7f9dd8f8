//! Keeping a vault's shares (v2): deposits become shares, idle tokens go to work, withdrawals are paid, the management fee
//! is collected and the price of a share is told, as a fold from what chain and engine say to what to ask of them.
//!
//! One thing is done at a time, on what was read after the thing before it, and only while no trade signature is live and
//! nothing signed earlier is unsettled (strategy specification §0.4, §2.10). Moving collateral is the engine's: it is
//! asked, and judges for itself.

pub mod bisect;
pub mod ears;
pub mod index;
mod reorg;
pub mod service;
pub mod standing;
pub mod task;
pub mod words;

use super::abi::VaultShares;
use super::lane::{Call, Fate, Head, Lane, Seen, Step, TxId};
use super::presign::words::Shadow;
use crate::actors::risk::CapitalNews;
use crate::base::ids::Nonce;
use crate::msg::{CapitalWish, ChainSight, Flow, Phase, Verdict as Venue};
use crate::risk::mandate::shares::share_price;
use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use bisect::{Bisect, Verdict};
use index::Index;
use reorg::Passed;
use words::{Action, Alarm, Books, Event, Job, Moment, Terms, Wait, Word};

/// Blocks between two looks at the contract while nothing happens.
const LOOK_EVERY_BLOCKS: u64 = 5;
/// Capital of which nothing is heard for so long has been lost sight of: longer than any signature lives, seconds.
const MOVE_S_MAX: u64 = 900;

#[derive(Clone, Debug)]
enum Stage {
    Idle,
    /// A call is tried before it is sent.
    Trying {
        job: Job,
        search: Option<Bisect>,
        asked: u64,
    },
    /// A transaction is out.
    Sending {
        job: Job,
        tx: TxId,
        withdrawn: bool,
    },
    /// The engine moves capital.
    Moving {
        flow: Flow,
        nonce: Option<Nonce>,
        since_s: u64,
    },
    Halted,
}

/// One vault's keeper.
#[derive(Debug)]
pub struct Keeper {
    terms: Terms,
    lane: Lane,
    index: Index,
    stage: Stage,
    /// What is in blocks that are not final.
    passed: Vec<Passed>,
    moment: Option<Moment>,
    books: Option<Books>,
    /// Height below which books are too old to act on.
    act_after: u64,
    /// Height until which nothing is tried again.
    rest_until: u64,
    looked_at: Option<u64>,
    /// Queue as it was when its withdrawals were paid last.
    queue_before: Option<U256>,
    told: Option<Wait>,
    short: bool,
    stopped: bool,
    next_id: u64,
}

impl Keeper {
    /// For the account `own` on the vault of `terms`.
    pub fn new(own: Address, terms: Terms) -> Keeper {
        Keeper {
            lane: Lane::new(own, terms.lane),
            index: Index::new(terms.deployed_block),
            terms,
            stage: Stage::Idle,
            passed: Vec::new(),
            moment: None,
            books: None,
            act_after: 0,
            rest_until: 0,
            looked_at: None,
            queue_before: None,
            told: None,
            short: false,
            stopped: false,
            next_id: 0,
        }
    }

    /// True while a transaction is on its way.
    pub fn is_sending(&self) -> bool {
        matches!(self.stage, Stage::Sending { .. }) || self.passed.iter().any(Passed::is_out)
    }

    /// Folds one event.
    pub fn on(&mut self, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Moment(moment) => self.moment = Some(moment),
            Event::Books(books) => self.on_books(books, out),
            Event::Found { upto, found } => {
                self.index.found(upto, &found);
                self.search(out);
            }
            Event::Tried(asked, outcome) => self.on_tried(asked, outcome, out),
            Event::Capital(news) => self.on_capital(news, out),
            Event::Node(seen) => self.on_node(&seen, out),
            Event::Stop => self.stopped = true,
        }
        self.advance(out);
    }

    fn on_books(&mut self, books: Books, out: &mut Vec<Action>) {
        if self.books.is_some_and(|known| known.block > books.block) {
            return;
        }
        let price = |books: &Books| share_price(books.value, books.supply).ok().map(|price| (price, books.supply));
        if let Some((price, supply)) = price(&books).filter(|now| self.books.as_ref().and_then(price) != Some(*now)) {
            out.push(Action::Say(Word::Price { price, supply, block: books.block }));
        }
        self.books = Some(books);
    }

    fn on_node(&mut self, seen: &Seen, out: &mut Vec<Action>) {
        let mut steps = Vec::new();
        self.lane.on(seen, &mut steps);
        self.take(steps, out);
        let Seen::Head(head) = seen else { return };
        self.forget_final(*head);
        let due =
            self.looked_at.is_none_or(|at| head.number >= at.saturating_add(LOOK_EVERY_BLOCKS) || at <= self.act_after);
        if due {
            self.looked_at = Some(head.number);
            out.push(Action::AskBooks);
        }
        self.index.forget_search();
        self.search(out);
        self.lose_sight(*head, out);
    }

    fn search(&mut self, out: &mut Vec<Action>) {
        if let Some((from, upto)) = self.final_block().and_then(|at| self.index.search(at, self.terms.logs_span_blocks))
        {
            out.push(Action::Search { from, upto });
        }
    }

    fn final_block(&self) -> Option<u64> {
        self.lane.head().map(|head| head.number.saturating_sub(self.terms.lane.final_after_blocks))
    }

    fn take(&mut self, steps: Vec<Step>, out: &mut Vec<Action>) {
        for step in steps {
            match step {
                Step::Fate(id, fate) => self.on_fate(id, fate, out),
                Step::Alarm(alarm) => out.push(Action::Say(Word::Alarm(Alarm::Lane(alarm)))),
                other => out.push(Action::Lane(other)),
            }
        }
    }

    fn on_fate(&mut self, id: TxId, fate: Fate, out: &mut Vec<Action>) {
        if fate == Fate::Displaced {
            self.stage = Stage::Halted;
            self.passed.retain(|passed| !passed.is(id));
            out.push(Action::Say(Word::Halted));
            return;
        }
        if self.on_fate_again(id, fate, out) {
            return;
        }
        let Stage::Sending { job, tx, withdrawn } = &self.stage else { return };
        if *tx != id {
            return;
        }
        let (job, withdrawn) = (job.clone(), *withdrawn);
        if fate != Fate::Vanished {
            self.stage = Stage::Idle;
            self.passed.push(Passed::new(id, job, withdrawn));
            self.on_fate_again(id, fate, out);
        }
    }

    fn fail(&mut self, alarm: Alarm, out: &mut Vec<Action>) {
        self.rest(alarm, out);
        self.stage = Stage::Idle;
    }

    fn rest(&mut self, alarm: Alarm, out: &mut Vec<Action>) {
        out.push(Action::Say(Word::Alarm(alarm)));
        self.rest_until = self.height().saturating_add(self.terms.retry_blocks);
    }

    fn height(&self) -> u64 {
        self.lane.head().map_or(0, |head| head.number)
    }

    fn on_tried(&mut self, answered: u64, outcome: Shadow, out: &mut Vec<Action>) {
        let Stage::Trying { job, search, asked } = &mut self.stage else { return };
        if *asked != answered {
            return;
        }
        let (job, mut search) = (job.clone(), search.take());
        match (outcome, search.as_mut()) {
            (Shadow::Unreachable(why), _) => return self.fail(Alarm::Unreachable(job, why), out),
            (Shadow::Reverted(why), None) => return self.fail(Alarm::Refused(job, why), out),
            (Shadow::Passed, None) => {}
            (Shadow::Passed, Some(search)) => search.passed(),
            (Shadow::Reverted(why), Some(search)) => match search.refused(why) {
                Verdict::More => {}
                Verdict::Hopeless(why) => return self.fail(Alarm::Refused(job, why), out),
                Verdict::LeftOut(id, why) => {
                    self.index.leave_out(id, self.height().saturating_add(self.terms.retry_blocks));
                    out.push(Action::Say(Word::LeftOut(id, why)));
                }
            },
        }
        if search.as_ref().is_some_and(|search| search.next().is_some()) {
            self.ask(job, search, out);
            return;
        }
        let job = search.map_or(job, |search| Job::Deposits(search.good().to_vec()));
        self.stage = Stage::Idle;
        if job != Job::Deposits(Vec::new()) {
            self.send(job, out);
        }
    }

    /// Tries what is next of a job without a transaction.
    fn ask(&mut self, job: Job, search: Option<Bisect>, out: &mut Vec<Action>) {
        self.next_id += 1;
        let part = search.as_ref().and_then(Bisect::next).map(|ids| Job::Deposits(ids.to_vec()));
        out.push(Action::Try(self.next_id, self.calldata(part.as_ref().unwrap_or(&job))));
        self.stage = Stage::Trying { job, search, asked: self.next_id };
        self.told = None;
    }

    /// Sends what was tried, unless something came between.
    fn send(&mut self, job: Job, out: &mut Vec<Action>) {
        if self.obstacle(&job).is_some() {
            return;
        }
        let call = Call { to: self.terms.vault, data: self.calldata(&job), gas_limit: self.terms.gas_limit };
        self.next_id += 1;
        let (tx, mut steps) = (TxId(self.next_id), Vec::new());
        if self.lane.submit(tx, call, &mut steps) {
            self.stage = Stage::Sending { job, tx, withdrawn: false };
        }
        self.take(steps, out);
    }

    fn calldata(&self, job: &Job) -> Bytes {
        match job {
            Job::Deposits(ids) => {
                VaultShares::processDepositsCall { ids: ids.iter().map(|id| U256::from(*id)).collect() }.abi_encode()
            }
            Job::Withdrawals => {
                let limit = U256::from(self.terms.withdrawal_batch);
                VaultShares::processWithdrawalRequestsCall { limit }.abi_encode()
            }
            Job::Fee => VaultShares::collectFeeCall {}.abi_encode(),
        }
        .into()
    }

    /// What the engine says of capital on its way; while nothing is, the news are of an earlier wish.
    fn on_capital(&mut self, news: CapitalNews, out: &mut Vec<Action>) {
        let Stage::Moving { flow, nonce, .. } = &mut self.stage else { return };
        let (flow, known) = (*flow, *nonce);
        let ours = |other: Nonce| known.is_none_or(|known| known == other);
        match news {
            CapitalNews::Granted { nonce: name } => *nonce = Some(name),
            CapitalNews::Settled { nonce } if ours(nonce) => {
                self.stage = Stage::Idle;
                self.act_after = self.height();
            }
            CapitalNews::Answered { nonce, verdict, .. }
                if ours(nonce) && !matches!(verdict, Venue::Refused | Venue::RateLimited | Venue::Halt) => {}
            CapitalNews::Refused { .. } | CapitalNews::Unnamed => self.fail(Alarm::NotMoved(flow, news), out),
            CapitalNews::Unsent { nonce, .. } | CapitalNews::Lapsed { nonce } | CapitalNews::Answered { nonce, .. }
                if ours(nonce) =>
            {
                self.fail(Alarm::NotMoved(flow, news), out);
            }
            _ => {}
        }
    }

    fn lose_sight(&mut self, head: Head, out: &mut Vec<Action>) {
        if let Stage::Moving { flow, since_s, .. } = self.stage
            && head.time_s > since_s.saturating_add(MOVE_S_MAX)
        {
            self.fail(Alarm::Lost(flow), out);
        }
    }

    fn advance(&mut self, out: &mut Vec<Action>) {
        self.recall(out);
        match &self.stage {
            Stage::Idle => {
                let wait = self.next(out);
                if let Some(wait) = wait.filter(|wait| self.told.as_ref() != Some(wait)) {
                    self.told = Some(wait.clone());
                    out.push(Action::Say(Word::Waiting(wait)));
                }
            }
            // What has no more business in the present phase is taken back; the block decides.
            Stage::Sending { job, tx, withdrawn: false } if self.gate(job).is_some() => {
                let tx = *tx;
                if let Stage::Sending { withdrawn, .. } = &mut self.stage {
                    *withdrawn = true;
                }
                self.withdraw(tx, out);
            }
            _ => {}
        }
    }

    fn withdraw(&mut self, tx: TxId, out: &mut Vec<Action>) {
        let mut steps = Vec::new();
        self.lane.abandon(tx, &mut steps);
        self.take(steps, out);
    }

    /// What the engine's state says against a job.
    fn gate(&self, job: &Job) -> Option<Wait> {
        let Some(moment) = self.moment else { return Some(Wait::Unknown) };
        let phases = if *job == Job::Withdrawals { self.terms.withdrawal_phases } else { self.terms.deposit_phases };
        if !phases.contains(&moment.phase) {
            return Some(Wait::Phase(moment.phase));
        }
        if moment.signing {
            return Some(Wait::Signing);
        }
        (moment.unsettled > 0).then_some(Wait::Unsettled(moment.unsettled))
    }

    /// What stands against a job now.
    fn obstacle(&self, job: &Job) -> Option<Wait> {
        if self.stopped {
            return Some(Wait::Stopped);
        }
        let (Some(head), Some(books)) = (self.lane.head(), &self.books) else { return Some(Wait::Unknown) };
        if !self.lane.quiet() || books.block <= self.act_after {
            return Some(Wait::Unknown);
        }
        if !books.listed && *job != Job::Fee {
            return Some(Wait::NotListed);
        }
        if books.blocked {
            return Some(Wait::Blocked);
        }
        if head.number < self.rest_until {
            return Some(Wait::Failed);
        }
        self.gate(job)
    }

    /// Starts what is due first; says why nothing is.
    fn next(&mut self, out: &mut Vec<Action>) -> Option<Wait> {
        let Some(books) = self.books else { return Some(Wait::Unknown) };
        let deposits = self.obstacle(&Job::Deposits(Vec::new()));
        let withdrawals = self.obstacle(&Job::Withdrawals);
        if deposits.is_none() && self.deposits(books, out) {
            return None;
        }
        if withdrawals.is_none() && self.withdrawals(&books, out) {
            return None;
        }
        if deposits.is_none() && (self.sweep(&books, out) || self.fee(&books, out)) {
            return None;
        }
        let searching = self.final_block().is_some_and(|at| !self.index.is_complete(at));
        match deposits {
            None if searching => Some(Wait::Searching),
            None => Some(Wait::Nothing),
            Some(why) => Some(withdrawals.filter(|_| why == Wait::Unknown).unwrap_or(why)),
        }
    }

    /// Deposits become shares; none before the past is known, or half of what was tried would be done already.
    fn deposits(&mut self, books: Books, out: &mut Vec<Action>) -> bool {
        if books.pending.is_zero() || self.final_block().is_none_or(|at| !self.index.is_complete(at)) {
            return false;
        }
        let ids = self.index.due(books.block, self.terms.deposit_batch);
        if ids.is_empty() {
            return false;
        }
        self.ask(Job::Deposits(ids.clone()), Some(Bisect::new(ids)), out);
        true
    }

    /// Withdrawals: first the tokens, then the payment.
    fn withdrawals(&mut self, books: &Books, out: &mut Vec<Action>) -> bool {
        if books.queued.is_zero() {
            self.queue_before = None;
            return false;
        }
        let here = books.tokens.saturating_sub(books.pending);
        let need = shortage(books, self.terms.buffer_bps);
        let taken = need.min(books.base_free);
        if !std::mem::replace(&mut self.short, taken < need) && taken < need {
            out.push(Action::Say(Word::Alarm(Alarm::Short(need - taken))));
        }
        if !taken.is_zero() {
            return self.wish(Flow::Withdrawal, taken, books, out);
        }
        if here.is_zero() {
            return false;
        }
        // The same queue twice: what is paid is less than a share.
        if self.queue_before.take() == Some(books.queued) {
            self.fail(Alarm::NoProgress, out);
            return false;
        }
        self.ask(Job::Withdrawals, None, out);
        true
    }

    /// Tokens that nobody waits for go to work.
    fn sweep(&mut self, books: &Books, out: &mut Vec<Action>) -> bool {
        let idle = books.tokens.saturating_sub(books.pending).saturating_sub(books.owed);
        idle >= self.terms.sweep_min && !idle.is_zero() && self.wish(Flow::Deposit, idle, books, out)
    }

    fn fee(&mut self, books: &Books, out: &mut Vec<Action>) -> bool {
        let every = self.terms.fee_every_s;
        let due = every > 0 && books.time_s >= books.fee_collected_s.saturating_add(every);
        if !due || !books.fee_due || books.supply.is_zero() {
            return false;
        }
        self.ask(Job::Fee, None, out);
        true
    }

    fn wish(&mut self, flow: Flow, amount: U256, books: &Books, out: &mut Vec<Action>) -> bool {
        let fits = |tokens: U256| u128::try_from(tokens).ok();
        let (Some(amount), Some(tokens), Some(pending)) = (fits(amount), fits(books.tokens), fits(books.pending))
        else {
            return false;
        };
        let sight = ChainSight {
            read_at: books.read_at,
            tokens,
            pending,
            base: books.base,
            cash: books.cash,
            blocked: books.blocked,
        };
        out.push(Action::Move(CapitalWish { flow, amount, sight }));
        self.stage = Stage::Moving { flow, nonce: None, since_s: books.time_s };
        self.told = None;
        true
    }

    /// Phases in which a vault of options may take deposits.
    pub const DEPOSIT_PHASES: &'static [Phase] = &[Phase::CollateralOnly, Phase::AwaitSettlement];
    /// Phases in which it may pay withdrawals, and the only ones for deposits where options are to stay out of the price.
    pub const FLAT_PHASES: &'static [Phase] = &[Phase::CollateralOnly];
    /// A vault without a week.
    pub const ANY_TIME: &'static [Phase] = &[Phase::Boot];
}

/// Tokens to be taken from the subaccount so that the whole withdrawal queue can be paid and deposits in waiting stay
/// whole, with the buffer on top: shares lose value and are paid at the price of the payment.
pub fn shortage(books: &Books, buffer_bps: u32) -> U256 {
    let need = books.owed.saturating_add(books.pending).saturating_sub(books.tokens);
    need.saturating_add(need.saturating_mul(U256::from(buffer_bps)) / U256::from(10_000))
}
