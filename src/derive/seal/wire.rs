//! What crosses the process wall: deeds one way, signatures the other, in messages of one size without pointers.
//!
//! Both sides read as if the other were hostile: a number out of range makes no message, and nothing is taken on trust
//! that the envelope or the venue will not judge again.

use crate::base::bytes::{Eye, Pen};
use crate::base::ids::{InstrumentId, Nonce, Right, SubaccountId, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::Nanos;
use crate::derive::action::trade::OrderTerms;
use crate::derive::seal::{LoginProof, MovementDeed, OrderDeed, PackageDeed, PackageSeal};
use crate::engine::journal::{NoteRecord, RECORD};
use crate::engine::ports::{ANSWER_BYTES, ASK_BYTES};
use crate::market::instrument::{Instrument, Kind, Listing, OptionTerms};
use crate::msg::{Breach, Flow, LEGS, Leg, Mark, Note, PricedLeg};
use crate::risk::order::Replaced;

/// A message to the signer's process.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum Ask {
    /// Sign an order.
    Order(OrderDeed),
    /// Sign an execution.
    Package(PackageDeed),
    /// Sign a movement of capital.
    Movement(MovementDeed),
    /// Write a note to the journal.
    Note {
        /// Whose.
        vault: VaultId,
        /// What.
        note: Note,
    },
    /// The instrument table has changed.
    Listing(Listing),
    /// A mark. Its moment is the engine's word: it counts as no later than when it is read on the other side.
    Mark(Mark),
}

/// A message from the signer's process.
#[derive(Clone, Copy)]
pub enum Answer {
    /// An order's signature.
    Order {
        /// Which.
        nonce: Nonce,
        /// `r ‖ s ‖ v`.
        signature: [u8; 65],
    },
    /// An execution's seal.
    Package {
        /// Which.
        nonce: Nonce,
        /// What sealing added.
        seal: PackageSeal,
    },
    /// A movement's signature.
    Movement {
        /// Which.
        nonce: Nonce,
        /// `r ‖ s ‖ v`.
        signature: [u8; 65],
    },
    /// A deed that was not signed.
    Refused {
        /// Which.
        nonce: Nonce,
        /// Why.
        why: Breach,
    },
    /// Nothing will be signed any more.
    Down {
        /// Why.
        why: Breach,
    },
    /// A fresh login proof.
    Login(LoginProof),
}

const ORDER: u8 = 1;
const PACKAGE: u8 = 2;
const NOTE: u8 = 3;
const LISTED: u8 = 4;
const DELISTED: u8 = 5;
const MARK: u8 = 6;
const REFUSED: u8 = 7;
const DOWN: u8 = 8;
const LOGIN: u8 = 9;
const MOVEMENT: u8 = 10;

impl Ask {
    /// The bytes of the message.
    pub fn write(&self) -> [u8; ASK_BYTES] {
        match self {
            Ask::Order(deed) => write_order(deed),
            Ask::Package(deed) => write_package(deed),
            Ask::Movement(deed) => {
                let pen = Pen::new(MOVEMENT).u8(deed.vault.0).u64(deed.subaccount.0).u64(deed.nonce.0);
                let pen = pen.u8(u8::from(deed.flow == Flow::Withdrawal)).bytes(&deed.amount.to_le_bytes());
                pen.u64(deed.expires_s).page()
            }
            Ask::Note { vault, note } => {
                let record = NoteRecord { subaccount: SubaccountId(0), note: *note }.write();
                Pen::new(NOTE).u8(vault.0).bytes(&record).page()
            }
            Ask::Listing(Listing::Listed { instrument, .. }) => write_listed(instrument),
            Ask::Listing(Listing::Delisted { id }) => Pen::new(DELISTED).u16(id.0).page(),
            Ask::Mark(Mark { instrument, price, at }) => {
                Pen::new(MARK).u16(instrument.0).i64(price.raw()).u64(at.0).page()
            }
        }
    }

    /// Reads a message; `None` if it is none.
    pub fn read(page: &[u8; ASK_BYTES]) -> Option<Ask> {
        let mut eye = Eye::new(page);
        match eye.u8()? {
            ORDER => read_order(&mut eye).map(Ask::Order),
            PACKAGE => read_package(&mut eye).map(Ask::Package),
            MOVEMENT => read_movement(&mut eye).map(Ask::Movement),
            NOTE => {
                let vault = VaultId(eye.u8()?);
                let NoteRecord { note, .. } = NoteRecord::read(&eye.take::<RECORD>()?)?;
                Some(Ask::Note { vault, note })
            }
            LISTED => {
                let instrument = read_listed(&mut eye)?;
                Some(Ask::Listing(Listing::Listed { instrument, watched: false }))
            }
            DELISTED => Some(Ask::Listing(Listing::Delisted { id: InstrumentId(eye.u16()?) })),
            MARK => {
                let (instrument, price) = (InstrumentId(eye.u16()?), Price::from_raw(eye.i64()?));
                Some(Ask::Mark(Mark { instrument, price, at: Nanos(eye.u64()?) }))
            }
            _ => None,
        }
    }
}

