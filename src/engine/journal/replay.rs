//! What a start must know of the runs before it, gathered record by record.

use super::{
    Charged, FloorRecord, GivenRecord, LegRecord, MovementRecord, NoteRecord, Notes, OrderRecord, PinRecord,
    SignatureRecord, SumRecord, WithdrawnRecord,
};
use crate::base::ids::{Nonce, Side, SubaccountId};
use crate::base::num::{Cash, Price};
use crate::engine::rolling::Spent;
use crate::msg::{Flow, HeldSignature};

/// The journal, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    floor: Nonce,
    notes: Notes,
    spent: Vec<(SubaccountId, Spent)>,
    pins: Vec<PinRecord>,
    last_leg: Option<LegRecord>,
    last_signature: Option<SignatureRecord>,
    unread: u64,
}

impl Replay {
    /// Takes one record, oldest first.
    pub fn visit(&mut self, record: &[u8]) {
        if let Some(order) = OrderRecord::read(record) {
            self.floor = self.floor.max(order.nonce);
            let charged = order.charged.cash().max(if order.charged == Charged::default() {
                order.price.times(order.amount) // as far as an older program tells
            } else {
                Cash::ZERO
            });
            let bought = if order.perp && order.side == Side::Buy { charged } else { Cash::ZERO };
            self.spent_by(order.subaccount).charge(order.at, charged, bought);
        } else if let Some(leg) = LegRecord::read(record) {
            self.floor = self.floor.max(leg.nonce);
            self.on_leg(leg);
        } else if let Some(movement) = MovementRecord::read(record) {
            self.floor = self.floor.max(movement.nonce);
            let withdrawn = if movement.flow == Flow::Withdrawal { movement.amount } else { 0 };
            self.spent_by(movement.subaccount).charge_movement(movement.at, withdrawn);
        } else if let Some(GivenRecord { at, subaccount, given }) = GivenRecord::read(record) {
            self.spent_by(subaccount).charge_given(at, &given);
        } else if let Some(NoteRecord { subaccount, note }) = NoteRecord::read(record) {
            self.notes.take(subaccount, &note);
        } else if let Some(FloorRecord(floor)) = FloorRecord::read(record) {
            self.floor = self.floor.max(floor);
        } else if let Some(sum) = SumRecord::read(record) {
            sum.apply(self.spent_by(sum.subaccount()));
        } else if let Some(sum) = WithdrawnRecord::read(record) {
            sum.apply(self.spent_by(sum.subaccount()));
        } else if let Some(pin) = PinRecord::read(record) {
            if !self.pins.iter().any(|known| known.name == pin.name) {
                self.pins.push(pin);
            }
        } else if let Some(record) = SignatureRecord::read(record) {
            self.last_signature = Some(record);
        } else {
            self.unread += 1;
        }
    }

    /// A package counts once, with its higher strike.
    fn on_leg(&mut self, leg: LegRecord) {
        let first = self.last_leg.replace(leg).filter(|first| first.nonce == leg.nonce && leg.leg > 0);
        match first {
            None => self.spent_by(leg.subaccount).charge(leg.at, leg.strike.times(leg.amount), Cash::ZERO),
            Some(first) => {
                let more = (leg.strike - first.strike).max(Price::ZERO).times(leg.amount);
                let spent = self.spent_by(leg.subaccount);
                spent.hour.add(leg.at, more.raw());
                spent.day.add(leg.at, more.raw());
            }
        }
    }

    fn spent_by(&mut self, subaccount: SubaccountId) -> &mut Spent {
        let known = self.spent.iter().position(|(known, _)| *known == subaccount);
        let place = known.unwrap_or_else(|| {
            self.spent.push((subaccount, Spent::default()));
            self.spent.len() - 1
        });
        &mut self.spent[place].1
    }

    /// What has been signed lately, by subaccount.
    pub fn spent(&self) -> &[(SubaccountId, Spent)] {
        &self.spent
    }

