//! Any terms of an order or an execution: the prebuilt preimages that are signed from hash to what the plain encoder makes
//! of the same terms, whatever was signed before them.
#![no_main]

use keel::base::ids::{Nonce, Side, SubaccountId};
use keel::base::num::{Amount, Price};
use keel::derive::action::Envelope;
use keel::derive::action::rfq::{ExecutionTemplate, ExecutionTerms, Leg, TakenLeg, execute_data};
use keel::derive::action::scale::Decimal18;
use keel::derive::action::trade::{OrderFrame, OrderTemplate, OrderTerms, Trade};
use keel::derive::dialect::{Address, LOCAL};
use libfuzzer_sys::fuzz_target;

/// Takes numbers out of the input; zeros once it is used up.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let length = N.min(self.0.len());
        out[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        out
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// Not negative: no envelope lets another amount or fee pass.
    fn positive(&mut self) -> i64 {
        (self.u64() >> 1) as i64
    }

    fn side(&mut self) -> Side {
        if self.take() == [0] { Side::Sell } else { Side::Buy }
    }
}

fn envelope(frame: &OrderFrame, module: Address, nonce: Nonce, expiry_sec: u64) -> Envelope {
    Envelope { subaccount: frame.subaccount, nonce, module, expiry_sec, owner: frame.owner, signer: frame.signer }
}

fn order(source: &mut Source<'_>, frame: &OrderFrame, template: &mut OrderTemplate) {
    let terms = OrderTerms {
        price: Price::from_raw(source.u64() as i64),
        amount: Amount::from_raw(source.positive()),
        max_fee: Price::from_raw(source.positive()),
        side: source.side(),
        nonce: Nonce(source.u64()),
        expiry_sec: source.u64(),
    };
    let trade = Trade {
        asset: frame.asset,
        sub_id: frame.sub_id,
        limit_price: terms.price.into(),
        amount: terms.amount.into(),
        max_fee: terms.max_fee.into(),
        recipient: frame.subaccount,
        side: terms.side,
    };
    let data = trade.data().expect("nothing negative");
    let plain = envelope(frame, LOCAL.modules.trade, terms.nonce, terms.expiry_sec);
    assert_eq!(template.digest(&terms), plain.digest(&LOCAL.domain_separator, &data), "{terms:?}");
}

fn execution(source: &mut Source<'_>, frame: &OrderFrame, template: &mut ExecutionTemplate) {
    let legs = std::array::from_fn(|_| TakenLeg {
        asset: source.take(),
        sub_id: u128::from_le_bytes(source.take()),
        price: Price::from_raw(source.positive()),
        amount: Amount::from_raw(source.positive()),
        side: source.side(),
    });
    let max_fee = Price::from_raw(source.positive());
    let terms = ExecutionTerms { legs, max_fee, nonce: Nonce(source.u64()), expiry_sec: source.u64() };
    let names: [[u8; 1]; 2] = [*b"A", *b"B"];
    let legs: Vec<Leg<'_>> = names
        .iter()
        .zip(&terms.legs)
        .map(|(name, leg)| Leg {
            instrument: name,
            asset: leg.asset,
            sub_id: leg.sub_id,
            price: leg.price.into(),
            amount: leg.amount.into(),
            side: leg.side,
        })
        .collect();
    let data = execute_data(&legs, Side::Buy, Decimal18::from(max_fee)).expect("nothing negative");
    let plain = envelope(frame, LOCAL.modules.rfq, terms.nonce, terms.expiry_sec);
    assert_eq!(template.digest(&terms), plain.digest(&LOCAL.domain_separator, &data), "{terms:?}");
}

fuzz_target!(|input: &[u8]| {
    let mut source = Source(input);
    let frame = OrderFrame {
        asset: source.take(),
        sub_id: u128::from_le_bytes(source.take()),
        subaccount: SubaccountId(source.u64()),
        owner: source.take(),
        signer: source.take(),
    };
    let mut orders = OrderTemplate::new(&LOCAL, &frame);
    let mut executions = ExecutionTemplate::new(&LOCAL, frame.subaccount, &frame.owner, &frame.signer);
    for _ in 0..4 {
        match source.take() {
            [0..128] => order(&mut source, &frame, &mut orders),
            _ => execution(&mut source, &frame, &mut executions),
        }
    }
});