fn write_order(deed: &OrderDeed) -> [u8; ASK_BYTES] {
    let OrderTerms { price, amount, max_fee, side, nonce, expiry_sec } = deed.terms;
    let pen = Pen::new(ORDER).u8(deed.vault.0).u64(deed.subaccount.0).u16(deed.instrument.0);
    let pen = match deed.replaces {
        None => pen.u8(0),
        Some(Replaced { nonce, filled }) => pen.u8(1).u64(nonce.0).i64(filled.raw()),
    };
    pen.i64(price.raw()).i64(amount.raw()).i64(max_fee.raw()).side(side).u64(nonce.0).u64(expiry_sec).page()
}

fn read_order(eye: &mut Eye<'_>) -> Option<OrderDeed> {
    let (vault, subaccount, instrument) = (VaultId(eye.u8()?), SubaccountId(eye.u64()?), InstrumentId(eye.u16()?));
    let replaces = match eye.u8()? {
        0 => None,
        1 => Some(Replaced { nonce: Nonce(eye.u64()?), filled: Amount::from_raw(eye.i64()?) }),
        _ => return None,
    };
    Some(OrderDeed {
        vault,
        subaccount,
        instrument,
        replaces,
        terms: OrderTerms {
            price: Price::from_raw(eye.i64()?),
            amount: Amount::from_raw(eye.i64()?),
            max_fee: Price::from_raw(eye.i64()?),
            side: eye.side()?,
            nonce: Nonce(eye.u64()?),
            expiry_sec: eye.u64()?,
        },
    })
}

fn write_package(deed: &PackageDeed) -> [u8; ASK_BYTES] {
    let mut pen = Pen::new(PACKAGE).u8(deed.vault.0).u64(deed.subaccount.0).u64(deed.nonce.0);
    pen = pen.bytes(&deed.quote_id.0.to_le_bytes());
    for PricedLeg { leg, price } in &deed.legs {
        pen = pen.u16(leg.instrument.0).side(leg.side).i64(leg.amount.raw()).i64(price.raw());
    }
    pen.bytes(&deed.max_fee.raw().to_le_bytes()).u64(deed.expires_s).page()
}

fn read_package(eye: &mut Eye<'_>) -> Option<PackageDeed> {
    let (vault, subaccount, nonce) = (VaultId(eye.u8()?), SubaccountId(eye.u64()?), Nonce(eye.u64()?));
    let quote_id = Uuid(eye.take().map(u128::from_le_bytes)?);
    let mut legs = [PricedLeg::default(); LEGS];
    for place in &mut legs {
        let (instrument, side) = (InstrumentId(eye.u16()?), eye.side()?);
        let leg = Leg { instrument, side, amount: Amount::from_raw(eye.i64()?) };
        *place = PricedLeg { leg, price: Price::from_raw(eye.i64()?) };
    }
    let max_fee = Cash::from_raw(eye.take().map(i128::from_le_bytes)?);
    Some(PackageDeed { vault, subaccount, nonce, quote_id, legs, max_fee, expires_s: eye.u64()? })
}

fn read_movement(eye: &mut Eye<'_>) -> Option<MovementDeed> {
    let (vault, subaccount, nonce) = (VaultId(eye.u8()?), SubaccountId(eye.u64()?), Nonce(eye.u64()?));
    let flow = match eye.u8()? {
        0 => Flow::Deposit,
        1 => Flow::Withdrawal,
        _ => return None,
    };
    let amount = eye.take().map(u128::from_le_bytes)?;
    Some(MovementDeed { vault, subaccount, nonce, flow, amount, expires_s: eye.u64()? })
}

/// Only what signing needs: name, kind, currency, asset and terms.
fn write_listed(instrument: &Instrument) -> [u8; ASK_BYTES] {
    let kind = match instrument.kind {
        Kind::Spot => 0,
        Kind::Perp => 1,
        Kind::Option => 2,
    };
    let pen = Pen::new(LISTED).u16(instrument.id.0).name(&instrument.name).u8(kind).name(&instrument.base_currency);
    let pen = pen.bytes(&instrument.asset).bytes(&instrument.sub_id.to_le_bytes());
    match instrument.option {
        None => pen.u8(0).page(),
        Some(OptionTerms { expiry_s, strike, right }) => {
            pen.u8(if right == Right::Call { 1 } else { 2 }).u64(expiry_s).i64(strike.raw()).page()
        }
    }
}

