//! Replies to our own requests, told apart by the letter of their id.

use super::malformed::{Malformed, Seen};
use super::names::Vocabulary;
use super::private::{error_code, fill, order, page, rows, same};
use super::rfq;
use super::source::Source;
use super::{Foreign, Heard, ROWS_MAX, Reply, ReplyBody};
use crate::base::ids::{InstrumentId, Nonce, SubaccountId};
use crate::base::num::{Amount, Cash, Price};
use crate::derive::errors::verdict;
use crate::derive::request_id::{RequestId, RequestKind};
use crate::msg::{Answer, Budget, OrderRow, OrderStatus, Request, Snapshot, Verdict};

fn answered(id: RequestId) -> Option<Request> {
    match id.kind {
        RequestKind::Order => Some(Request::Place),
        RequestKind::Replace => Some(Request::Replace),
        RequestKind::CancelByNonce => Some(Request::Cancel),
        RequestKind::ExecuteQuote => Some(Request::Execute),
        RequestKind::Deposit | RequestKind::Withdraw => Some(Request::Move),
        _ => None,
    }
}

pub(super) fn answer(id: RequestId, request: Request, verdict: Verdict, code: i32) -> Answer {
    Answer { nonce: Nonce(id.number), request, verdict, code, order: None, cancelled: None }
}

/// What an error reply says.
pub(super) fn failure(id: RequestId, code: i32) -> Heard {
    match answered(id) {
        Some(request) => Heard::Answer(answer(id, request, verdict(code), code)),
        None => Heard::Reply(Reply { id, body: ReplyBody::Failed { code, verdict: verdict(code) } }),
    }
}

/// Reads a result and what it says.
pub(super) fn result<'f, S: Source<'f>>(
    s: &mut S,
    id: RequestId,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<(), Malformed> {
    let body = match id.kind {
        RequestKind::Order => return placed(s, id, words, out),
        RequestKind::Replace => return replaced(s, id, words, out),
        RequestKind::CancelByNonce => return cancelled_by_nonce(s, id, out),
        RequestKind::CancelByInstrument | RequestKind::CancelByLabel => {
            ReplyBody::Cancelled { count: cancelled_count(s)? }
        }
        RequestKind::Cancel | RequestKind::GetOrder => {
            out.push(heard_order(order(s, None, words)?));
            ReplyBody::Done
        }
        // v2 counts where v3 says "ok".
        RequestKind::CancelAll if !s.is_string() => ReplyBody::Cancelled { count: cancelled_count(s)? },
        RequestKind::CancelAll | RequestKind::CancelOnDisconnect | RequestKind::CancelRfq => match s.string()? {
            b"ok" => ReplyBody::Done,
            _ => return Err(Malformed::Word),
        },
        RequestKind::MmpConfig | RequestKind::Unsubscribe => s.skip().map(|()| ReplyBody::Done)?,
        RequestKind::Login => login(s, id, out)?,
        RequestKind::Subscribe => subscribed(s)?,
        RequestKind::Time => ReplyBody::Time { venue_at: s.millis()? },
        RequestKind::Account => account(s)?,
        RequestKind::OpenOrders => open_orders(s, words, out)?,
        RequestKind::TradeHistory => trade_history(s, words, out)?,
        RequestKind::Subaccount => subaccount(s, words, out)?,
        RequestKind::SendRfq => {
            out.push(Heard::Rfq(rfq::opened(s, Nonce(id.number))?));
            ReplyBody::Done
        }
        RequestKind::CancelRfqs => ReplyBody::Cancelled { count: rfq::cancelled_ids(s)? },
        RequestKind::PollQuotes => rfq::polled(s, words, out)?,
        RequestKind::ExecuteQuote => return rfq::executed(s, id, out),
        RequestKind::Deposit | RequestKind::Withdraw => {
            // Taken in; what becomes of it on chain shows in the balances.
            s.skip()?;
            out.push(Heard::Answer(answer(id, Request::Move, Verdict::Accepted, 0)));
            return Ok(());
        }
    };
    out.push(Heard::Reply(Reply { id, body }));
    Ok(())
}

fn heard_order((subaccount, row): (SubaccountId, Option<OrderRow>)) -> Heard {
    match row {
        Some(row) => Heard::Order(row),
        None => Heard::Foreign { subaccount, what: Foreign::Order },
    }
}

/// Reads the order that a request of ours created: it must bear our nonce.
fn own_order<'f, S: Source<'f>>(s: &mut S, id: RequestId, words: &Vocabulary) -> Result<OrderRow, Malformed> {
    let row = order(s, None, words)?.1.ok_or(Malformed::Name)?;
    if row.nonce.0 == id.number { Ok(row) } else { Err(Malformed::Id) }
}

fn created(row: &OrderRow) -> Verdict {
    if row.status == OrderStatus::Rejected { Verdict::Refused } else { Verdict::Accepted }
}

fn placed<'f, S: Source<'f>>(
    s: &mut S,
    id: RequestId,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<(), Malformed> {
    let place = out.len();
    out.push(Heard::Answer(answer(id, Request::Place, Verdict::Unknown, 0)));
    let mut row = None;
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"order" => seen.once(0).and(own_order(s, id, words)).map(|value| row = Some(value)),
        b"trades" => {
            seen.once(1)?;
            if s.null() { Ok(()) } else { rows(s, out, |s| fill(s, None, words)) }
        }
        _ => s.skip(),
    })?;
    let row = row.ok_or(Malformed::Missing)?;
    let answer = Answer { order: Some(row), ..answer(id, Request::Place, created(&row), 0) };
    out[place] = Heard::Answer(answer);
    Ok(())
}

