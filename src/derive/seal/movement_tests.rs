//! The envelope of capital, and the published vectors of its bytes.

use super::*;
use crate::base::ids::Name;
use crate::base::num::{Cash, Ratio};
use crate::base::time::SEC;
use crate::derive::dialect::{Address, V2_MAINNET};
use crate::derive::seal::Charter;
use crate::derive::seal::envelope::{CapitalFence, FenceLimits, FenceTerms};
use crate::engine::journal::{FloorRecord, Replay};
use alloy_primitives::hex;
use std::cell::RefCell;
use std::rc::Rc;

/// The weETH covered-call vault, its wrapped collateral, and its subaccount in the vectors.
const VAULT: Address = hex!("ec68928bd83B2E52fF5A8e8c215B6ea72879F521");
const WRAPPED: Address = hex!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
const SUB: SubaccountId = SubaccountId(7_777);
const EXPIRES_S: u64 = 1_732_176_600;
const NOW: Nanos = Nanos((EXPIRES_S - 310) * SEC);
const ONE: u128 = 1_000_000_000_000_000_000;

/// Records and digests, in order.
#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<Vec<u8>>>>);

impl Store for Diary {
    fn append(&mut self, record: &[u8]) {
        self.0.borrow_mut().push(record.to_vec());
    }
}

impl Key for Diary {
    fn sign(&mut self, digest: &[u8; 32]) -> [u8; 65] {
        self.0.borrow_mut().push(digest.to_vec());
        let mut signature = [0; 65];
        signature[..32].copy_from_slice(digest);
        signature
    }

    fn address(&self) -> [u8; 20] {
        VAULT // as in the vectors, where owner and signer are one
    }
}

fn capital() -> CapitalFence {
    CapitalFence {
        asset: WRAPPED,
        deposit: V2_MAINNET.modules.deposit,
        withdrawal: Some(V2_MAINNET.modules.withdrawal),
        deposit_max: 2 * ONE,
        withdrawal_max: 3 * ONE,
        withdrawn_per_day_max: 4 * ONE,
    }
}

fn sealer(diary: &Diary, capital: Option<CapitalFence>, past: &Replay) -> Sealer<Diary, Diary> {
    let limits = FenceLimits {
        orders_per_minute_max: 3,
        notional_max: Cash::ONE,
        price_band: Ratio::ONE,
        ..FenceLimits::CLOSED
    };
    let base = Name::new("WEETH").expect("short");
    let fence = FenceTerms { vault: VaultId(0), subaccount: SUB, base, perp: None, options: None, limits, capital };
    let charter = Charter { dialect: &V2_MAINNET, owner: VAULT, fences: vec![fence], past, contract: None };
    Sealer::new(charter, [], diary.clone(), diary.clone())
}

/// What an earlier run left: ten nonces spent.
fn before() -> Replay {
    let mut replay = Replay::default();
    replay.visit(&FloorRecord(Nonce(10)).write());
    replay
}

fn deed(flow: Flow, nonce: u64, amount: u128) -> MovementDeed {
    MovementDeed { vault: VaultId(0), subaccount: SUB, nonce: Nonce(nonce), flow, amount, expires_s: EXPIRES_S }
}

#[test]
fn the_published_withdrawal_digest_is_signed_and_on_record_before() {
    let diary = Diary::default();
    let withdrawal = deed(Flow::Withdrawal, 1_732_176_000_000_004, ONE);
    let signature = sealer(&diary, Some(capital()), &before()).seal_movement(NOW, &withdrawal).expect("sealed");
    assert_eq!(hex::encode(&signature[..32]), "017215d98d2e013b1f13b66510f9f01bcb09d725324a8ea621aba356052503b5");
    let [record, digest] = &diary.0.borrow()[..] else { panic!("a record, then a signature") };
    assert_eq!(digest[..], signature[..32]);
    let record = MovementRecord::read(record).expect("a movement");
    assert_eq!((record.flow, record.amount, record.nonce), (Flow::Withdrawal, ONE, withdrawal.nonce));
    assert_eq!((record.at, record.subaccount, record.expires_s), (NOW, SUB, EXPIRES_S));
}

#[test]
fn nothing_leaves_the_envelope() {
    let refused = |capital: Option<CapitalFence>, at, deed: MovementDeed| {
        let diary = Diary::default();
        let why = sealer(&diary, capital, &before()).seal_movement(at, &deed).expect_err("refused");
        assert!(diary.0.borrow().is_empty(), "nothing is written or signed");
        why
    };
    let may = Some(capital());
    let (into, out) = (deed(Flow::Deposit, 11, ONE), deed(Flow::Withdrawal, 11, ONE));
    assert_eq!(refused(None, NOW, into), Breach::Module, "default: none");
    assert_eq!(refused(Some(CapitalFence { deposit: None, ..capital() }), NOW, into), Breach::Module);
    assert_eq!(refused(Some(CapitalFence { withdrawal: None, ..capital() }), NOW, out), Breach::Module);
    assert_eq!(refused(may, NOW, MovementDeed { subaccount: SubaccountId(1), ..out }), Breach::Subaccount);
    assert_eq!(refused(may, NOW, MovementDeed { nonce: Nonce(10), ..out }), Breach::Nonce);
    assert_eq!(refused(may, NOW, MovementDeed { amount: 0, ..out }), Breach::Range);
    assert_eq!(refused(may, NOW, MovementDeed { amount: 2 * ONE + 1, ..into }), Breach::Notional);
    assert_eq!(refused(may, NOW, MovementDeed { amount: 3 * ONE + 1, ..out }), Breach::Notional);
    assert_eq!(refused(may, NOW, MovementDeed { amount: u128::MAX, ..out }), Breach::Notional);
    assert_eq!(refused(may, Nanos(EXPIRES_S * SEC), out), Breach::Life);
    assert_eq!(refused(may, Nanos((EXPIRES_S - 600) * SEC - 1), out), Breach::Life);
}

#[test]
fn a_day_holds_so_much_and_a_restart_buys_no_new_day() {
    let diary = Diary::default();
    let mut first = sealer(&diary, Some(capital()), &before());
    assert!(first.seal_movement(NOW, &deed(Flow::Withdrawal, 11, 3 * ONE)).is_ok());
    assert_eq!(first.seal_movement(NOW, &deed(Flow::Withdrawal, 12, ONE + 1)), Err(Breach::Day));
    assert!(first.seal_movement(NOW, &deed(Flow::Deposit, 13, ONE)).is_ok(), "deposits are not withdrawn");
    let mut replay = Replay::default();
    diary.0.borrow().iter().filter(|record| record.len() == 64).for_each(|record| replay.visit(record));
    assert_eq!(replay.floor(), Nonce(13));
    let mut second = sealer(&diary, Some(capital()), &replay);
    assert_eq!(second.seal_movement(NOW, &deed(Flow::Withdrawal, 14, ONE + 1)), Err(Breach::Day));
    assert!(second.seal_movement(NOW, &deed(Flow::Withdrawal, 15, ONE)).is_ok());
    // Three signatures in a minute are all this fence gives.
    assert_eq!(second.seal_movement(NOW, &deed(Flow::Deposit, 16, ONE)), Err(Breach::Pace));
}
