//! What must not wait behind a signature, and what the control plane says.

use super::{RfqWish, Trace};
use crate::base::ids::{Epoch, InstrumentId, Nonce, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Ratio};
use crate::base::time::Nanos;

/// What must not wait behind a signature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Urgent {
    /// Nothing approved in an older epoch may leave any more.
    Stop {
        /// The new epoch.
        epoch: Epoch,
    },
    /// Cancel one order, or keep it from leaving if it has not left.
    Cancel {
        /// Where the time went.
        trace: Trace,
        /// Which order.
        nonce: Nonce,
        /// Its instrument.
        instrument: InstrumentId,
        /// Its vault.
        vault: VaultId,
    },
    /// Ask makers for quotes.
    Ask {
        /// Whose.
        vault: VaultId,
        /// Our name for it, also its label.
        name: Nonce,
        /// What for.
        wish: RfqWish,
    },
    /// Withdraw an RFQ.
    Unask {
        /// Whose.
        vault: VaultId,
        /// Which.
        rfq_id: Uuid,
    },
    /// Ask the venue for a snapshot of a vault.
    Reconcile {
        /// Which vault.
        vault: VaultId,
    },
}

/// Which way capital goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    /// From the vault's contract into its subaccount.
    Deposit,
    /// From the subaccount to the vault's contract.
    Withdrawal,
}

/// A vault's contract and its subaccount as one block of the chain shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSight {
    /// When it was read, our clock.
    pub read_at: Nanos,
    /// Tokens on the contract, in their own decimals (`balanceOf`).
    pub tokens: u128,
    /// Of these, deposits that have not become shares yet (`totalPendingDeposits`).
    pub pending: u128,
    /// Collateral in the subaccount: what has been settled.
    pub base: Amount,
    /// Cash there, as last stored.
    pub cash: Cash,
    /// `isBlocked()`.
    pub blocked: bool,
}

/// A keeper's wish to move capital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapitalWish {
    /// Which way.
    pub flow: Flow,
    /// How much, in the token's own decimals.
    pub amount: u128,
    /// What it was decided on.
    pub sight: ChainSight,
}

/// What the control plane tells the pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Cancel everything, take no new risk until resumed.
    Pause {
        /// Which vault.
        vault: VaultId,
    },
    /// Cancel everything, take no new risk until a restart.
    Drain {
        /// Which vault.
        vault: VaultId,
    },
    /// The run ends: as a drain, which stops no later run.
    End {
        /// Which vault.
        vault: VaultId,
        /// By a signal or at its time, and so by a person: the next start asks nobody about a stop before it.
        orderly: bool,
    },
    /// Trade again after a pause, or a drain that does not demand a restart.
    Resume {
        /// Which vault.
        vault: VaultId,
    },
    /// Cancel everything, send nothing but cancels until a restart.
    Halt {
        /// Which vault.
        vault: VaultId,
    },
    /// The same for every vault, and nothing approved before leaves any more.
    Kill,
    /// Make a limit tighter.
    Tighten {
        /// Which vault.
        vault: VaultId,
        /// The limit, and to what.
        to: Tighter,
    },
    /// The venue's annual USDC borrow rate.
    BorrowRate {
        /// Annual rate.
        apr: Ratio,
        /// When it was read.
        read_at: Nanos,
    },
    /// Move capital between a vault's contract and its subaccount (v2).
    Capital {
        /// Which vault.
        vault: VaultId,
        /// What.
        wish: CapitalWish,
    },
}

/// A limit of `[vault.limits]` with a value that is to hold from now on. The largest hedge is none of them: a hedge in
/// the way of which something stands leaves the risk where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tighter {
    /// `quote_amount_max_base`.
    QuoteAmount(Amount),
    /// `option_amount_max_contracts`.
    OptionAmount(Amount),
    /// `collateral_amount_max_base`.
    CollateralAmount(Amount),
    /// `notional_max_usdc`.
    Notional(Cash),
    /// `borrow_max_usdc`.
    Borrow(Cash),
    /// `fills_per_minute_max`.
    FillsPerMinute(u32),
    /// `mark_offset_max_bps`.
    MarkOffset(Ratio),
    /// `loss_ema_max_bps`.
    LossEma(Ratio),
    /// `drawdown_max_bps`.
    Drawdown(Ratio),
    /// `loss_per_hour_max_bps`.
    LossPerHour(Ratio),
    /// `loss_per_day_max_bps`.
    LossPerDay(Ratio),
}
