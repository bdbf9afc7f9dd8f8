//! RFQs through a whole session: asked, matched, polled, withdrawn, and what a lost connection leaves of them.

use super::*;
use crate::actors::risk::option_stage;
use crate::base::ids::{InstrumentId, Name, Right, Side, Uuid};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::SEC;
use crate::derive::decode::Vocabulary;
use crate::derive::dialect::{Dialect, LOCAL, V2_MAINNET};
use crate::derive::seal::LoginProof;
use crate::engine::ports::DownReason;
use crate::market::instrument::{Kind, OptionTerms};
use crate::msg::{Leg, RfqStatus, RfqWish, Session as State, Settlement};

const VAULT: VaultId = VaultId(0);
const SUB: SubaccountId = SubaccountId(42);
const RFQ: &str = "6a6eed97-b882-4909-a7ac-566fe99577e1";
const QUOTE: &str = "0b1f6f5e-58a1-4b52-9d1b-0b8d1c2f4a10";
const NAME: Nonce = Nonce(1_800_000_000_000_000_001);
const START: Nanos = Nanos(1_800_000_000 * SEC);
const NEAR: &str = "ETH-20261225-3500-C";
const FAR: &str = "ETH-20261225-4000-C";

/// A gateway with what it last said.
pub(super) struct Stand {
    pub gateway: Gateway,
    pub at: Nanos,
    subaccount: SubaccountId,
    out: Out,
}

impl Stand {
    fn new() -> Stand {
        Stand::for_subaccount(SUB, START)
    }

    pub fn for_subaccount(subaccount: SubaccountId, at: Nanos) -> Stand {
        Stand::speaking(&LOCAL, subaccount, at)
    }

    pub fn speaking(dialect: &'static Dialect, subaccount: SubaccountId, at: Nanos) -> Stand {
        let terms = Terms { wallet: [1; 20], cancel_on_disconnect: false, dialect, atomic: false };
        let decoder = Decoder::new(Vocabulary::new(["ETH-PERP"], ["USDC", "ETH"]));
        let members = vec![Member { vault: VAULT, subaccount }];
        let options =
            MemberTerms { vault: VAULT, subaccount, option_currency: Name::new("ETH"), right: Some(Right::Call) };
        let near = option_stage::instrument(option_stage::NEAR, Kind::Option, Some(3_000));
        let pairs = [(subaccount, &near)];
        let gateway = Gateway::new(terms, [2; 20], pairs, members, decoder).with_options([options], POLL_NS);
        Stand { gateway, at, subaccount, out: Out::default() }
    }

    /// What one message makes: texts and reports.
    pub fn hear(&mut self, message: In<'_>) -> (Vec<String>, Vec<Report>) {
        self.gateway.on(self.at, message, &mut self.out);
        let texts = self.out.frames.iter().map(|(text, _)| String::from_utf8_lossy(text).into_owned()).collect();
        let reports = self.out.reports.drain(..).map(|report| report.body).collect();
        self.out.frames.clear();
        (texts, reports)
    }

    fn text(&mut self, text: &str) -> Vec<Report> {
        self.hear(In::Wire(Event::Text(text.as_bytes()))).1
    }

    fn tick(&mut self, later_ns: u64) -> (Vec<String>, Vec<Report>) {
        self.at = self.at.plus(later_ns);
        let (texts, reports) = self.hear(In::Tick);
        (
            texts.into_iter().filter(|text| !text.contains("get_time") && !text.contains("get_account")).collect(),
            reports,
        )
    }