fn read_listed(eye: &mut Eye<'_>) -> Option<Instrument> {
    let (id, name) = (InstrumentId(eye.u16()?), eye.name()?);
    let kind = match eye.u8()? {
        0 => Kind::Spot,
        1 => Kind::Perp,
        2 => Kind::Option,
        _ => return None,
    };
    let (base_currency, asset, sub_id) = (eye.name()?, eye.take()?, eye.take().map(u128::from_le_bytes)?);
    let right = match eye.u8()? {
        0 => None,
        1 => Some(Right::Call),
        2 => Some(Right::Put),
        _ => return None,
    };
    let option = match right {
        Some(right) => Some(OptionTerms { right, expiry_s: eye.u64()?, strike: Price::from_raw(eye.i64()?) }),
        None => None,
    };
    Some(Instrument {
        id,
        name,
        kind,
        base_currency,
        asset,
        sub_id,
        tick: Price::ZERO,
        step: Amount::ZERO,
        min_amount: Amount::ZERO,
        max_amount: Amount::ZERO,
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::ZERO,
        base_fee: Cash::ZERO,
        mark_fee_cap: Ratio::ZERO,
        option,
        active: true,
    })
}

impl Answer {
    /// The same message with nothing in it that could log in: a proof keeps its moment only.
    pub fn without_login(page: &[u8; ANSWER_BYTES]) -> [u8; ANSWER_BYTES] {
        match Answer::read(page) {
            Some(Answer::Login(proof)) => Answer::Login(LoginProof { signature: [0; 65], ..proof }).write(),
            _ => *page,
        }
    }

    /// The bytes of the message.
    pub fn write(&self) -> [u8; ANSWER_BYTES] {
        match self {
            Answer::Order { nonce, signature } => Pen::new(ORDER).u64(nonce.0).bytes(signature).page(),
            Answer::Package { nonce, seal } => {
                let pen = Pen::new(PACKAGE).u64(nonce.0).name(&seal.names[0]).name(&seal.names[1]);
                pen.i64(seal.max_fee.raw()).bytes(&seal.signature).page()
            }
            Answer::Movement { nonce, signature } => Pen::new(MOVEMENT).u64(nonce.0).bytes(signature).page(),
            Answer::Refused { nonce, why } => Pen::new(REFUSED).u64(nonce.0).u8(*why as u8).page(),
            Answer::Down { why } => Pen::new(DOWN).u8(*why as u8).page(),
            Answer::Login(proof) => Pen::new(LOGIN).u64(proof.timestamp_ms).bytes(&proof.signature).page(),
        }
    }

