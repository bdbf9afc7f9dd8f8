//! Hostile frames: refused by reason, never a panic, and both readers agree on everything else.

mod derive_frames;

use derive_frames::*;
use keel::derive::decode::{ExternalDecoder, FRAME_MAX, Heard, Malformed};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn hostile_frames_are_refused_by_reason() {
    let swap = |frame: &str, from: &str, to: &str| {
        assert!(frame.contains(from), "{from}");
        refusal(&frame.replacen(from, to, 1))
    };
    let ticker = ticker();
    for (from, to, why) in [
        (r#""b":"1992.36""#, r#""b":"1992.38""#, Malformed::Crossed),
        (r#""minp":"1953.45""#, r#""minp":"9999""#, Malformed::Crossed),
        (r#""b":"1992.36""#, r#""b":"-1""#, Malformed::Range),
        (r#""I":"1991.79""#, r#""I":"0""#, Malformed::Range),
        (r#""b":"1992.36""#, r#""b":1992.36"#, Malformed::Shape),
        (r#""b":"1992.36""#, r#""b":"1e3""#, Malformed::Number),
        (r#""b":"1992.36""#, r#""b":"0.0000000001""#, Malformed::Number),
        (r#""b":"1992.36""#, r#""b":"1000000000000000000000000000000000000000""#, Malformed::Number),
        (r#""b":"1992.36","#, "", Malformed::Missing),
        (r#""b":"1992.36","#, r#""b":"1992.36","b":"1992.36","#, Malformed::Duplicate),
        (r#""t":1763683200000"#, r#""t":1763683200"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":1763683200000000"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":0"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":-1763683200000"#, Malformed::Time),
        (r#""t":1763683200000"#, r#""t":1.7e12"#, Malformed::Time),
        (r#"ETH-PERP.100"#, "SOL-PERP.100", Malformed::Name),
        (r#"ticker_slim"#, "ticker", Malformed::Channel),
        ("subscription", "Subscription", Malformed::Word),
        ("}}}}}", "}}}}}}", Malformed::Json),
        ("}}}}}", "}}}}", Malformed::Json),
    ] {
        assert_eq!(swap(&ticker, from, to), why, "{from} → {to}");
    }
    for (from, to, why) in [
        (r#""d":"0.95222""#, r#""d":"1.5""#, Malformed::Range),
        (r#""i":"0.67698""#, r#""i":"0""#, Malformed::Range),
        (r#""i":"0.67698""#, r#""i":"101""#, Malformed::Range),
        (r#""option_pricing":{"ai""#, r#""option_pricing":{"d":"1","ai""#, Malformed::Duplicate),
    ] {
        assert_eq!(swap(&option_ticker(), from, to), why, "{from} → {to}");
    }
    for (from, to, why) in [
        (r#"["3500.5","1"]"#, r#"["3499.5","1"]"#, Malformed::Unsorted),
        (r#"["3500.5","1"]"#, r#"["3501.6","1"]"#, Malformed::Crossed),
        (r#"["3500.5","1"]"#, r#"["0","1"]"#, Malformed::Range),
        (r#"["3500.5","1"]"#, r#"["3500.5","0"]"#, Malformed::Range),
        (r#"["3500.5","1"]"#, r#"["3500.5"]"#, Malformed::Shape),
        (r#"["3500.5","1"]"#, r#"["3500.5","1","1"]"#, Malformed::Shape),
        (r#""instrument_name":"ETH-PERP""#, r#""instrument_name":"ETH-20261225-3500-C""#, Malformed::Name),
    ] {
        assert_eq!(swap(&book(3, 2), from, to), why, "{from} → {to}");
    }
    assert_eq!(refusal(&book(101, 1)), Malformed::Count);
}

#[test]
fn hostile_private_frames_and_replies_are_refused_by_reason() {
    let orders = notification("42.orders", &format!("[{}]", order_row()));
    for (from, to, why) in [
        (r#""subaccount_id":42"#, r#""subaccount_id":43"#, Malformed::Subaccount),
        (r#""filled_amount":"0.1""#, r#""filled_amount":"0.4""#, Malformed::Overfill),
        (r#""order_status":"open""#, r#""order_status":"Open""#, Malformed::Word),
        (r#""nonce":"1763683200000000002""#, r#""nonce":"-5""#, Malformed::Id),
        (ORDER_ID, "held", Malformed::Id),
    ] {
        assert_eq!(refusal(&orders.replacen(from, to, 1)), why, "{from} → {to}");
    }
    let two = notification("42.orders", &format!("[{},{}]", order_row(), order_row().replace("sell", "short")));
    assert_eq!(refusal(&two), Malformed::Word, "the good first row must not count either");
    let placed = format!(r#"{{"order":{},"trades":[]}}"#, order_row());
    for (frame, why) in [
        (result("o1763683200000000003", &placed), Malformed::Id),
        (result("probe-1", &placed), Malformed::Id),
        (r#"{"id":null,"result":{}}"#.into(), Malformed::Id),
        (r#"{"id":1.5,"result":{}}"#.into(), Malformed::Id),
        (r#"{"id":"t1","result":1763683200000,"error":{"code":1,"message":""}}"#.into(), Malformed::Shape),
        (r#"{"id":"t1"}"#.into(), Malformed::Shape),
        (r#"{"id":"t1","result":null}"#.into(), Malformed::Shape),
        (r#"{"id":"t1","error":{"message":"no code"}}"#.into(), Malformed::Missing),
        (result("c1763683200000000002", r#"{"cancelled_orders":2}"#), Malformed::Range),
        ("{}".into(), Malformed::Shape),
        ("".into(), Malformed::Json),
        ("[]".into(), Malformed::Shape),
        ("nul".into(), Malformed::Json),
        ("\0".into(), Malformed::Json),
        ("[".repeat(10_000), Malformed::Json),
        (r#"{"method":"\ud800"}"#.into(), Malformed::Json),
        ("x".repeat(FRAME_MAX + 1), Malformed::TooLarge),
    ] {
        let head: String = frame.chars().take(80).collect();
        assert_eq!(refusal(&frame), why, "{head}");
    }
    let crowd = format!("[{}]", vec!["42"; 5000].join(","));
    assert_eq!(refusal(&result("l1", &crowd)), Malformed::Count);
}

#[test]
fn hostile_quotes_and_rfqs_are_refused_by_reason() {
    for (frame, from, to, why) in [
        (best_quote(), r#""direction":"sell","legs""#, r#""direction":"short","legs""#, Malformed::Word),
        (best_quote(), r#""status":"open""#, r#""status":"Open""#, Malformed::Word),
        (best_quote(), r#""fill_pct":"1""#, r#""fill_pct":"1.1""#, Malformed::Range),
        (best_quote(), r#""fill_pct":"1""#, r#""fill_pct":"-1""#, Malformed::Range),
        (best_quote(), r#""amount":"10""#, r#""amount":"0""#, Malformed::Range),
        (best_quote(), r#""amount":"10""#, r#""amount":"-10""#, Malformed::Range),
        (best_quote(), r#""price":"45.2""#, r#""price":"-45.2""#, Malformed::Range),
        (best_quote(), r#""price":"45.2""#, r#""price":45.2"#, Malformed::Shape),
        (best_quote(), r#","price":"45.2""#, "", Malformed::Missing),
        (best_quote(), MAKER, "0x86042886b1063625d0b3ddcc9e4cbcf912b79e16beef", Malformed::Id),
        (best_quote(), r#""error":null"#, r#""error":{"code":11104,"message":""}"#, Malformed::Shape),
        (best_quote(), r#""estimated_fee":"1.75","#, "", Malformed::Missing),
        (best_quote(), &format!(r#"[{{"rfq_id":"{ORDER_ID}""#), &format!(r#"[{{"rfq_id":"{TRADE_ID}""#), Malformed::Id),
        (poll(), r#""num_pages":1,"#, "", Malformed::Missing),
        (poll(), r#""quotes":["#, r#""quotes":[null,"#, Malformed::Shape),
        (result(OUR_RFQ, &rfq()), r#""valid_until":1763683800000"#, r#""valid_until":1763683800"#, Malformed::Time),
        (result(OUR_RFQ, &rfq()), r#""status":"open""#, r#""status":"running""#, Malformed::Word),
        (result(OUR_EXECUTION, &executed()), r#""nonce":"1763683200000000003""#, r#""nonce":"4""#, Malformed::Id),
        (result(OUR_EXECUTION, &executed()), r#""rfq_filled_pct":"0.5""#, r#""rfq_filled_pct":"50""#, Malformed::Range),
        (result("n1", r#""ok""#), "ok", "no", Malformed::Word),
        (result("k4", r#"{"cancelled_ids":[]}"#), "[]", "[7]", Malformed::Shape),
    ] {
        assert!(frame.contains(from), "{from}");
        assert_eq!(refusal(&frame.replacen(from, to, 1)), why, "{from} → {to}");
    }
    let crowd = vec![near_leg(); 65].join(",");
    assert_eq!(refusal(&best_quote_with(&quote(&crowd))), Malformed::Count);
    let rows = vec![quote(&format!("{},{}", near_leg(), far_leg())); 2049].join(",");
    let page = format!(r#"{{"quotes":[{rows}],"pagination":{{"num_pages":1,"count":1}}}}"#);
    assert_eq!(refusal(&result("v1", &page)), Malformed::TooLarge);
    let ids = vec![format!("\"{ORDER_ID}\""); 2049].join(",");
    assert_eq!(refusal(&result("k1", &format!(r#"{{"cancelled_ids":[{ids}]}}"#))), Malformed::Count);
}

/// Writes a value with its keys in another order and blanks between the tokens.
fn restyle(value: &Value, seed: &mut u64, out: &mut String) {
    let mut roll = |n: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize % n
    };
    let blank = ["", " ", "\n", "\t "][roll(4)];
    match value {
        Value::Object(map) => {
            let mut rows: Vec<_> = map.iter().collect();
            for at in (1..rows.len()).rev() {
                rows.swap(at, roll(at + 1));
            }
            out.push('{');
            for (place, (key, value)) in rows.into_iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(&format!("{blank}{}{blank}:", json!(key)));
                restyle(value, seed, out);
            }
            out.push('}');
        }
        Value::Array(rows) => {
            out.push('[');
            for (place, value) in rows.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                restyle(value, seed, out);
                out.push_str(blank);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_blanks_change_nothing(which in 0usize..35, mut seed in any::<u64>()) {
        let frames = all_frames();
        let frame = &frames[which % frames.len()];
        let mut restyled = String::new();
        restyle(&serde_json::from_str(frame).expect("json"), &mut seed, &mut restyled);
        let mut decoder = decoder();
        let want = decoder.decode(frame.as_bytes()).expect("reads").to_vec();
        prop_assert_eq!(decoder.decode(restyled.as_bytes()), Ok(&want[..]), "{}", restyled);
    }

    #[test]
    fn one_changed_byte_is_refused_or_read_the_same_by_both(which in 0usize..35, at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let frames = all_frames();
        let mut frame = frames[which % frames.len()].clone().into_bytes();
        let at = at.index(frame.len());
        frame[at] = byte;
        let mut decoder = decoder();
        let fast = decoder.decode(&frame).map(<[Heard]>::to_vec);
        let slow = decoder.decode_slowly(&frame).map(<[Heard]>::to_vec);
        match (fast, slow) {
            // The scanner does not look inside strings and objects it has no use for.
            (Ok(_), Err(Malformed::Json)) => {}
            (fast, slow) => prop_assert_eq!(fast, slow),
        }
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..300), which in 0usize..35, at in any::<proptest::sample::Index>()) {
        let mut decoder = decoder();
        let _ = decoder.decode(&noise);
        let frames = all_frames();
        let frame = frames[which % frames.len()].as_bytes();
        let at = at.index(frame.len());
        prop_assert!(decoder.decode(&frame[..at]).is_err(), "truncated");
        let mut spliced = frame[..at].to_vec();
        spliced.extend_from_slice(&noise);
        spliced.extend_from_slice(&frame[at..]);
        let _ = decoder.decode(&spliced);
        let mut external = ExternalDecoder::new(["ETHUSDC"]);
        let _ = external.decode(&noise);
    }
}

/// Fields of a message that a change of one number in the frame may reach.
fn differing_fields(a: &Heard, b: &Heard) -> usize {
    let (a, b) = (format!("{a:#?}"), format!("{b:#?}"));
    if a.lines().count() != b.lines().count() {
        return usize::MAX;
    }
    a.lines().zip(b.lines()).filter(|(a, b)| a != b).count()
}

#[test]
fn every_one_byte_change_of_a_market_frame_reaches_at_most_one_field() {
    for frame in [ticker(), option_ticker(), book(3, 2), spot()] {
        let mut decoder = decoder();
        let want = decoder.decode(frame.as_bytes()).expect("reads").to_vec();
        for at in 0..frame.len() {
            for byte in *b"\"{}[]:,0195.-eatbBAIMf \\\x00\xff" {
                let mut changed = frame.clone().into_bytes();
                changed[at] = byte;
                let Ok(got) = decoder.decode(&changed) else { continue };
                let differing: usize = want.iter().zip(got).map(|(a, b)| differing_fields(a, b)).sum();
                let rows = got.len() == want.len() || frame.contains("spot_feed");
                assert!(rows && differing <= 1, "{at} {} {frame}\n{want:?}\n{got:?}", byte as char);
            }
        }
    }
}
