//! One account's transactions: local nonces, fee bumps, resends and reorgs, as a fold from what a node says to what to ask of it.
//!
//! Every nonce handed out is driven until a block holding it is final, so a gap cannot stay: what a node forgot is sent
//! again, what is not wanted any more is replaced by an empty transfer to oneself under the same nonce.

use alloy::primitives::{Address, B256, Bytes, U256};

/// A transaction as its owner knows it, whatever its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxId(pub u64);

/// What a transaction calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Contract.
    pub to: Address,
    /// Calldata.
    pub data: Bytes,
    /// Gas it may use, fixed rather than estimated.
    pub gas_limit: u64,
}

/// Price of gas, wei (EIP-1559).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// Most paid per gas.
    pub max_wei: u128,
    /// Of it to the block's builder.
    pub tip_wei: u128,
}

/// When to insist and when to stop paying more.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Blocks without inclusion before the fee is raised.
    pub bump_after_blocks: u64,
    /// Blocks on top of its own before a transaction is final.
    pub final_after_blocks: u64,
    /// Tip offered at first, wei per gas.
    pub tip_wei: u128,
    /// Most ever offered, wei per gas.
    pub fee_wei_max: u128,
    /// Balance below which to raise the alarm, wei.
    pub balance_wei_min: U256,
}

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Height.
    pub number: u64,
    /// Time, Unix seconds.
    pub time_s: u64,
    /// Price of gas, wei.
    pub base_fee_wei: u128,
}

/// Where a transaction was included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Height of the block.
    pub block: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// False: it reverted.
    pub succeeded: bool,
}

/// Why a node did not take a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendFault {
    /// It has it already.
    Known,
    /// The nonce is used up.
    NonceLow,
    /// It pays too little: for the next block, or to replace one of the same nonce.
    Underpriced,
    /// The account cannot pay for it.
    Funds,
    /// Anything else, in the node's words.
    Other(String),
}

/// What a node said.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A new head.
    Head(Head),
    /// Transactions of the account in blocks, and with those waiting.
    Counts {
        /// In blocks.
        mined: u64,
        /// In blocks and waiting without a gap.
        pending: u64,
    },
    /// A transaction was signed and offered.
    Sent {
        /// Its nonce.
        nonce: u64,
        /// Its hash.
        hash: B256,
        /// What the node answered.
        fault: Option<SendFault>,
    },
    /// Whether one of a nonce's transactions is in a block.
    Receipt {
        /// The nonce.
        nonce: u64,
        /// The transaction and its block.
        found: Option<(B256, Inclusion)>,
    },
    /// The account's balance, wei.
    Balance(U256),
    /// An answer that cannot be true, in words; it counts as none.
    Absurd(String),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sign and offer a transaction; answer with [`Seen::Sent`].
    Send {
        /// Nonce.
        nonce: u64,
        /// What it calls; none is an empty transfer to oneself.
        call: Option<Call>,
        /// Price.
        fees: Fees,
    },
    /// Ask for the receipts of a nonce's transactions; answer with [`Seen::Receipt`].
    AskReceipt {
        /// Nonce.
        nonce: u64,
        /// Every hash it was offered under.
        hashes: Vec<B256>,
    },
    /// Ask for the account's counts; answer with [`Seen::Counts`].
    AskCounts,
    /// Ask for the account's balance; answer with [`Seen::Balance`].
    AskBalance,
    /// What became of a transaction.
    Fate(TxId, Fate),
    /// Something for a person.
    Alarm(Alarm),
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// In a block, with its own call.
    Mined(Inclusion),
    /// In a block, as the empty transfer that replaced it.
    Emptied,
    /// No longer in a block after a reorg; it is sent again.
    Vanished,
    /// Its nonce was used by a transaction that is not ours.
    Displaced,
}