    /// Reads a message; `None` if it is none.
    pub fn read(page: &[u8; ANSWER_BYTES]) -> Option<Answer> {
        let mut eye = Eye::new(page);
        let breach = |eye: &mut Eye<'_>| Breach::ALL.get(usize::from(eye.u8()?)).copied();
        match eye.u8()? {
            ORDER => Some(Answer::Order { nonce: Nonce(eye.u64()?), signature: eye.take()? }),
            PACKAGE => {
                let nonce = Nonce(eye.u64()?);
                let names = [eye.name()?, eye.name()?];
                let (max_fee, signature) = (Price::from_raw(eye.i64()?), eye.take()?);
                Some(Answer::Package { nonce, seal: PackageSeal { names, max_fee, signature } })
            }
            MOVEMENT => Some(Answer::Movement { nonce: Nonce(eye.u64()?), signature: eye.take()? }),
            REFUSED => Some(Answer::Refused { nonce: Nonce(eye.u64()?), why: breach(&mut eye)? }),
            DOWN => Some(Answer::Down { why: breach(&mut eye)? }),
            LOGIN => Some(Answer::Login(LoginProof { timestamp_ms: eye.u64()?, signature: eye.take()? })),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Name, Side};
    use crate::base::num::Ratio;
    use crate::derive::desk::tests::{instrument, listed};
    use crate::msg::{Milestone, Phase, Principal};
    use proptest::prelude::*;

    #[test]
    fn every_breach_has_its_number() {
        for (number, why) in Breach::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(why as u8), number);
            let page = Answer::Refused { nonce: Nonce(7), why }.write();
            let read = Answer::read(&page);
            assert!(matches!(read, Some(Answer::Refused { nonce: Nonce(7), why: same }) if same == why));
        }
        let mut page = Answer::Down { why: Breach::Lost }.write();
        page[1] = Breach::ALL.len() as u8;
        assert!(Answer::read(&page).is_none());
    }

    #[test]
    fn listings_and_notes_arrive_as_far_as_signing_needs_them() {
        for ask in [
            Ask::Note {
                vault: VaultId(3),
                note: Note::Milestone(Milestone { phase: Phase::OptionAuction, ..Milestone::default() }),
            },
            Ask::Note {
                vault: VaultId(3),
                note: Note::Principal(Principal { base: Amount::whole(7), rate: Ratio::from_bps(10_800) }),
            },
            Ask::Listing(Listing::Delisted { id: InstrumentId(9) }),
            Ask::Mark(Mark { instrument: InstrumentId(9), price: Price::from_raw(-3), at: Nanos(u64::MAX) }),
        ] {
            assert_eq!(Ask::read(&ask.write()), Some(ask));
        }
        for name in ["ETH-20261225-3500-C", "ETH-20261225-3500-P", "ETH-PERP"] {
            let Some(Ask::Listing(Listing::Listed { instrument: read, .. })) =
                Ask::read(&Ask::Listing(listed(4, name)).write())
            else {
                panic!("a listing")
            };
            let sent = instrument(4, name);
            assert_eq!((read.id, read.name, read.kind, read.option), (sent.id, sent.name, sent.kind, sent.option));
            assert_eq!((read.asset, read.sub_id, read.base_currency), (sent.asset, sent.sub_id, sent.base_currency));
        }
    }

    proptest! {
        #[test]
        fn deeds_and_signatures_arrive_as_they_were_sent(
            (a, b, c, d) in (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()), (x, y, z) in (any::<i64>(), any::<i64>(), any::<i64>()),
            (vault, one, two, buy) in (any::<u8>(), any::<u16>(), any::<u16>(), any::<bool>()),
            (id, fee, half) in (any::<u128>(), any::<i128>(), any::<[u8; 32]>()),
        ) {
            let side = if buy { Side::Buy } else { Side::Sell };
            let (price, amount) = (Price::from_raw(x), Amount::from_raw(y));
            let terms = OrderTerms { price, amount, max_fee: Price::from_raw(z), side, nonce: Nonce(a), expiry_sec: b };
            let (vault, subaccount, nonce) = (VaultId(vault), SubaccountId(c), Nonce(a));
            for replaces in [None, Some(Replaced { nonce: Nonce(d), filled: amount })] {
                let order = Ask::Order(OrderDeed { vault, subaccount, instrument: InstrumentId(one), replaces, terms });
                prop_assert_eq!(Ask::read(&order.write()), Some(order));
            }
            let leg = |id, side| PricedLeg { leg: Leg { instrument: InstrumentId(id), side, amount }, price };
            let legs = [leg(one, side), leg(two, side.opposite())];
            let package = PackageDeed { vault, subaccount, nonce, quote_id: Uuid(id), legs, max_fee: Cash::from_raw(fee), expires_s: d };
            prop_assert_eq!(Ask::read(&Ask::Package(package).write()), Some(Ask::Package(package)));
            let flow = if buy { Flow::Deposit } else { Flow::Withdrawal };
            let movement = Ask::Movement(MovementDeed { vault, subaccount, nonce, flow, amount: id, expires_s: d });
            prop_assert_eq!(Ask::read(&movement.write()), Some(movement));
            let mut signature = [7; 65];
            signature[..32].copy_from_slice(&half);
            let names = ["ETH-20261225-3500-C", "X"].map(|name| Name::new(name).expect("short"));
            let seal = PackageSeal { names, max_fee: price, signature };
            let Some(Answer::Package { nonce: read, seal: sealed }) = Answer::read(&Answer::Package { nonce, seal }.write()) else {
                return Err(TestCaseError::fail("a seal"));
            };
            prop_assert_eq!((read, sealed), (nonce, seal));
            let Some(Answer::Order { nonce: read, signature: signed }) = Answer::read(&Answer::Order { nonce, signature }.write()) else {
                return Err(TestCaseError::fail("a signature"));
            };
            prop_assert_eq!((read, signed), (nonce, signature));
            let Some(Answer::Movement { nonce: read, signature: signed }) = Answer::read(&Answer::Movement { nonce, signature }.write()) else {
                return Err(TestCaseError::fail("a signature"));
            };
            prop_assert_eq!((read, signed), (nonce, signature));
        }

        #[test]
        fn no_bytes_make_either_side_stumble(ask in proptest::collection::vec(any::<u8>(), ASK_BYTES), kind in 0u8..12) {
            let mut page: [u8; ASK_BYTES] = ask.try_into().expect("that many");
            page[0] = kind;
            let _ = Ask::read(&page);
            let mut answer = [0; ANSWER_BYTES];
            answer.copy_from_slice(&page[..ANSWER_BYTES]);
            let _ = Answer::read(&answer);
        }
    }
}