fn replaced<'f, S: Source<'f>>(
    s: &mut S,
    id: RequestId,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<(), Malformed> {
    let place = out.len();
    let mut answer = answer(id, Request::Replace, Verdict::Unknown, 0);
    out.push(Heard::Answer(answer));
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"cancelled_order" => seen.once(0).and(order(s, None, words)).map(|(_, row)| answer.cancelled = row),
        b"order" => {
            seen.once(1)?;
            answer.order = if s.null() { None } else { Some(own_order(s, id, words)?) };
            Ok(())
        }
        b"trades" => {
            seen.once(2)?;
            if s.null() { Ok(()) } else { rows(s, out, |s| fill(s, None, words)) }
        }
        b"create_order_error" => {
            seen.once(3)?;
            answer.code = if s.null() { 0 } else { error_code(s)? };
            Ok(())
        }
        _ => s.skip(),
    })?;
    seen.all(1)?;
    answer.verdict = match (&answer.order, answer.code) {
        (Some(_), code) if code != 0 => return Err(Malformed::Shape),
        (Some(row), _) => created(row),
        // Neither order nor error: the create may still be on its way.
        (None, 0) => Verdict::Unknown,
        (None, code) => verdict(code),
    };
    out[place] = Heard::Answer(answer);
    Ok(())
}

fn cancelled_count<'f, S: Source<'f>>(s: &mut S) -> Result<i64, Malformed> {
    let mut count = None;
    s.object(|key, s| match key {
        b"cancelled_orders" if count.is_some() => Err(Malformed::Duplicate),
        b"cancelled_orders" => {
            count = Some(i64::try_from(s.int()?).map_err(|_| Malformed::Range)?);
            Ok(())
        }
        _ => s.skip(),
    })?;
    count.ok_or(Malformed::Missing)
}

fn cancelled_by_nonce<'f, S: Source<'f>>(s: &mut S, id: RequestId, out: &mut Vec<Heard>) -> Result<(), Malformed> {
    // Zero cancelled means that nothing of that name was resting: filled, gone, or not there yet.
    let verdict = match cancelled_count(s)? {
        0 => Verdict::Refused,
        1 => Verdict::Accepted,
        _ => return Err(Malformed::Range),
    };
    out.push(Heard::Answer(answer(id, Request::Cancel, verdict, 0)));
    Ok(())
}