/// Something for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Too little is left for gas, wei.
    BalanceLow(U256),
    /// The fee has reached its cap and a transaction still waits.
    FeeAtCap {
        /// Its nonce.
        nonce: u64,
    },
    /// Transactions of an earlier process wait at the node.
    Leftover {
        /// How many.
        count: u64,
    },
    /// A node did not take a transaction.
    NotTaken {
        /// Its nonce.
        nonce: u64,
        /// Why.
        fault: SendFault,
    },
    /// The node's answers cannot be true.
    Absurd(String),
}

/// Transactions of one account that may wait at a node; one that says more is not believed.
pub const WAITING_MAX: u64 = 1_024;

/// Heads at which a nonce must look used up before it counts as another's: nodes behind one address may disagree for one.
const DISPLACED_AFTER_BLOCKS: u64 = 2;
/// Heads between two looks at the balance.
const BALANCE_EVERY_BLOCKS: u64 = 16;

#[derive(Clone, Debug)]
struct Entry {
    nonce: u64,
    id: Option<TxId>,
    call: Call,
    /// Offered as an empty transfer from now on.
    emptied: bool,
    /// Each hash offered, and whether it carried the call.
    offered: Vec<(B256, bool)>,
    fees: Option<Fees>,
    priced_at: u64,
    sent_at: u64,
    mined: Option<(bool, Inclusion)>,
    used_up_since: Option<u64>,
}

/// The transactions of one account.
#[derive(Debug)]
pub struct Lane {
    limits: Limits,
    own: Address,
    head: Option<Head>,
    next: Option<u64>,
    entries: Vec<Entry>,
    balance_seen_at: Option<u64>,
    absurd_told: bool,
}

impl Lane {
    /// A lane for the account `own`, which knows nothing until a head and the counts arrive.
    pub fn new(own: Address, limits: Limits) -> Lane {
        Lane { limits, own, head: None, next: None, entries: Vec::new(), balance_seen_at: None, absurd_told: false }
    }

    /// The newest head seen.
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// Whether no transaction waits, ours or an earlier process's.
    pub fn quiet(&self) -> bool {
        self.quiet_beside(None)
    }

    /// Whether none waits but this one.
    pub fn quiet_beside(&self, id: Option<TxId>) -> bool {
        let aside = |entry: &Entry| entry.mined.is_some() || (id.is_some() && entry.id == id);
        self.head.is_some() && self.next.is_some() && self.entries.iter().all(aside)
    }

    /// Sends a transaction under the next nonce. False before the first head and counts: nothing was taken.
    pub fn submit(&mut self, id: TxId, call: Call, out: &mut Vec<Step>) -> bool {
        let (Some(head), Some(nonce)) = (self.head, self.next) else { return false };
        let Some(after) = nonce.checked_add(1) else { return false };
        self.next = Some(after);
        self.entries.push(Entry::new(nonce, Some(id), call, head.number));
        let at = self.entries.len() - 1;
        self.offer(at, false, out);
        true
    }

    /// Tries to keep a transaction from having its effect: it is replaced by an empty transfer. The block decides.
    pub fn abandon(&mut self, id: TxId, out: &mut Vec<Step>) {
        let Some(at) = self.entries.iter().position(|entry| entry.id == Some(id) && !entry.emptied) else { return };
        self.entries[at].emptied = true;
        if self.entries[at].mined.is_none() {
            self.offer(at, true, out);
        }
    }

    /// Folds what a node said.
    pub fn on(&mut self, seen: &Seen, out: &mut Vec<Step>) {
        match seen {
            Seen::Head(head) => self.on_head(*head, out),
            Seen::Counts { mined, pending } => self.on_counts(*mined, *pending, out),
            Seen::Sent { nonce, hash, fault } => self.on_sent(*nonce, *hash, fault.as_ref(), out),
            Seen::Receipt { nonce, found } => self.on_receipt(*nonce, *found, out),
            Seen::Balance(balance) if *balance < self.limits.balance_wei_min => {
                out.push(Step::Alarm(Alarm::BalanceLow(*balance)));
            }
            Seen::Balance(_) => {}
            Seen::Absurd(why) if !std::mem::replace(&mut self.absurd_told, true) => {
                out.push(Step::Alarm(Alarm::Absurd(why.clone())));
            }
            Seen::Absurd(_) => {}
        }
    }

