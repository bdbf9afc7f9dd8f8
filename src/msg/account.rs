//! What risk says to the auction.

use super::{HELD, LEGS, Milestone, OFFERS, PricedLeg, RfqWish, SLOTS, Trace, Wish};
use crate::base::ids::{InstrumentId, Nonce, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Ratio};
use crate::base::time::Nanos;

/// What the engine may do for a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Not reconciled yet: nothing may be sent but cancels.
    #[default]
    Starting,
    /// Everything within the limits.
    Live,
    /// Only what brings risk down.
    Drain,
    /// Nothing but cancels until a restart.
    Halted,
}

/// Where an order of ours stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Life {
    /// Slot unused.
    #[default]
    Empty,
    /// Approved; the venue has not confirmed it.
    Pending,
    /// Resting at the venue.
    Open,
    /// A cancel or replace of it is under way.
    Leaving,
    /// The venue's answer is missing or ambiguous: it may be live.
    Unknown,
}

/// One live order, as the strategy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Working {
    /// Its name.
    pub nonce: Nonce,
    /// Where it stands.
    pub life: Life,
    /// What it asked for.
    pub wish: Wish,
    /// Filled so far.
    pub filled: Amount,
    /// When its signature expires.
    pub expires_at: Nanos,
}

impl Working {
    /// What may still fill.
    pub fn remaining(&self) -> Amount {
        self.wish.amount - self.filled
    }
}

/// An option position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Signed size; negative is short.
    pub amount: Amount,
}

/// An open quote for the vault's RFQ, as the strategy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Venue id.
    pub quote_id: Uuid,
    /// Whoever quotes.
    pub maker: u64,
    /// When it was made.
    pub created_at: Nanos,
    /// Share of the RFQ it covers.
    pub filled: Ratio,
    /// Its legs as the vault would take them.
    pub legs: [PricedLeg; LEGS],
    /// Fee the venue expects, where it says.
    pub fee: Option<Cash>,
}

/// Where an RFQ of the vault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenRfq {
    /// Our name for it.
    pub name: Nonce,
    /// Venue id, once the venue has answered.
    pub rfq_id: Option<Uuid>,
    /// What was asked for.
    pub wish: RfqWish,
    /// When the venue opened it, on our clock; when it was asked for until the venue has answered.
    pub opened_at: Nanos,
    /// When its window ends, on our clock.
    pub valid_until: Nanos,
    /// Share executed so far.
    pub filled: Ratio,
    /// A withdrawal is under way.
    pub leaving: bool,
}

/// The vault's conversation with makers: its RFQ and the open quotes for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Hash)]
pub struct Talk {
    /// Whose.
    pub vault: VaultId,
    /// The RFQ under way.
    pub rfq: Option<OpenRfq>,
    /// Open quotes from which the vault could buy.
    pub offers: [Option<Offer>; OFFERS],
    /// Number of executions the venue has refused since start.
    pub refusals: u32,
    /// The last refusal: its code and the maker whose quote it was.
    pub last_refusal: Option<(i32, u64)>,
}

/// What is true of a vault's account now.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub struct Account {
    /// Where the time went.
    pub trace: Trace,
    /// Whose.
    pub vault: VaultId,
    /// What may be done.
    pub mode: Mode,
    /// Base collateral held.
    pub base: Amount,
    /// Perp position; negative is short.
    pub perp: Amount,
    /// USDC; negative is a borrow.
    pub cash: Cash,
    /// Perp cost not yet settled into cash: unsettled profit = perp × mark − this.
    pub perp_cost: Cash,
    /// Annual borrow rate, while a recent one is known.
    pub borrow_apr: Option<Ratio>,
    /// Decaying sum of losses against mark, as a fraction of TVL (strategy specification §5.4).
    pub loss_ema: Ratio,
    /// Number of the last intent that `risk` decided on: its outcome is in this message.
    pub intents_seen: u32,
    /// Number of the last intent that was refused, zero if none was; another one after a hedge that filled nothing.
    pub intent_refused: u32,
    /// What a contract must sign before it leaves would have to wait: something signed earlier is not settled, or still
    /// stands on its one signature. An order wished for now would be refused.
    pub settling: bool,
    /// Order messages the rate budget still allows for quoting.
    pub quote_budget: u32,
    /// When the last snapshot that agreed or was adopted was asked for; zero before the first.
    pub proved_at: Nanos,
    /// The phase that risk knows of and has had journaled, with what was spent in it.
    pub milestone: Milestone,
    /// Option positions.
    pub held: [Option<Held>; HELD],
    /// Live orders; the legs of a package are two, of one name.
    pub working: [Option<Working>; SLOTS],
}
