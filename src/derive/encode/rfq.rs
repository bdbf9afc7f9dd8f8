//! The taker's side of quotes: ask, withdraw, poll and execute.

use super::order::SECONDS_RANGE;
use super::request::Params;
use super::text::Text;
use super::{EncodeError, nonce_quote};
use crate::base::ids::{Name, Nonce, Side, SubaccountId, Uuid};
use crate::base::num::{Amount, Price, Ratio};
use crate::derive::dialect::{Address, NonceUnit};
use crate::derive::request_id::RequestKind;
use crate::msg::LEGS;

/// Quotes asked for at once: the venue's largest page.
pub const QUOTES_PER_PAGE: u64 = 1000;

/// One leg of a package, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegText {
    /// Instrument.
    pub name: Name,
    /// Side within the package.
    pub side: Side,
    /// Amount, positive.
    pub amount: Amount,
}

fn leg(text: &mut Text<'_>, leg: &LegText) {
    if leg.amount.is_negative() {
        text.fail(EncodeError::Negative);
    }
    text.raw(b"{\"instrument_name\":\"").name(leg.name.as_bytes());
    text.raw(b"\",\"amount\":\"").decimal(leg.amount.raw());
    text.raw(b"\",\"direction\":\"").raw(leg.side.wire().as_bytes()).raw(b"\"");
}

fn nonce(nonce: Nonce, unit: NonceUnit) -> Result<u64, EncodeError> {
    if unit.range().contains(&nonce.0) { Ok(nonce.0) } else { Err(EncodeError::Nonce) }
}

/// `private/send_rfq`: our name for the RFQ is its label and the number of the request's id.
pub fn send_rfq<'o>(
    out: &'o mut [u8],
    (name, unit): (Nonce, NonceUnit),
    subaccount: SubaccountId,
    legs: &[LegText; LEGS],
    partial_fill_step: Ratio,
) -> Result<&'o [u8], EncodeError> {
    let name = nonce(name, unit)?;
    let mut params = Params::open(out, RequestKind::SendRfq, name).int("subaccount_id", subaccount.0);
    let text = params.key("legs").raw(b"[");
    leg(text, &legs[0]);
    leg(text.raw(b"},"), &legs[1]);
    text.raw(b"}]");
    params.key("label").raw(b"\"").int(name).raw(b"\"");
    params.decimal("partial_fill_step", partial_fill_step.raw()).close()
}

/// `private/cancel_rfq`: its quotes go with it. The id bears our name for the RFQ, zero if it has none.
pub fn cancel_rfq(out: &mut [u8], name: Nonce, subaccount: SubaccountId, rfq_id: Uuid) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::CancelRfq, name.0).int("subaccount_id", subaccount.0).uuid("rfq_id", rfq_id).close()
}

/// `private/cancel_batch_rfqs`: every open RFQ of a subaccount.
pub fn cancel_rfqs(out: &mut [u8], seq: u64, subaccount: SubaccountId) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::CancelRfqs, seq).int("subaccount_id", subaccount.0).close()
}

/// `private/poll_quotes`: the open quotes of one RFQ.
pub fn poll_quotes(out: &mut [u8], seq: u64, subaccount: SubaccountId, rfq_id: Uuid) -> Result<&[u8], EncodeError> {
    Params::open(out, RequestKind::PollQuotes, seq)
        .int("subaccount_id", subaccount.0)
        .uuid("rfq_id", rfq_id)
        .name("status", "open")
        .int("page", 1)
        .int("page_size", QUOTES_PER_PAGE)
        .close()
}

/// A signed execution, as it goes into a request. Packages are always bought.
#[derive(Clone, Copy, Debug)]
pub struct ExecutionWire<'a> {
    /// Subaccount that buys.
    pub subaccount: SubaccountId,
    /// The RFQ.
    pub rfq_id: Uuid,
    /// The quote.
    pub quote_id: Uuid,
    /// Its legs with their prices, exactly as quoted.
    pub legs: [(LegText, Price); LEGS],
    /// Most that may be charged for the whole package, USD.
    pub max_fee: Price,
    /// Venue nonce; also the label, which the fills carry.
    pub nonce: Nonce,
    /// Unit of nonces; v2 writes them as numbers.
    pub nonces: NonceUnit,
    /// Signature expiry, unix seconds.
    pub expiry_sec: u64,
    /// Key that signed.
    pub signer: &'a Address,
    /// `r ‖ s ‖ v`.
    pub signature: &'a [u8; 65],
}

