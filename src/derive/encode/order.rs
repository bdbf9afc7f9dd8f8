//! The hot requests: order, replace and cancel-by-nonce as prebuilt text whose slots are overwritten.

use super::text::{Text, encode_hex};
use super::{EncodeError, nonce_quote};
use crate::base::ids::{Nonce, Side, SubaccountId, Uuid};
use crate::base::num::Amount;
use crate::derive::action::trade::OrderTerms;
use crate::derive::dialect::{Address, NonceUnit};
use crate::derive::request_id::RequestKind;
use crate::msg::TimeInForce;

/// Room for a whole request: the longest head is below 620 bytes, the longest tail below 340.
const ROOM: usize = 1024;
pub(super) const SECONDS_RANGE: std::ops::RangeInclusive<u64> = 1_000_000_000..=9_999_999_999;
const MILLIS_RANGE: std::ops::RangeInclusive<u64> = 1_000_000_000_000..=9_999_999_999_999;

/// What all orders of a session have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderForm {
    /// Address said to have signed: the session key, or the contract that owns the account (v2).
    pub signer: Address,
    /// Unit of nonces; v2 writes them as numbers.
    pub nonces: NonceUnit,
    /// The owner's contract approves each fill inside its settlement (v2).
    pub atomic: bool,
}

impl OrderForm {
    /// Orders of a session key on v3.
    pub const fn v3(signer: Address) -> OrderForm {
        OrderForm { signer, nonces: NonceUnit::Nanos, atomic: false }
    }

    const fn quote(&self) -> &'static [u8] {
        nonce_quote(self.nonces)
    }
}

/// A signed order, as it goes into a request.
#[derive(Clone, Copy, Debug)]
pub struct OrderWire<'a> {
    /// What was signed.
    pub terms: OrderTerms,
    /// Life.
    pub tif: TimeInForce,
    /// Counts towards market-maker protection, and is cancelled on disconnect.
    pub mmp: bool,
    /// Only reduces a position.
    pub reduce_only: bool,
    /// The venue refuses the order if it reaches the book later than this, unix ms (Derive 11022).
    pub reject_after_ms: u64,
    /// `r ‖ s ‖ v`.
    pub signature: &'a [u8; 65],
}

/// The order a replace takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// By its nonce: needs no answer to its placing.
    Nonce(Nonce),
    /// By its venue id.
    OrderId(Uuid),
}

/// Where the fixed-width slots of a head begin.
#[derive(Clone, Copy, Debug)]
struct Slots {
    id: usize,
    nonce: usize,
    label: usize,
    signature: usize,
    expiry: usize,
    reject: usize,
}

/// Prebuilt text of `private/order` or `private/replace` for one (subaccount, instrument, signer).
///
/// Everything of fixed width lies in the head and is overwritten in place; the tail is written anew.
#[derive(Clone, Debug)]
struct OrderText {
    form: OrderForm,
    buffer: [u8; ROOM],
    head: usize,
    slots: Slots,
}

impl OrderText {
    fn new(
        kind: RequestKind,
        subaccount: SubaccountId,
        instrument: &str,
        form: &OrderForm,
    ) -> Result<OrderText, EncodeError> {
        let digits = form.nonces.digits();
        let mut buffer = [0; ROOM];
        let mut text = Text::new(&mut buffer);
        text.raw(b"{\"id\":\"").raw(&[kind.letter()]);
        let id = slot(&mut text, digits);
        text.raw(b"\",\"method\":\"").raw(kind.method().as_bytes());
        text.raw(b"\",\"params\":{\"subaccount_id\":").int(subaccount.0);
        text.raw(b",\"instrument_name\":\"").name(instrument.as_bytes());
        text.raw(b"\",\"signer\":\"").address(&form.signer);
        text.raw(b"\",\"order_type\":\"limit\",\"nonce\":").raw(form.quote());
        let nonce = slot(&mut text, digits);
        text.raw(form.quote());
        if form.atomic {
            text.raw(b",\"is_atomic_signing\":true");
        }
        text.raw(b",\"label\":\"");
        let label = slot(&mut text, digits);
        text.raw(b"\",\"signature\":\"0x");
        let signature = slot(&mut text, 130);
        text.raw(b"\",\"signature_expiry_sec\":");
        let expiry = slot(&mut text, 10);
        text.raw(b",\"reject_timestamp\":");
        let reject = slot(&mut text, 13);
        let head = text.finish()?.len();
        let slots = Slots { id, nonce, label, signature, expiry, reject };
        Ok(OrderText { form: *form, buffer, head, slots })
    }