    fn on_head(&mut self, head: Head, out: &mut Vec<Step>) {
        self.head = Some(head);
        let horizon = self.limits.final_after_blocks;
        self.entries
            .retain(|entry| entry.mined.is_none_or(|(_, seen)| head.number < seen.block.saturating_add(horizon)));
        for entry in &self.entries {
            let hashes = entry.offered.iter().map(|(hash, _)| *hash).collect();
            out.push(Step::AskReceipt { nonce: entry.nonce, hashes });
        }
        if self.next.is_none() || !self.quiet() {
            out.push(Step::AskCounts);
        }
        if self.balance_seen_at.is_none_or(|at| head.number >= at.saturating_add(BALANCE_EVERY_BLOCKS)) {
            self.balance_seen_at = Some(head.number);
            out.push(Step::AskBalance);
        }
    }

    fn on_counts(&mut self, mined: u64, pending: u64, out: &mut Vec<Step>) {
        let Some(head) = self.head else { return };
        let waiting = pending.saturating_sub(mined);
        if waiting > WAITING_MAX {
            self.on(&Seen::Absurd(format!("{waiting} transactions wait, at most {WAITING_MAX} are believed")), out);
            return;
        }
        self.absurd_told = false;
        if self.next.is_none() {
            self.take_over(mined, pending, head, out);
            return;
        }
        for at in 0..self.entries.len() {
            let entry = &mut self.entries[at];
            if entry.mined.is_some() {
                continue;
            }
            entry.used_up_since = (entry.nonce < mined).then(|| entry.used_up_since.unwrap_or(head.number));
            // What was offered at an earlier head and is not among the waiting was dropped, or waits behind a gap.
            if entry.nonce >= pending && entry.sent_at < head.number && !entry.offered.is_empty() {
                self.offer(at, false, out);
            }
        }
    }

    /// Takes the account over from an earlier process: whatever of it still waits must be in a block, or emptied, first.
    fn take_over(&mut self, mined: u64, pending: u64, head: Head, out: &mut Vec<Step>) {
        let pending = pending.max(mined);
        self.next = Some(pending);
        for nonce in mined..pending {
            let empty = Call { to: self.own, data: Bytes::new(), gas_limit: EMPTY_GAS };
            self.entries.push(Entry { emptied: true, ..Entry::new(nonce, None, empty, head.number) });
        }
        if pending > mined {
            out.push(Step::Alarm(Alarm::Leftover { count: pending - mined }));
        }
    }

    fn on_sent(&mut self, nonce: u64, hash: B256, fault: Option<&SendFault>, out: &mut Vec<Step>) {
        let Some(at) = self.entries.iter().position(|entry| entry.nonce == nonce) else { return };
        let cap = self.limits.fee_wei_max;
        let entry = &mut self.entries[at];
        if !entry.offered.iter().any(|(known, _)| *known == hash) {
            entry.offered.push((hash, !entry.emptied));
        }
        match fault {
            None | Some(SendFault::Known) => {}
            Some(SendFault::NonceLow) => out.push(Step::AskCounts),
            Some(SendFault::Underpriced) if entry.fees.is_some_and(|fees| fees.max_wei < cap) => {
                self.offer(at, true, out)
            }
            Some(fault) => out.push(Step::Alarm(Alarm::NotTaken { nonce, fault: fault.clone() })),
        }
    }