    /// Highest nonce spent: the next must be above it.
    pub fn floor(&self) -> Nonce {
        self.floor
    }

    /// What names were first seen to be.
    pub fn pins(&self) -> &[PinRecord] {
        &self.pins
    }

    /// What the runs before have noted of every vault.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// What a contract was last asked to sign, and for whom.
    pub fn last_signature(&self) -> Option<SignatureRecord> {
        self.last_signature
    }

    /// What the contract that owns a subaccount was last asked to sign.
    pub fn signature(&self, subaccount: SubaccountId) -> Option<HeldSignature> {
        self.last_signature.filter(|record| record.subaccount == subaccount).map(|record| record.signature)
    }

    /// Records of a kind or version that this program does not know: written by a newer one.
    pub fn unread(&self) -> u64 {
        self.unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{InstrumentId, Right, VaultId};
    use crate::base::num::Amount;
    use crate::base::time::Nanos;
    use crate::engine::journal::MilestoneRecord;
    use crate::engine::rolling::Rolling;
    use crate::msg::{Milestone, Phase};

    fn order(nonce: u64) -> [u8; super::super::RECORD] {
        let record = OrderRecord {
            at: Nanos(1),
            nonce: Nonce(nonce),
            replaces: Nonce(0),
            vault: VaultId(0),
            subaccount: SubaccountId(7),
            instrument: InstrumentId(1),
            side: Side::Buy,
            price: Price::ONE,
            amount: Amount::ONE,
            expires_s: 1,
            charged: Charged::of(Cash::whole(70)),
            perp: true,
        };
        record.write()
    }

    fn leg(nonce: u64) -> [u8; super::super::RECORD] {
        let record = LegRecord {
            at: Nanos(1),
            nonce: Nonce(nonce),
            vault: VaultId(0),
            subaccount: SubaccountId(7),
            leg: 0,
            expiry_s: 1,
            strike: Price::ONE,
            right: Right::Call,
            side: Side::Sell,
            price: Price::ONE,
            amount: Amount::ONE,
            quote_half: 1,
        };
        record.write()
    }

    #[test]
    fn the_highest_nonce_and_the_last_milestone_of_each_vault_count() {
        let milestone = |phase, started_at| Milestone { phase, started_at: Nanos(started_at), ..Milestone::default() };
        let write = |subaccount, milestone| MilestoneRecord { subaccount: SubaccountId(subaccount), milestone }.write();
        let mut replay = Replay::default();
        for record in [
            order(5),
            write(7, milestone(Phase::OptionAuction, 1)),
            write(8, milestone(Phase::CollateralOnly, 2)),
            leg(9),
            order(6),
            write(7, milestone(Phase::AwaitSettlement, 3)),
        ] {
            replay.visit(&record);
        }
        replay.visit(&[0xFF; 64]);
        replay.visit(&order(99)[..60]);
        assert_eq!((replay.floor(), replay.unread()), (Nonce(9), 2));
        assert_eq!(replay.notes().milestone(SubaccountId(7)), Some(milestone(Phase::AwaitSettlement, 3)));
        assert_eq!(replay.notes().milestone(SubaccountId(8)), Some(milestone(Phase::CollateralOnly, 2)));
        assert_eq!(replay.notes().milestone(SubaccountId(9)), None);
        let [(subaccount, spent)] = replay.spent() else { panic!("one subaccount") };
        let mut spent = spent.clone();
        let sum = |rolling: &mut Rolling| Cash::from_raw(rolling.sum(Nanos(1)));
        assert_eq!((*subaccount, spent.count.sum(Nanos(1))), (SubaccountId(7), 3));
        assert_eq!((sum(&mut spent.hour), sum(&mut spent.day)), (Cash::whole(141), Cash::whole(141)));
        assert_eq!(sum(&mut spent.bought), Cash::whole(140));
    }
}