    /// Overwrites the head's slots and writes the common tail.
    fn fill(&mut self, order: &OrderWire<'_>) -> Result<Text<'_>, EncodeError> {
        let terms = &order.terms;
        if terms.price.is_negative() || terms.amount.is_negative() || terms.max_fee.is_negative() {
            return Err(EncodeError::Negative);
        }
        let mut digits = itoa::Buffer::new();
        let nonce = within(terms.nonce.0, self.form.nonces.range(), EncodeError::Nonce, &mut digits)?;
        for at in [self.slots.id, self.slots.nonce, self.slots.label] {
            self.buffer[at..at + nonce.len()].copy_from_slice(nonce);
        }
        let at = self.slots.signature;
        encode_hex(order.signature, &mut self.buffer[at..at + 130]);
        let at = self.slots.expiry;
        let expiry = within(terms.expiry_sec, SECONDS_RANGE, EncodeError::Time, &mut digits)?;
        self.buffer[at..at + 10].copy_from_slice(expiry);
        let at = self.slots.reject;
        let reject = within(order.reject_after_ms, MILLIS_RANGE, EncodeError::Time, &mut digits)?;
        self.buffer[at..at + 13].copy_from_slice(reject);
        let mut text = Text::at(&mut self.buffer, self.head);
        text.raw(match terms.side {
            Side::Buy => b",\"direction\":\"buy\",\"time_in_force\":\"",
            Side::Sell => b",\"direction\":\"sell\",\"time_in_force\":\"",
        });
        text.raw(tif_text(order.tif)).raw(b",\"mmp\":").flag(order.mmp);
        text.raw(b",\"reduce_only\":").flag(order.reduce_only);
        text.raw(b",\"amount\":\"").decimal(terms.amount.raw());
        text.raw(b"\",\"limit_price\":\"").decimal(terms.price.raw());
        text.raw(b"\",\"max_fee\":\"").decimal(terms.max_fee.raw());
        Ok(text)
    }
}

/// The rest of the time-in-force string. A post-only order that would cross is to be refused, not repriced.
const fn tif_text(tif: TimeInForce) -> &'static [u8] {
    match tif {
        TimeInForce::Gtc => b"gtc\"",
        TimeInForce::PostOnly => b"post_only\",\"reject_post_only\":true",
        TimeInForce::Ioc => b"ioc\"",
        TimeInForce::Fok => b"fok\"",
    }
}

fn slot(text: &mut Text<'_>, width: usize) -> usize {
    let at = text.len();
    text.raw(&[b'0'; 130][..width]);
    at
}

fn within(
    value: u64,
    range: std::ops::RangeInclusive<u64>,
    error: EncodeError,
    digits: &mut itoa::Buffer,
) -> Result<&[u8], EncodeError> {
    if range.contains(&value) { Ok(digits.format(value).as_bytes()) } else { Err(error) }
}

/// The three hot requests of one (subaccount, instrument, signer).
#[derive(Clone, Debug)]
pub struct OrderRequests {
    order: OrderText,
    replace: OrderText,
    form: OrderForm,
    cancel: [u8; 384],
    cancel_len: usize,
    cancel_slots: [usize; 2],
}

impl OrderRequests {
    /// Lays out the text that stays. Refuses an instrument name that would need escaping.
    pub fn new(subaccount: SubaccountId, instrument: &str, form: &OrderForm) -> Result<OrderRequests, EncodeError> {
        let order = OrderText::new(RequestKind::Order, subaccount, instrument, form)?;
        let replace = OrderText::new(RequestKind::Replace, subaccount, instrument, form)?;
        let digits = form.nonces.digits();
        let mut cancel = [0; 384];
        let mut text = Text::new(&mut cancel);
        text.raw(b"{\"id\":\"").raw(&[RequestKind::CancelByNonce.letter()]);
        let id = slot(&mut text, digits);
        text.raw(b"\",\"method\":\"private/cancel_by_nonce\",\"params\":{\"subaccount_id\":").int(subaccount.0);
        text.raw(b",\"instrument_name\":\"").name(instrument.as_bytes()).raw(b"\",\"nonce\":").raw(form.quote());
        let nonce = slot(&mut text, digits);
        text.raw(form.quote()).raw(b"}}");
        let cancel_len = text.finish()?.len();
        Ok(OrderRequests { order, replace, form: *form, cancel, cancel_len, cancel_slots: [id, nonce] })
    }

    /// `private/order`.
    pub fn order(&mut self, order: &OrderWire<'_>) -> Result<&[u8], EncodeError> {
        let mut text = self.order.fill(order)?;
        text.raw(b"\"}}");
        text.finish()
    }