fn login<'f, S: Source<'f>>(s: &mut S, id: RequestId, out: &mut Vec<Heard>) -> Result<ReplyBody, Malformed> {
    let mut subaccounts = 0;
    rows(s, out, |s| {
        subaccounts += 1;
        let subaccount = SubaccountId(s.uint()?);
        Ok(Heard::Reply(Reply { id, body: ReplyBody::Access { subaccount } }))
    })?;
    Ok(ReplyBody::LoggedIn { subaccounts })
}

fn subscribed<'f, S: Source<'f>>(s: &mut S) -> Result<ReplyBody, Malformed> {
    let (mut accepted, mut refused) = (0u32, 0u32);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"status" => {
            seen.once(0)?;
            s.object(|_, s| {
                // A refusal's text may hold anything, escapes included.
                if s.is_string() && s.clone().string() == Ok(b"ok") {
                    accepted += 1;
                } else {
                    refused += 1;
                }
                if (accepted + refused) as usize > ROWS_MAX { Err(Malformed::Count) } else { s.skip() }
            })
        }
        _ => s.skip(),
    })?;
    seen.all(1)?;
    Ok(ReplyBody::Subscribed { accepted, refused })
}

fn account<'f, S: Source<'f>>(s: &mut S) -> Result<ReplyBody, Malformed> {
    let mut budget = Budget { matching_tps: 0, instrument_tps: 0, other_tps: 0 };
    let mut cancel_on_disconnect = false;
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"websocket_matching_tps" => seen.once(0).and(tps(s)).map(|value| budget.matching_tps = value),
        b"websocket_perp_tps" => seen.once(1).and(tps(s)).map(|value| budget.instrument_tps = value),
        b"websocket_non_matching_tps" => seen.once(2).and(tps(s)).map(|value| budget.other_tps = value),
        b"cancel_on_disconnect" => seen.once(3).and(s.flag()).map(|value| cancel_on_disconnect = value),
        _ => s.skip(),
    })?;
    seen.all(4)?;
    Ok(ReplyBody::Account { budget, cancel_on_disconnect })
}

fn tps<'f, S: Source<'f>>(s: &mut S) -> Result<u32, Malformed> {
    u32::try_from(s.uint()?).map_err(|_| Malformed::Range)
}

fn open_order<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary) -> Result<Heard, Malformed> {
    Ok(match order(s, None, words)? {
        (_, Some(row)) => Heard::Snapshot(Snapshot::OpenOrder(row)),
        (subaccount, None) => Heard::Foreign { subaccount, what: Foreign::Order },
    })
}

fn open_orders<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary, out: &mut Vec<Heard>) -> Result<ReplyBody, Malformed> {
    let first = out.len();
    let mut owner = None;
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"orders" => seen.once(0).and(rows(s, out, |s| open_order(s, words))),
        b"subaccount_id" => seen.once(1).and(s.uint()).map(|value| owner = Some(SubaccountId(value))),
        _ => s.skip(),
    })?;
    seen.all(2)?;
    for heard in &out[first..] {
        match heard {
            Heard::Snapshot(Snapshot::OpenOrder(row)) => same(row.subaccount, owner)?,
            Heard::Foreign { subaccount, .. } => same(*subaccount, owner)?,
            _ => {}
        }
    }
    Ok(ReplyBody::Done)
}