    fn on_receipt(&mut self, nonce: u64, found: Option<(B256, Inclusion)>, out: &mut Vec<Step>) {
        let Some(head) = self.head else { return };
        let Some(at) = self.entries.iter().position(|entry| entry.nonce == nonce) else { return };
        let entry = &mut self.entries[at];
        match (entry.mined, found) {
            (before, Some((hash, inclusion))) => {
                let with_call = entry.offered.iter().any(|(known, call)| *known == hash && *call);
                entry.mined = Some((with_call, inclusion));
                if before != entry.mined {
                    let fate = if with_call { Fate::Mined(inclusion) } else { Fate::Emptied };
                    out.extend(entry.id.map(|id| Step::Fate(id, fate)));
                }
            }
            (Some(_), None) => {
                entry.mined = None;
                entry.used_up_since = None;
                out.extend(entry.id.map(|id| Step::Fate(id, Fate::Vanished)));
                self.offer(at, false, out);
            }
            (None, None) => self.still_waiting(at, head, out),
        }
    }

    fn still_waiting(&mut self, at: usize, head: Head, out: &mut Vec<Step>) {
        let entry = &self.entries[at];
        if entry.is_used_up(head) {
            let gone = self.entries.remove(at);
            out.extend(gone.id.map(|id| Step::Fate(id, Fate::Displaced)));
        } else if head.number >= entry.priced_at.saturating_add(self.limits.bump_after_blocks) {
            self.offer(at, true, out);
        }
    }

    /// Offers an entry at the present price, or above its last one.
    fn offer(&mut self, at: usize, dearer: bool, out: &mut Vec<Step>) {
        let Some(head) = self.head else { return };
        let limits = self.limits;
        let entry = &mut self.entries[at];
        let fresh = Fees {
            max_wei: head.base_fee_wei.saturating_mul(2).saturating_add(limits.tip_wei),
            tip_wei: limits.tip_wei,
        };
        let wanted = match entry.fees {
            None if entry.id.is_some() => fresh,
            // What an earlier process offered is not known; twice the present price replaces all but the absurd.
            None => fresh.raised().raised().raised().raised().raised().raised(),
            Some(last) if dearer => last.raised().at_least(fresh),
            Some(last) => last,
        };
        let fees = wanted.at_most(limits.fee_wei_max);
        if dearer && entry.fees.is_some_and(|last| last.max_wei == fees.max_wei) {
            out.push(Step::Alarm(Alarm::FeeAtCap { nonce: entry.nonce }));
        }
        if dearer || entry.fees.is_none() {
            entry.priced_at = head.number;
        }
        entry.fees = Some(fees);
        entry.sent_at = head.number;
        let call = (!entry.emptied).then(|| entry.call.clone());
        out.push(Step::Send { nonce: entry.nonce, call, fees });
    }
}

/// Gas of an empty transfer.
pub const EMPTY_GAS: u64 = 21_000;

impl Entry {
    fn new(nonce: u64, id: Option<TxId>, call: Call, sent_at: u64) -> Entry {
        Entry {
            nonce,
            id,
            call,
            emptied: false,
            offered: Vec::new(),
            fees: None,
            priced_at: sent_at,
            sent_at,
            mined: None,
            used_up_since: None,
        }
    }
}

impl Entry {
    /// Whether its nonce went to another's transaction.
    fn is_used_up(&self, head: Head) -> bool {
        let over = |since: u64| self.id.is_none() || head.number >= since.saturating_add(DISPLACED_AFTER_BLOCKS);
        self.used_up_since.is_some_and(over)
    }
}

impl Fees {
    /// An eighth more of both, upwards: nodes take a replacement from a tenth more.
    fn raised(self) -> Fees {
        let raise = |wei: u128| wei.saturating_add(wei / 8).saturating_add(1);
        Fees { max_wei: raise(self.max_wei), tip_wei: raise(self.tip_wei) }
    }

    fn at_least(self, other: Fees) -> Fees {
        Fees { max_wei: self.max_wei.max(other.max_wei), tip_wei: self.tip_wei.max(other.tip_wei) }
    }

    fn at_most(self, cap_wei: u128) -> Fees {
        let max_wei = self.max_wei.min(cap_wei);
        Fees { max_wei, tip_wei: self.tip_wei.min(max_wei) }
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