    /// `private/replace`: refused by the venue if the old order has filled something other than `filled` (11028).
    pub fn replace(
        &mut self,
        order: &OrderWire<'_>,
        old: Replaced,
        filled: Option<Amount>,
    ) -> Result<&[u8], EncodeError> {
        let quote = self.form.quote();
        let mut text = self.replace.fill(order)?;
        match old {
            Replaced::Nonce(nonce) => text.raw(b"\",\"nonce_to_cancel\":").raw(quote).int(nonce.0).raw(quote),
            Replaced::OrderId(id) => text.raw(b"\",\"order_id_to_cancel\":\"").uuid(id).raw(b"\""),
        };
        if let Some(filled) = filled {
            text.raw(b",\"expected_filled_amount\":\"").decimal(filled.raw()).raw(b"\"");
        }
        text.raw(b"}}");
        text.finish()
    }

    /// `private/cancel_by_nonce`.
    pub fn cancel(&mut self, nonce: Nonce) -> Result<&[u8], EncodeError> {
        let mut digits = itoa::Buffer::new();
        let nonce = within(nonce.0, self.form.nonces.range(), EncodeError::Nonce, &mut digits)?;
        for at in self.cancel_slots {
            self.cancel[at..at + nonce.len()].copy_from_slice(nonce);
        }
        Ok(&self.cancel[..self.cancel_len])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::base::num::Price;

    const SIGNER: Address = [0xa7; 20];

    fn requests() -> OrderRequests {
        OrderRequests::new(SubaccountId(75_723), "ETH-20270625-6000-P", &OrderForm::v3(SIGNER)).expect("plain")
    }

    fn terms() -> OrderTerms {
        OrderTerms {
            price: "2568.89".parse().expect("price"),
            amount: "0.1".parse().expect("amount"),
            max_fee: Price::whole(1000),
            side: Side::Sell,
            nonce: Nonce(1_763_683_200_000_000_001),
            expiry_sec: 1_763_683_800,
        }
    }

    fn wire(signature: &[u8; 65]) -> OrderWire<'_> {
        OrderWire {
            terms: terms(),
            tif: TimeInForce::PostOnly,
            mmp: true,
            reduce_only: false,
            reject_after_ms: 1_763_683_205_000,
            signature,
        }
    }

    fn read(text: &[u8]) -> Value {
        serde_json::from_slice(text).expect("json")
    }

    fn expected(order: &OrderWire<'_>, tif: &str) -> Value {
        let nonce = order.terms.nonce.0.to_string();
        json!({
            "subaccount_id": 75_723, "instrument_name": "ETH-20270625-6000-P",
            "signer": format!("0x{}", "a7".repeat(20)), "order_type": "limit", "nonce": nonce, "label": nonce,
            "signature": format!("0x{}", alloy_primitives::hex::encode(order.signature)),
            "signature_expiry_sec": order.terms.expiry_sec, "reject_timestamp": order.reject_after_ms,
            "direction": order.terms.side.wire(), "time_in_force": tif, "mmp": order.mmp,
            "reduce_only": order.reduce_only, "amount": order.terms.amount.to_string(),
            "limit_price": order.terms.price.to_string(), "max_fee": order.terms.max_fee.to_string(),
        })
    }

    #[test]
    fn an_order_reads_as_the_venue_wants_it() {
        let signature = [0x5a; 65];
        let mut requests = requests();
        let order = wire(&signature);
        let mut params = expected(&order, "post_only");
        params["reject_post_only"] = json!(true);
        let want = json!({"id": "o1763683200000000001", "method": "private/order", "params": params});
        assert_eq!(read(requests.order(&order).expect("fits")), want);
        let ioc = OrderWire { tif: TimeInForce::Ioc, mmp: false, reduce_only: true, ..order };
        assert_eq!(read(requests.order(&ioc).expect("fits"))["params"], expected(&ioc, "ioc"));
    }

    #[test]
    fn a_replace_names_the_old_order_either_way() {
        let signature = [1; 65];
        let mut requests = requests();
        let order = wire(&signature);
        let by_nonce = requests.replace(&order, Replaced::Nonce(Nonce(17)), Some(Amount::ZERO)).expect("fits");
        let value = read(by_nonce);
        assert_eq!(value["id"], "r1763683200000000001");
        assert_eq!(value["method"], "private/replace");
        assert_eq!(value["params"]["nonce_to_cancel"], "17");
        assert_eq!(value["params"]["expected_filled_amount"], "0");
        let id = Uuid(0x6a6e_ed97_b882_4909_a7ac_566f_e995_77e1);
        let value = read(requests.replace(&order, Replaced::OrderId(id), None).expect("fits"));
        assert_eq!(value["params"]["order_id_to_cancel"], "6a6eed97-b882-4909-a7ac-566fe99577e1");
        assert_eq!(value["params"]["nonce_to_cancel"], Value::Null);
        assert_eq!(value["params"]["expected_filled_amount"], Value::Null);
    }

