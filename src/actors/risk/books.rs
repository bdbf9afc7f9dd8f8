//! Assertions on the vault's books, made after every fill and after every snapshot.

use super::Out;
use super::desk::Desk;
use super::notice::Alarm;
use crate::base::ids::Side;
use crate::base::num::Amount;
use crate::msg::Purpose;
use crate::risk::limits::Mandate;

impl Desk {
    /// Asserts that the perp is never long (M13), that what was written is covered (M1), and between packages that no leg
    /// is naked (M2). Books that are uncertain show nothing: the snapshot that settles them is judged instead.
    pub(super) fn assert_books(&mut self, out: &mut Out) {
        if self.ledger.is_uncertain() {
            return;
        }
        if self.ledger.holdings().perp.is_positive() {
            self.alarm(Alarm::Invariant { row: 0 }, out);
        }
        let Mandate::Options(limits) = self.mandate else { return };
        let net: Amount = self.ledger.options().iter().map(|held| held.amount).sum();
        let covering = self.ledger.holdings().base - self.ledger.reserved(self.ledger.book().base, Side::Sell, None);
        if limits.sells() && self.ledger.options().short() > covering {
            self.alarm(Alarm::Invariant { row: 2 }, out);
        }
        let busy = self.ledger.orders().any(|order| order.wish.purpose == Purpose::Package);
        if limits.product.is_spread() && !busy && net.is_negative() {
            self.alarm(Alarm::Invariant { row: 3 }, out);
        }
    }
}