/// `private/execute_quote`, without the venue's own price check: ours is stricter.
pub fn execute_quote<'o>(out: &'o mut [u8], wire: &ExecutionWire<'_>) -> Result<&'o [u8], EncodeError> {
    let nonce = nonce(wire.nonce, wire.nonces)?;
    if !SECONDS_RANGE.contains(&wire.expiry_sec) {
        return Err(EncodeError::Time);
    }
    if wire.max_fee.is_negative() || wire.legs.iter().any(|(_, price)| price.is_negative()) {
        return Err(EncodeError::Negative);
    }
    let mut params = Params::open(out, RequestKind::ExecuteQuote, nonce)
        .int("subaccount_id", wire.subaccount.0)
        .uuid("rfq_id", wire.rfq_id)
        .uuid("quote_id", wire.quote_id)
        .name("direction", Side::Buy.wire());
    let text = params.key("legs").raw(b"[");
    for (place, (named, price)) in wire.legs.iter().enumerate() {
        leg(text.raw(if place == 0 { b"" } else { b"," }), named);
        text.raw(b",\"price\":\"").decimal(price.raw()).raw(b"\"}");
    }
    text.raw(b"]");
    params = params.decimal("max_fee", wire.max_fee.raw());
    params.key("label").raw(b"\"").int(nonce).raw(b"\"");
    let quote = nonce_quote(wire.nonces);
    params.key("nonce").raw(quote).int(nonce).raw(quote);
    params = params.address("signer", wire.signer);
    params.key("signature").raw(b"\"").signature(wire.signature).raw(b"\"");
    params.int("signature_expiry_sec", wire.expiry_sec).close()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6a6eed97-b882-4909-a7ac-566fe99577e1";
    const NAME: Nonce = Nonce(1_763_683_200_000_000_001);

    fn uuid(text: &str) -> Uuid {
        Uuid::parse(text.as_bytes()).expect("uuid")
    }

    fn legs() -> [LegText; LEGS] {
        [("ETH-20261225-3500-C", Side::Sell), ("ETH-20261225-4000-C", Side::Buy)].map(|(name, side)| LegText {
            name: Name::new(name).expect("short"),
            side,
            amount: "10.5".parse().expect("amount"),
        })
    }

    fn wire<'a>(signer: &'a Address, signature: &'a [u8; 65]) -> ExecutionWire<'a> {
        let prices = ["120.5", "45.2"].map(|text| text.parse().expect("price"));
        ExecutionWire {
            subaccount: SubaccountId(42),
            rfq_id: uuid(ID),
            quote_id: Uuid(1),
            legs: [(legs()[0], prices[0]), (legs()[1], prices[1])],
            max_fee: "3.5".parse().expect("fee"),
            nonce: NAME,
            nonces: NonceUnit::Nanos,
            expiry_sec: 1_763_683_900,
            signer,
            signature,
        }
    }

    fn text(written: Result<&[u8], EncodeError>) -> String {
        String::from_utf8(written.expect("written").to_vec()).expect("ascii")
    }

    #[test]
    fn every_request_is_the_golden_text() {
        let mut out = [0; 2048];
        let legs_text = r#"[{"instrument_name":"ETH-20261225-3500-C","amount":"10.5","direction":"sell"},{"instrument_name":"ETH-20261225-4000-C","amount":"10.5","direction":"buy"}]"#;
        assert_eq!(
            text(send_rfq(&mut out, (NAME, NonceUnit::Nanos), SubaccountId(42), &legs(), Ratio::from_raw(250_000_000))),
            format!(
                r#"{{"id":"f1763683200000000001","method":"private/send_rfq","params":{{"subaccount_id":42,"legs":{legs_text},"label":"1763683200000000001","partial_fill_step":"0.25"}}}}"#
            )
        );
        assert_eq!(
            text(cancel_rfq(&mut out, NAME, SubaccountId(42), uuid(ID))),
            format!(
                r#"{{"id":"n1763683200000000001","method":"private/cancel_rfq","params":{{"subaccount_id":42,"rfq_id":"{ID}"}}}}"#
            )
        );
        assert_eq!(
            text(cancel_rfqs(&mut out, 9, SubaccountId(42))),
            r#"{"id":"k9","method":"private/cancel_batch_rfqs","params":{"subaccount_id":42}}"#
        );
        assert_eq!(
            text(poll_quotes(&mut out, 9, SubaccountId(42), uuid(ID))),
            format!(
                r#"{{"id":"v9","method":"private/poll_quotes","params":{{"subaccount_id":42,"rfq_id":"{ID}","status":"open","page":1,"page_size":1000}}}}"#
            )
        );
    }

    #[test]
    fn an_execution_repeats_the_quotes_legs_with_their_prices() {
        let mut out = [0; 2048];
        let (signer, signature) = ([0x11; 20], [0x22; 65]);
        let legs_text = r#"[{"instrument_name":"ETH-20261225-3500-C","amount":"10.5","direction":"sell","price":"120.5"},{"instrument_name":"ETH-20261225-4000-C","amount":"10.5","direction":"buy","price":"45.2"}]"#;
        let (key, proof) = ("11".repeat(20), "22".repeat(65));
        assert_eq!(
            text(execute_quote(&mut out, &wire(&signer, &signature))),
            format!(
                r#"{{"id":"e1763683200000000001","method":"private/execute_quote","params":{{"subaccount_id":42,"rfq_id":"{ID}","quote_id":"00000000-0000-0000-0000-000000000001","direction":"buy","legs":{legs_text},"max_fee":"3.5","label":"1763683200000000001","nonce":"1763683200000000001","signer":"0x{key}","signature":"0x{proof}","signature_expiry_sec":1763683900}}}}"#
            )
        );
    }

    #[test]
    fn v2_writes_the_nonce_of_an_execution_as_a_number() {
        let mut out = [0; 2048];
        let (signer, signature) = ([0x11; 20], [0x22; 65]);
        let unit = NonceUnit::MillisAndThreeDigits;
        let wire = ExecutionWire { nonce: Nonce(1_763_683_200_000_123), nonces: unit, ..wire(&signer, &signature) };
        let written = text(execute_quote(&mut out, &wire)).to_owned();
        assert!(written.contains(r#","label":"1763683200000123","nonce":1763683200000123,"signer":"#), "{written}");
        let asked = send_rfq(&mut out, (wire.nonce, unit), SubaccountId(42), &legs(), Ratio::ONE);
        assert!(text(asked).starts_with(r#"{"id":"f1763683200000123","#));
    }

    #[test]
    fn what_the_venue_would_refuse_is_not_written() {
        let mut out = [0; 2048];
        let (signer, signature) = ([0x11; 20], [0x22; 65]);
        let good = wire(&signer, &signature);
        for (wire, why) in [
            (ExecutionWire { nonce: Nonce(5), ..good }, EncodeError::Nonce),
            (ExecutionWire { expiry_sec: 5, ..good }, EncodeError::Time),
            (ExecutionWire { max_fee: Price::from_raw(-1), ..good }, EncodeError::Negative),
        ] {
            assert_eq!(execute_quote(&mut out, &wire), Err(why));
        }
        let mut negative = legs();
        negative[1].amount = Amount::from_raw(-1);
        let step = Ratio::ONE;
        assert_eq!(
            send_rfq(&mut out, (NAME, NonceUnit::Nanos), SubaccountId(42), &negative, step),
            Err(EncodeError::Negative)
        );
        assert_eq!(
            send_rfq(&mut out, (Nonce(5), NonceUnit::Nanos), SubaccountId(42), &legs(), step),
            Err(EncodeError::Nonce)
        );
        assert_eq!(
            send_rfq(&mut [0; 64], (NAME, NonceUnit::Nanos), SubaccountId(42), &legs(), step),
            Err(EncodeError::Full)
        );
        let mut unnamed = legs();
        unnamed[0].name = Name::default();
        assert_eq!(
            send_rfq(&mut out, (NAME, NonceUnit::Nanos), SubaccountId(42), &unnamed, step),
            Err(EncodeError::Text)
        );
    }
}