fn trade_history<'f, S: Source<'f>>(
    s: &mut S,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<ReplyBody, Malformed> {
    let pages = page(s, b"trades", out, |s| {
        Ok(match fill(s, None, words)? {
            Heard::Fill(fill) => Heard::PastFill(fill),
            other => other,
        })
    })?;
    Ok(ReplyBody::Pages { pages })
}

fn subaccount<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary, out: &mut Vec<Heard>) -> Result<ReplyBody, Malformed> {
    let place = out.len();
    let (mut id, mut liquidation, mut incomplete) = (SubaccountId(0), false, false);
    let [mut initial_margin, mut maintenance_margin, mut value] = [Cash::ZERO; 3];
    out.push(begin(id, [Cash::ZERO; 3], false));
    let mut positions = None;
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"subaccount_id" => seen.once(0).and(s.uint()).map(|number| id = SubaccountId(number)),
        b"initial_margin" => seen.once(1).and(s.cash()).map(|cash| initial_margin = cash),
        b"maintenance_margin" => seen.once(2).and(s.cash()).map(|cash| maintenance_margin = cash),
        b"subaccount_value" => seen.once(3).and(s.cash()).map(|cash| value = cash),
        b"is_under_liquidation" => seen.once(4).and(s.flag()).map(|flag| liquidation = flag),
        b"collaterals" => seen.once(5).and(rows(s, out, |s| collateral(s, words))),
        b"positions" => {
            // Whatever the order of keys, collaterals are reported first.
            seen.once(6)?;
            positions = Some(s.clone());
            s.skip()
        }
        b"failed_to_fetch" => seen.once(7).and(s.flag()).map(|flag| incomplete = flag),
        _ => s.skip(),
    })?;
    seen.all(7)?;
    let mut positions = positions.ok_or(Malformed::Missing)?;
    rows(&mut positions, out, |s| position(s, words))?;
    if incomplete {
        out.truncate(place);
        return Ok(ReplyBody::Incomplete);
    }
    out[place] = begin(id, [initial_margin, maintenance_margin, value], liquidation);
    for heard in &mut out[place..] {
        if let Heard::Foreign { subaccount, .. } = heard {
            *subaccount = id;
        }
    }
    Ok(ReplyBody::Done)
}

fn begin(subaccount: SubaccountId, [initial_margin, maintenance_margin, value]: [Cash; 3], liquidation: bool) -> Heard {
    Heard::Snapshot(Snapshot::Begin { subaccount, initial_margin, maintenance_margin, value, liquidation })
}

fn collateral<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary) -> Result<Heard, Malformed> {
    let (mut currency, mut amount) = (None, Cash::ZERO);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"asset_name" => seen.once(0).and(s.string()).map(|name| currency = words.currencies.get(name)),
        b"amount" => seen.once(1).and(s.cash()).map(|value| amount = value),
        _ => s.skip(),
    })?;
    seen.all(2)?;
    Ok(match currency {
        Some(currency) => Heard::Snapshot(Snapshot::Collateral { currency, amount }),
        None => Heard::Foreign { subaccount: SubaccountId(0), what: Foreign::Collateral },
    })
}

fn position<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary) -> Result<Heard, Malformed> {
    let mut instrument: Option<InstrumentId> = None;
    let (mut amount, mut mark, mut perp) = (Amount::ZERO, Price::ZERO, false);
    let [mut value, mut settled_funding, mut pending_funding] = [Cash::ZERO; 3];
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"instrument_name" => seen.once(0).and(s.string()).map(|name| instrument = words.instruments.get(name)),
        b"amount" => seen.once(1).and(s.exact()).map(|raw| amount = Amount::from_raw(raw)),
        b"mark_price" => seen.once(2).and(s.mark()).map(|price| mark = price),
        b"mark_value" => seen.once(3).and(s.cash()).map(|cash| value = cash),
        b"cumulative_funding" => seen.once(4).and(s.cash()).map(|cash| settled_funding = cash),
        b"pending_funding" => seen.once(5).and(s.cash()).map(|cash| pending_funding = cash),
        b"instrument_type" => seen.once(6).and(s.string()).map(|kind| perp = kind == b"perp"),
        _ => s.skip(),
    })?;
    seen.all(7)?;
    let Some(instrument) = instrument else {
        return Ok(Heard::Foreign { subaccount: SubaccountId(0), what: Foreign::Position });
    };
    // A perp's mark value is exactly what settlement would pay now; an option's is its price, owed to nobody yet.
    let unsettled = if perp { value } else { Cash::ZERO };
    let funding = settled_funding + pending_funding;
    Ok(Heard::Snapshot(Snapshot::Position { instrument, amount, mark, unsettled, funding }))
}