    #[test]
    fn a_cancel_names_nonce_and_instrument() {
        let want = json!({
            "id": "c1763683200000000001", "method": "private/cancel_by_nonce",
            "params": {"subaccount_id": 75_723, "instrument_name": "ETH-20270625-6000-P", "nonce": "1763683200000000001"}
        });
        assert_eq!(read(requests().cancel(terms().nonce).expect("fits")), want);
    }

    #[test]
    fn v2_writes_nonces_as_numbers_and_names_the_contract() {
        let nonce = 1_763_683_200_000_123_u64;
        let form = OrderForm { signer: SIGNER, nonces: NonceUnit::MillisAndThreeDigits, atomic: true };
        let mut requests = OrderRequests::new(SubaccountId(7), "ETH-PERP", &form).expect("plain");
        let signature = [1; 65];
        let mut order = wire(&signature);
        assert_eq!(requests.order(&order).map(<[u8]>::len), Err(EncodeError::Nonce), "nineteen digits are v3's");
        order.terms.nonce = Nonce(nonce);
        let value = read(requests.order(&order).expect("fits"));
        assert_eq!(value["id"], format!("o{nonce}"));
        let params = &value["params"];
        assert_eq!((&params["nonce"], &params["label"]), (&json!(nonce), &json!(nonce.to_string())));
        assert_eq!(
            (&params["is_atomic_signing"], &params["signer"]),
            (&json!(true), &json!(format!("0x{}", "a7".repeat(20))))
        );
        let replaced = requests.replace(&order, Replaced::Nonce(Nonce(nonce - 1)), Some(Amount::ZERO)).expect("fits");
        assert_eq!(read(replaced)["params"]["nonce_to_cancel"], json!(nonce - 1));
        assert_eq!(read(requests.cancel(Nonce(nonce)).expect("fits"))["params"]["nonce"], json!(nonce));
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let signature = [1; 65];
        let mut requests = requests();
        let order = wire(&signature);
        let with = |change: fn(&mut OrderWire<'_>)| {
            let mut order = order;
            change(&mut order);
            order
        };
        for (bad, want) in [
            (with(|o| o.terms.nonce = Nonce(1_763_683_200_000)), EncodeError::Nonce),
            (with(|o| o.terms.nonce = Nonce(u64::MAX)), EncodeError::Nonce),
            (with(|o| o.terms.expiry_sec = 1_763_683_800_000), EncodeError::Time),
            (with(|o| o.reject_after_ms = 1_763_683_205), EncodeError::Time),
            (with(|o| o.terms.price = Price::from_raw(-1)), EncodeError::Negative),
        ] {
            assert_eq!(requests.order(&bad).map(<[u8]>::len), Err(want));
        }
        assert_eq!(requests.cancel(Nonce(5)).map(<[u8]>::len), Err(EncodeError::Nonce));
        let quoted = OrderRequests::new(SubaccountId(1), "ETH\"PERP", &OrderForm::v3(SIGNER));
        assert_eq!(quoted.map(|_| ()), Err(EncodeError::Text));
    }

    proptest! {
        #[test]
        fn no_order_leaves_traces_in_the_next(
            (price, amount, fee) in (0i64..=i64::MAX, 0i64..=i64::MAX, 0i64..=i64::MAX),
            (buy, mmp, reduce_only) in (any::<bool>(), any::<bool>(), any::<bool>()),
            (nonce, expiry_sec, reject_after_ms) in (NonceUnit::Nanos.range(), SECONDS_RANGE, MILLIS_RANGE),
            signature in proptest::collection::vec(any::<u8>(), 65),
        ) {
            let signature: [u8; 65] = signature.try_into().expect("65");
            let mut requests = requests();
            requests.order(&wire(&[0xff; 65])).expect("fits");
            let side = if buy { Side::Buy } else { Side::Sell };
            let terms = OrderTerms {
                price: Price::from_raw(price), amount: Amount::from_raw(amount), max_fee: Price::from_raw(fee),
                side, nonce: Nonce(nonce), expiry_sec,
            };
            let order = OrderWire { terms, tif: TimeInForce::Gtc, mmp, reduce_only, reject_after_ms, signature: &signature };
            prop_assert_eq!(&read(requests.order(&order).expect("fits"))["params"], &expected(&order, "gtc"));
            let longest = Replaced::OrderId(Uuid(u128::MAX));
            prop_assert!(requests.replace(&order, longest, Some(terms.amount)).is_ok());
        }
    }
}
