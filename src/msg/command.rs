//! What must not wait behind a signature, and what the control plane says.

use super::{RfqWish, Trace};
use crate::base::ids::{Epoch, InstrumentId, Nonce, Uuid, VaultId};
use crate::base::num::Ratio;
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

/// What the control plane tells the pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Cancel everything, take no new risk.
    Drain {
        /// Which vault.
        vault: VaultId,
    },
    /// Trade again after a drain.
    Resume {
        /// Which vault.
        vault: VaultId,
    },
    /// Stop for good.
    Kill,
    /// The venue's annual USDC borrow rate.
    BorrowRate {
        /// Annual rate.
        apr: Ratio,
        /// When it was read.
        read_at: Nanos,
    },
}
