//! How the keeping of a vault's shares stands, as a person reads it: a fold over the keeper's words.

use super::words::{Alarm, Job, Wait, Word};
use crate::msg::Flow;
use alloy::primitives::U256;
use alloy::primitives::utils::format_ether;
use std::fmt;
use std::time::Duration;

/// Most alarms kept.
const ALARMS_MAX: usize = 1_000;

/// What one keeper has done so far, and what it waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why nothing is done, as it last said.
    pub waits: Option<Wait>,
    /// Worth of a whole share, 18 decimals, and the block it was read at.
    pub price: Option<(U256, u64)>,
    /// All shares, in the token's decimals.
    pub supply: U256,
    /// Deposits that have become shares.
    pub deposits: u64,
    /// Times that withdrawals were paid.
    pub payments: u64,
    /// Times that the fee was collected.
    pub fees: u64,
    /// Deposits left out.
    pub left_out: u64,
    /// Gas used by everything in a block.
    pub gas_used: u64,
    /// Paid for it, wei.
    pub paid_wei: u128,
    /// Times it had to begin anew.
    pub restarts: u64,
    /// Another process uses its key: nothing is done until a restart.
    pub halted: bool,
    /// The run is over.
    pub ended: bool,
    /// For a person, the newest last; one that repeats the one before it is left out.
    pub alarms: Vec<String>,
}

impl Standing {
    pub(super) fn hear(&mut self, word: &Word) {
        match word {
            Word::Price { price, supply, block } => (self.price, self.supply) = (Some((*price, *block)), *supply),
            Word::Done(job, _) => {
                self.waits = None;
                match job {
                    Job::Deposits(ids) => self.deposits += ids.len() as u64,
                    Job::Withdrawals => self.payments += 1,
                    Job::Fee => self.fees += 1,
                }
            }
            Word::LeftOut(id, why) => {
                self.left_out += 1;
                self.alarm(format!("deposit {id} cannot become shares now: {why}"));
            }
            Word::Waiting(why) => self.waits = Some(why.clone()),
            Word::Alarm(alarm) => self.alarm(alarm.to_string()),
            Word::Halted => {
                self.halted = true;
                self.alarm("another process uses its key: it does nothing more until a restart".to_owned());
            }
        }
    }

    pub(super) fn alarm(&mut self, words: String) {
        if self.alarms.last() != Some(&words) && self.alarms.len() < ALARMS_MAX {
            self.alarms.push(words);
        }
    }

    /// It failed and begins anew after a pause.
    pub(super) fn failed(&mut self, why: &str, pause: Duration) {
        (self.waits, self.restarts) = (Some(Wait::Unknown), self.restarts + 1);
        self.alarm(format!("{why}; it begins anew in {} s", pause.as_secs_f64()));
    }

    /// The run is over; `sending` if a transaction is in no block yet.
    pub(super) fn ended(&mut self, sending: bool) {
        self.ended = true;
        if sending {
            self.alarm("its last transaction was in no block yet at the end".to_owned());
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing { deposits, payments, fees, .. } = self;
        match self.price {
            Some((price, _)) => write!(f, "a share is worth {}", format_ether(price))?,
            None => write!(f, "the price of a share is not known yet")?,
        }
        write!(f, ", {deposits} deposits taken, withdrawals paid {payments} times, fee collected {fees} times")?;
        match &self.waits {
            _ if self.halted => write!(f, ", halted until a restart"),
            _ if self.ended => write!(f, ", ended"),
            Some(why) => write!(f, ", {why}"),
            None => write!(f, ", at work"),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Unknown => write!(f, "waits for chain and engine to speak"),
            Wait::Searching => write!(f, "searches for the deposits of the past"),
            Wait::NotListed => write!(f, "waits to be listed as keeper"),
            Wait::Blocked => write!(f, "waits while the contract is blocked"),
            Wait::Phase(phase) => write!(f, "waits through the phase {}", phase.name()),
            Wait::Signing => write!(f, "waits while a trade signature is live"),
            Wait::Unsettled(count) => write!(f, "waits for {count} fills or movements to be settled"),
            Wait::Failed => write!(f, "rests after a failure"),
            Wait::Stopped => write!(f, "begins nothing more"),
            Wait::Nothing => write!(f, "all is done"),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Job::Deposits(ids) => write!(f, "making shares of {} deposits", ids.len()),
            Job::Withdrawals => write!(f, "paying withdrawals"),
            Job::Fee => write!(f, "collecting the fee"),
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |flow: &Flow| match flow {
            Flow::Deposit => "deposit into",
            Flow::Withdrawal => "withdrawal from",
        };
        match self {
            Alarm::Lane(alarm) => write!(f, "its transactions: {alarm:?}"),
            Alarm::Refused(job, why) => write!(f, "{job} would revert: {why}"),
            Alarm::Unreachable(job, why) => write!(f, "{job} could not be tried: {why}"),
            Alarm::Reverted(job) => write!(f, "{job} reverted in its block"),
            Alarm::NoProgress => write!(f, "withdrawals were paid, but the queue is as long as before"),
            Alarm::NotMoved(flow, news) => write!(f, "the {} the subaccount was not made: {news:?}", name(flow)),
            Alarm::Lost(flow) => write!(f, "nothing was heard of the {} the subaccount", name(flow)),
            Alarm::Short(tokens) => write!(f, "withdrawals need {tokens} units of the token more than is free"),
        }
    }
}
