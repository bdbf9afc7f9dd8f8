//! The life of one order of ours: every move it may make, and what it may still fill.

use crate::base::ids::{Nonce, Side, SubaccountId, VaultId};
use crate::base::num::Amount;
use crate::base::time::Nanos;
use crate::msg::{Life, OrderStatus, Wish, Working};

/// One order from approval until nothing more can come of it.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub struct LiveOrder {
    /// Its name.
    pub nonce: Nonce,
    /// Whose it is.
    pub vault: VaultId,
    /// Subaccount it trades for.
    pub subaccount: SubaccountId,
    /// What it asks for.
    pub wish: Wish,
    /// The order it replaces, whose reservation it shares until the venue has answered.
    pub replaces: Option<Nonce>,
    /// Where it stands.
    pub life: Life,
    /// Fills booked so far.
    pub booked: Amount,
    /// What the venue says has been filled in all, once it says the order is over.
    pub final_filled: Option<Amount>,
    /// When it was approved.
    pub approved_at: Nanos,
    /// The venue refuses it if it arrives later than this.
    pub reject_after: Nanos,
    /// When its signature expires.
    pub expires_at: Nanos,
    /// When a cancel was last asked for; zero if never.
    pub cancel_asked_at: Nanos,
}

impl LiveOrder {
    /// What may still be added to the position by this order, as far as we know.
    pub fn open(&self) -> Amount {
        match self.final_filled {
            Some(filled) => (filled - self.booked).max(Amount::ZERO),
            None => self.wish.amount - self.booked,
        }
    }

    /// True when nothing more can come of it: filled whole, or over at the venue with every fill booked.
    pub fn is_over(&self) -> bool {
        self.booked >= self.final_filled.unwrap_or(self.wish.amount)
    }

    /// The venue confirmed it rests. An order already leaving stays so: the confirmation is older news.
    pub fn confirm(&mut self) {
        if matches!(self.life, Life::Pending | Life::Unknown) && self.final_filled.is_none() {
            self.life = if self.cancel_asked_at == Nanos::ZERO { Life::Open } else { Life::Leaving };
        }
    }

    /// The venue's word about it; final states stay final (a late "open" never revives an order).
    pub fn on_status(&mut self, status: OrderStatus, filled: Amount) {
        if self.final_filled.is_some() {
            return;
        }
        if status.is_final() {
            self.final_filled = Some(filled);
            self.life = Life::Leaving;
        } else {
            self.confirm();
        }
    }

    /// We asked for its end.
    pub fn leave(&mut self, at: Nanos) {
        self.cancel_asked_at = at;
        if matches!(self.life, Life::Pending | Life::Open) {
            self.life = Life::Leaving;
        }
    }

    /// Nobody can say whether it lives.
    pub fn doubt(&mut self) {
        if self.final_filled.is_none() {
            self.life = Life::Unknown;
        }
    }

    /// True if it and the wish could be each other's counterparties (Derive 11007).
    pub fn could_trade_with(&self, wish: &Wish) -> bool {
        let prices_meet = match wish.side {
            Side::Buy => self.wish.price <= wish.price,
            Side::Sell => self.wish.price >= wish.price,
        };
        self.wish.instrument == wish.instrument && self.wish.side != wish.side && prices_meet
    }

    /// As the strategy sees it.
    pub fn working(&self) -> Working {
        Working {
            nonce: self.nonce,
            life: self.life,
            wish: self.wish,
            filled: self.booked,
            expires_at: self.expires_at,
        }
    }
}