    pub fn log_in(&mut self) -> Vec<String> {
        let mut texts = self.hear(In::Wire(Event::Up { attempt: 1 })).0;
        let proof = Sealed::Login(LoginProof { timestamp_ms: self.at.ms(), signature: [3; 65] });
        texts.extend(self.hear(In::Sealed(&proof)).0);
        let login = id_of(&texts, "public/login");
        let account = self.subaccount.0;
        self.hear(In::Wire(Event::Text(format!(r#"{{"id":"{login}","result":[{account}]}}"#).as_bytes()))).0
    }

    pub fn come_up(&mut self) {
        let texts = self.log_in();
        let subscribe = id_of(&texts, "subscribe");
        let clear = id_of(&texts, "private/cancel_batch_rfqs");
        self.text(&format!(r#"{{"id":"{subscribe}","result":{{"status":{{"{}.orders":"ok"}}}}}}"#, self.subaccount.0));
        self.text(&format!(r#"{{"id":"{clear}","result":{{"cancelled_ids":[]}}}}"#));
        assert!(self.gateway.session.is_up());
        for (id, name) in [(5, NEAR), (6, FAR)] {
            self.hear(In::Listing(Listing::Listed { instrument: option(id, name), watched: true }));
        }
    }

    fn ask(&mut self) -> (Vec<String>, Vec<Report>) {
        self.hear(In::Urgent(Urgent::Ask { vault: VAULT, name: NAME, wish: wish() }))
    }

    /// An RFQ that the venue has opened, for ten minutes.
    fn open(&mut self) -> Vec<Report> {
        self.ask();
        let (now, end) = (self.at.ms(), self.at.ms() + 600_000);
        self.text(&format!(
            r#"{{"id":"f{}","result":{{"subaccount_id":42,"rfq_id":"{RFQ}","status":"open","creation_timestamp":{now},"valid_until":{end},"filled_pct":"0"}}}}"#,
            NAME.0
        ))
    }
}

/// The venue has forgotten who we are: on this connection nothing can be cancelled any more.
#[test]
fn a_connection_that_lost_its_login_is_dropped() {
    let mut stand = Stand::new();
    let failed = |id: &str| format!(r#"{{"error":{{"code":14021,"message":"m","data":null}},"id":"{id}"}}"#);
    let texts = stand.log_in();
    assert!(!texts.is_empty());
    stand.text(&failed("c1800000000000000001"));
    assert!(!std::mem::take(&mut stand.out.drop_connection), "the login is still under way");
    for id in ["c1800000000000000001", "o1800000000000000001", "p77"] {
        let mut stand = Stand::new();
        stand.come_up();
        stand.text(&failed(id));
        assert!(stand.out.drop_connection, "{id}");
    }
}

fn id_of(texts: &[String], method: &str) -> String {
    let text = texts.iter().find(|text| text.contains(&format!("\"{method}\""))).expect(method);
    text.split('"').nth(3).expect("id").to_string()
}

fn option(id: u16, name: &str) -> Instrument {
    let strike = name.split('-').nth(2).and_then(|strike| strike.parse().ok()).expect("strike");
    Instrument {
        id: InstrumentId(id),
        name: Name::new(name).expect("short"),
        kind: Kind::Option,
        base_currency: Name::new("ETH").expect("short"),
        asset: [7; 20],
        sub_id: id.into(),
        tick: Price::ONE,
        step: Amount::ONE,
        min_amount: Amount::ONE,
        max_amount: Amount::whole(1000),
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::ZERO,
        base_fee: Cash::ZERO,
        mark_fee_cap: Ratio::ZERO,
        option: Some(OptionTerms { expiry_s: 1_798_185_600, strike, right: Right::Call }),
        active: true,
    }
}

fn wish() -> RfqWish {
    let leg = |id, side| Leg { instrument: InstrumentId(id), side, amount: Amount::whole(10) };
    RfqWish { legs: [leg(5, Side::Sell), leg(6, Side::Buy)], partial_fill_step: Ratio::ONE }
}

fn quote(near: &str, far: &str) -> String {
    let leg = |name: &str, rest: &str| format!(r#"{{"instrument_name":"{name}",{rest}}}"#);
    format!(
        r#"{{"quote_id":"{QUOTE}","rfq_id":"{RFQ}","subaccount_id":5,"wallet":"0x12","direction":"sell","legs":[{},{}],"status":"open","fill_pct":"0","creation_timestamp":1800000000000}}"#,
        leg(FAR, far),
        leg(NEAR, near)
    )
}

const SELL_TEN: &str = r#""amount":"10","direction":"sell","price":"120.5""#;
const BUY_TEN: &str = r#""amount":"10","direction":"buy","price":"45.2""#;

fn page(id: &str, quote: &str, pages: u32) -> String {
    format!(r#"{{"id":"{id}","result":{{"quotes":[{quote}],"pagination":{{"num_pages":{pages},"count":1}}}}}}"#)
}

#[test]
fn a_session_is_up_only_after_old_rfqs_are_withdrawn() {
    let mut stand = Stand::new();
    let texts = stand.log_in();
    assert!(texts.iter().any(|text| text.contains("42.best.quotes")));
    let (subscribe, clear) = (id_of(&texts, "subscribe"), id_of(&texts, "private/cancel_batch_rfqs"));
    let (texts, reports) = stand.ask();
    assert!(texts.is_empty());
    assert!(matches!(reports[..], [Report::RfqRefused { name: NAME, verdict: Verdict::Refused, .. }]));
    let subscribed = format!(r#"{{"id":"{subscribe}","result":{{"status":{{"42.orders":"ok"}}}}}}"#);
    assert!(stand.text(&subscribed).is_empty(), "one answer is missing");
    let cleared = format!(r#"{{"id":"{clear}","result":{{"cancelled_ids":["{RFQ}"]}}}}"#);
    assert_eq!(stand.text(&cleared), [Report::Session(State::Up)]);
    assert!(stand.text(&cleared).is_empty(), "once");

    for code in [11101, 11104] {
        let mut none = Stand::new();
        let texts = none.log_in();
        let (subscribe, clear) = (id_of(&texts, "subscribe"), id_of(&texts, "private/cancel_batch_rfqs"));
        none.text(&format!(r#"{{"id":"{subscribe}","result":{{"status":{{"42.orders":"ok"}}}}}}"#));
        let nothing = format!(r#"{{"id":"{clear}","error":{{"code":{code},"message":"nothing to cancel"}}}}"#);
        assert_eq!(none.text(&nothing), [Report::Session(State::Up)], "{code}: there was nothing to withdraw");
    }

    let mut refused = Stand::new();
    let clear = id_of(&refused.log_in(), "private/cancel_batch_rfqs");
    let no = format!(r#"{{"id":"{clear}","error":{{"code":11111,"message":"RFQ disabled"}}}}"#);
    assert_eq!(refused.text(&no), [Report::Session(State::Rejected { code: 11111 })]);
    let mut deaf = Stand::new();
    for connection in 1..=3 {
        let subscribe = id_of(&deaf.log_in(), "subscribe");
        let no = format!(r#"{{"id":"{subscribe}","result":{{"status":{{"42.orders":"14021 log in"}}}}}}"#);
        let said = deaf.text(&no);
        let dropped = std::mem::take(&mut deaf.out.drop_connection);
        let last = connection == 3;
        assert_eq!(
            (said, dropped),
            (if last { vec![Report::Session(State::Rejected { code: 0 })] } else { vec![] }, !last)
        );
        deaf.hear(In::Wire(Event::Down(DownReason::Asked)));
    }
    let mut hasty = Stand::new();
    let clear = id_of(&hasty.log_in(), "private/cancel_batch_rfqs");
    hasty.text(&format!(r#"{{"id":"{clear}","error":{{"code":-32000,"message":"rate"}}}}"#));
    assert!(hasty.out.drop_connection);
}

#[test]
fn an_rfq_is_asked_by_name_and_polled_while_open() {
    let mut stand = Stand::new();
    stand.come_up();
    let (texts, reports) = stand.ask();
    assert!(reports.is_empty());
    assert!(texts[0].contains(NEAR) && texts[0].contains(r#""id":"f1800000000000000001""#), "{texts:?}");
    assert!(stand.tick(SEC).0.is_empty(), "nothing to poll before it is open");
    let reports = stand.open();
    assert!(matches!(reports[..], [Report::Rfq(row)] if row.name == NAME && row.status == RfqStatus::Open));
    let (texts, _) = stand.tick(1);
    let first = id_of(&texts, "private/poll_quotes");
    let asked_at = stand.at;
    assert!(stand.tick(POLL_NS).0.is_empty(), "one poll at a time");
    let reports = stand.text(&page(&first, &quote(SELL_TEN, BUY_TEN), 1));
    let [Report::Quote(row), Report::QuotesComplete { rfq_id, asked_at: at }] = reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!((Some(rfq_id), at), (Uuid::parse(RFQ.as_bytes()), asked_at));
    assert_eq!(row.legs.map(|priced| priced.leg), wish().legs);
    assert_eq!(row.filled, Ratio::ONE, "the share is told by the legs");
    let second = id_of(&stand.tick(1).0, "private/poll_quotes");
    assert_ne!(first, second);
    assert_eq!(stand.text(&page(&second, &quote(SELL_TEN, BUY_TEN), 2)).len(), 1, "more pages: not complete");
    let third = id_of(&stand.tick(POLL_NS).0, "private/poll_quotes");
    assert_eq!(stand.text(&page(&second, &quote(SELL_TEN, BUY_TEN), 1)).len(), 1, "an old answer completes nothing");
    let fourth = id_of(&stand.tick(2 * SEC).0, "private/poll_quotes");
    assert_ne!(third, fourth, "an unanswered poll is sent again");
    assert_eq!(stand.gateway.counts().polls, 4);
}

#[test]
fn polls_leave_most_of_the_budget_to_executions() {
    let mut stand = Stand::new();
    stand.come_up();
    stand.text(
        r#"{"id":"w3","result":{"cancel_on_disconnect":true,"websocket_matching_tps":5,"websocket_non_matching_tps":1,"websocket_perp_tps":1,"websocket_option_tps":1,"wallet":"0x1"}}"#,
    );
    stand.open();
    for _ in 0..100 {
        stand.tick(SEC / 10);
    }
    assert_eq!(stand.gateway.counts().polls, 4, "two in five seconds of the five that are allowed");
}

#[test]
fn quotes_for_something_else_are_ignored_and_counted() {
    let mut stand = Stand::new();
    stand.come_up();
    stand.open();
    let half = r#""amount":"5","direction":"sell","price":"120.5""#;
    let half_far = BUY_TEN.replace("10", "5");
    let reports = stand.text(&page("v9", &quote(half, &half_far), 1));
    assert!(matches!(reports[..], [Report::Quote(row)] if row.filled == Ratio::from_raw(500_000_000)));
    for (near, far) in [
        (SELL_TEN.replace("sell", "buy"), BUY_TEN.to_string()),
        (SELL_TEN.to_string(), half_far.clone()),
        (SELL_TEN.replace("10", "20"), BUY_TEN.replace("10", "20")),
    ] {
        assert!(stand.text(&page("v9", &quote(&near, &far), 1)).is_empty(), "{near} {far}");
    }
    let strange = quote(SELL_TEN, BUY_TEN);
    assert!(stand.text(&page("v9", &strange.replace(RFQ, QUOTE), 1)).is_empty(), "no RFQ of ours");
    assert!(stand.text(&page("v9", &strange.replace(FAR, "ETH-20261225-9000-C"), 1)).is_empty());
    assert_eq!(stand.gateway.counts().quotes_ignored, 5);
}

#[test]
fn a_withdrawal_is_repeated_until_answered_and_ends_the_rfq() {
    for answer in [r#""result":"ok""#, r#""error":{"code":11104,"message":"not open"}"#] {
        let mut stand = Stand::new();
        stand.come_up();
        stand.open();
        let rfq_id = Uuid::parse(RFQ.as_bytes()).expect("uuid");
        let unask = In::Urgent(Urgent::Unask { vault: VAULT, rfq_id });
        let id = id_of(&stand.hear(unask).0, "private/cancel_rfq");
        assert_eq!(id, format!("n{}", NAME.0));
        assert_eq!(id_of(&stand.tick(2 * SEC).0, "private/cancel_rfq"), id);
        let busy = format!(r#"{{"id":"{id}","error":{{"code":-32000,"message":"rate"}}}}"#);
        assert!(stand.text(&busy).is_empty(), "not withdrawn yet");
        let reports = stand.text(&format!(r#"{{"id":"{id}",{answer}}}"#));
        assert!(
            matches!(reports[..], [Report::Rfq(row)] if row.status == RfqStatus::Cancelled && row.rfq_id == rfq_id)
        );
        assert!(stand.tick(5 * SEC).0.is_empty(), "nothing is polled any more");
    }
}

#[test]
fn refusals_ends_and_losses_of_an_rfq_are_told() {
    let mut stand = Stand::new();
    stand.come_up();
    stand.ask();
    let refused = format!(r#"{{"id":"f{}","error":{{"code":11100,"message":"x"}}}}"#, NAME.0);
    let told = Report::RfqRefused { name: NAME, verdict: Verdict::Refused, code: 11100 };
    assert_eq!(stand.text(&refused), [told]);

    stand.open();
    let (_, reports) = stand.tick(606 * SEC);
    assert!(reports.iter().any(|r| matches!(r, Report::Rfq(row) if row.status == RfqStatus::Expired)), "{reports:?}");

    stand.ask();
    stand.tick(6 * SEC);
    assert!(std::mem::take(&mut stand.out.drop_connection), "an RFQ without an answer ends the connection");
    let (_, reports) = stand.hear(In::Wire(Event::Down(DownReason::Asked)));
    let told = Report::RfqRefused { name: NAME, verdict: Verdict::Unknown, code: 0 };
    assert_eq!(reports, [Report::Session(State::Down), told]);

    stand.come_up();
    stand.open();
    stand.hear(In::Wire(Event::Down(DownReason::Io)));
    let texts = stand.log_in();
    let clear = id_of(&texts, "private/cancel_batch_rfqs");
    let reports = stand.text(&format!(r#"{{"id":"{clear}","result":{{"cancelled_ids":["{RFQ}"]}}}}"#));
    assert!(matches!(reports[..], [Report::Rfq(row)] if row.status == RfqStatus::Cancelled));

    let mut stand = Stand::new();
    stand.come_up();
    stand.hear(In::Listing(Listing::Delisted { id: InstrumentId(6) }));
    let (texts, reports) = stand.ask();
    assert!(texts.is_empty());
    assert!(matches!(reports[..], [Report::RfqRefused { code: 12_001, verdict: Verdict::Refused, .. }]));
}

#[test]
fn executions_are_answered_and_move_their_rfq_on() {
    let mut stand = Stand::new();
    stand.come_up();
    stand.open();
    let executed = |share: &str| {
        format!(
            r#"{{"id":"e9","result":{{"nonce":"9","status":"filled","rfq_id":"{RFQ}","rfq_filled_pct":"{share}"}}}}"#
        )
    };
    let reports = stand.text(&executed("0.5"));
    let [Report::Answer(answer), Report::Rfq(row)] = reports[..] else { panic!("{reports:?}") };
    assert_eq!((answer.request, answer.nonce, answer.verdict), (Request::Execute, Nonce(9), Verdict::Accepted));
    assert_eq!((row.status, row.filled), (RfqStatus::Open, Ratio::from_raw(500_000_000)));
    let reports = stand.text(&executed("1"));
    assert!(matches!(reports[..], [Report::Answer(_), Report::Rfq(row)] if row.status == RfqStatus::Filled));
    assert!(stand.tick(5 * SEC).0.is_empty(), "what is filled is not polled");
}

#[test]
fn on_v2_fills_of_earlier_sessions_are_read_to_the_last_page() {
    let mut stand = Stand::speaking(&V2_MAINNET, SUB, START);
    let texts = stand.log_in();
    let channels = texts.iter().find(|text| text.contains("\"subscribe\"")).expect("subscribes");
    assert!(channels.contains(r#""42.trades","42.trades.settled","42.trades.reverted""#), "{channels}");
    let first = id_of(&texts, "private/get_trade_history");
    let row = |state: &str| {
        format!(
            r#"{{"subaccount_id":42,"trade_id":"{QUOTE}","order_id":"{RFQ}","label":"7","instrument_name":"ETH-PERP","direction":"buy","trade_price":"4000","trade_amount":"1","trade_fee":"0","liquidity_role":"taker","mark_price":"4000","timestamp":1763683200000,"tx_status":"{state}","tx_hash":null}}"#
        )
    };
    let page = |id: &str, rows: &str| {
        format!(r#"{{"id":"{id}","result":{{"trades":[{rows}],"pagination":{{"count":2,"num_pages":2}}}}}}"#)
    };
    let (texts, reports) = stand.hear(In::Wire(Event::Text(page(&first, &row("requested")).as_bytes())));
    assert!(matches!(reports[..], [Report::PastFill(fill)] if fill.settlement == Settlement::Open), "{reports:?}");
    assert!(texts[0].contains(r#""page":2"#), "{texts:?}");
    let second = id_of(&texts, "private/get_trade_history");
    let reports = stand.text(&page(&second, &row("timed_out")));
    let [Report::PastFill(fill), Report::PastFillsComplete { subaccount }] = reports[..] else { panic!("{reports:?}") };
    assert_eq!((fill.settlement, subaccount), (Settlement::Open, SUB), "a word we do not know is no end");

    let mut v3 = Stand::new();
    assert!(!v3.log_in().iter().any(|text| text.contains("get_trade_history") || text.contains("trades.settled")));
}

#[test]
fn records_that_are_not_answered_are_asked_for_again() {
    let mut stand = Stand::speaking(&V2_MAINNET, SUB, START);
    stand.come_up();
    assert!(!stand.tick(2 * SEC).0.iter().any(|text| text.contains("get_trade_history")));
    let again = stand.tick(2 * SEC).0;
    assert!(again.iter().any(|text| text.contains("get_trade_history")), "{again:?}");
}
