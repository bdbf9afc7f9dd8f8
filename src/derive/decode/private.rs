//! Private channels: orders, fills, balances and best quotes of one subaccount.

use super::malformed::{Malformed, Seen};
use super::names::Vocabulary;
use super::public::is_taker;
use super::source::Source;
use super::{BestQuote, Foreign, Heard, LEGS_MAX, QuoteLeg, ROWS_MAX};
use crate::base::ids::{InstrumentId, Nonce, Side, SubaccountId, Uuid};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::Nanos;
use crate::derive::request_id::parse_u64;
use crate::msg::{Asset, Balance, BalanceKind, Fill, OrderRow, OrderStatus};

/// Calls `row` on every element of an array, bounding how much may be heard.
pub(super) fn rows<'f, S: Source<'f>>(
    s: &mut S,
    out: &mut Vec<Heard>,
    mut row: impl FnMut(&mut S) -> Result<Heard, Malformed>,
) -> Result<(), Malformed> {
    s.array(|s| {
        out.push(row(s)?);
        if out.len() > ROWS_MAX { Err(Malformed::Count) } else { Ok(()) }
    })
}

/// Refuses a row of another subaccount than expected.
pub(super) fn same(found: SubaccountId, want: Option<SubaccountId>) -> Result<(), Malformed> {
    if want.is_none_or(|want| want == found) { Ok(()) } else { Err(Malformed::Subaccount) }
}

fn status<'f, S: Source<'f>>(s: &mut S) -> Result<OrderStatus, Malformed> {
    match s.string()? {
        b"open" | b"untriggered" | b"algo_active" => Ok(OrderStatus::Open),
        b"filled" => Ok(OrderStatus::Filled),
        b"cancelled" => Ok(OrderStatus::Cancelled),
        b"expired" => Ok(OrderStatus::Expired),
        b"rejected" => Ok(OrderStatus::Rejected),
        _ => Err(Malformed::Word),
    }
}

/// One order; `None` inside if its instrument is not in the table.
pub(super) fn order<'f, S: Source<'f>>(
    s: &mut S,
    want: Option<SubaccountId>,
    words: &Vocabulary,
) -> Result<(SubaccountId, Option<OrderRow>), Malformed> {
    let mut instrument = None;
    let mut row = OrderRow {
        subaccount: SubaccountId(0),
        order_id: Uuid(0),
        nonce: Nonce(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: Price::ZERO,
        amount: Amount::ZERO,
        filled: Amount::ZERO,
        status: OrderStatus::Open,
        updated_at: Nanos::ZERO,
    };
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"subaccount_id" => seen.once(0).and(s.uint()).map(|value| row.subaccount = SubaccountId(value)),
        b"order_id" => seen.once(1).and(s.uuid()).map(|value| row.order_id = value),
        b"nonce" => seen.once(2).and(s.nonce()).map(|value| row.nonce = Nonce(value)),
        b"instrument_name" => seen.once(3).and(s.string()).map(|name| instrument = words.instruments.get(name)),
        b"direction" => seen.once(4).and(s.side()).map(|value| row.side = value),
        b"limit_price" => seen.once(5).and(s.price()).map(|value| row.price = value),
        b"amount" => seen.once(6).and(s.amount()).map(|value| row.amount = value),
        b"filled_amount" => seen.once(7).and(s.amount()).map(|value| row.filled = value),
        b"order_status" => seen.once(8).and(status(s)).map(|value| row.status = value),
        b"last_update_timestamp" => seen.once(9).and(s.millis()).map(|value| row.updated_at = value),
        _ => s.skip(),
    })?;
    seen.all(10)?;
    same(row.subaccount, want)?;
    if row.filled > row.amount {
        return Err(Malformed::Overfill);
    }
    Ok((row.subaccount, instrument.map(|instrument| OrderRow { instrument, ..row })))
}

/// One of our fills.
pub(super) fn fill<'f, S: Source<'f>>(
    s: &mut S,
    want: Option<SubaccountId>,
    words: &Vocabulary,
) -> Result<Heard, Malformed> {
    let mut instrument = None;
    let mut fill = Fill {
        subaccount: SubaccountId(0),
        trade_id: Uuid(0),
        order_id: Uuid(0),
        nonce: Nonce(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: Price::ZERO,
        amount: Amount::ZERO,
        fee: Cash::ZERO,
        maker: false,
        mark: Price::ZERO,
        venue_at: Nanos::ZERO,
    };
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"subaccount_id" => seen.once(0).and(s.uint()).map(|value| fill.subaccount = SubaccountId(value)),
        b"trade_id" => seen.once(1).and(s.uuid()).map(|value| fill.trade_id = value),
        b"order_id" => seen.once(2).and(s.uuid()).map(|value| fill.order_id = value),
        b"label" => seen.once(3).and(label(s)).map(|value| fill.nonce = value),
        b"instrument_name" => seen.once(4).and(s.string()).map(|name| instrument = words.instruments.get(name)),
        b"direction" => seen.once(5).and(s.side()).map(|value| fill.side = value),
        b"trade_price" => seen.once(6).and(s.price()).map(|value| fill.price = value),
        b"trade_amount" => seen.once(7).and(s.amount()).map(|value| fill.amount = value),
        b"trade_fee" => seen.once(8).and(s.cash()).map(|value| fill.fee = value),
        b"liquidity_role" => seen.once(9).and(is_taker(s)).map(|taker| fill.maker = !taker),
        b"mark_price" => seen.once(10).and(s.mark()).map(|value| fill.mark = value),
        b"timestamp" => seen.once(11).and(s.millis()).map(|value| fill.venue_at = value),
        _ => s.skip(),
    })?;
    seen.all(12)?;
    same(fill.subaccount, want)?;
    if !fill.amount.is_positive() {
        return Err(Malformed::Range);
    }
    Ok(match instrument {
        Some(instrument) => Heard::Fill(Fill { instrument, ..fill }),
        None => Heard::Foreign { subaccount: fill.subaccount, what: Foreign::Fill },
    })
}

/// Our nonce as an order's label; zero if the label is somebody else's.
fn label<'f, S: Source<'f>>(s: &mut S) -> Result<Nonce, Malformed> {
    if s.null() {
        return Ok(Nonce(0));
    }
    s.string().map(|text| Nonce(parse_u64(text).unwrap_or(0)))
}

fn balance_kind<'f, S: Source<'f>>(s: &mut S) -> Result<BalanceKind, Malformed> {
    match s.string()? {
        b"trade" => Ok(BalanceKind::Trade),
        b"perp_settlement" => Ok(BalanceKind::PerpSettlement),
        b"interest_accrual" => Ok(BalanceKind::Interest),
        b"asset_deposit" | b"asset_withdrawal" | b"transfer" | b"subaccount_deposit" | b"subaccount_withdrawal" => {
            Ok(BalanceKind::Transfer)
        }
        b"option_settlement" => Ok(BalanceKind::OptionSettlement),
        b"liquidation" | b"liquidator" | b"onchain_drift_fix" | b"onchain_revert" | b"double_revert" => {
            Ok(BalanceKind::Alarm)
        }
        _ => Err(Malformed::Word),
    }
}

/// One balance change.
pub(super) fn balance<'f, S: Source<'f>>(
    s: &mut S,
    subaccount: SubaccountId,
    words: &Vocabulary,
) -> Result<Heard, Malformed> {
    let (mut name, mut kind): (&[u8], _) = (b"", BalanceKind::Alarm);
    let (mut previous, mut new) = (Cash::ZERO, Cash::ZERO);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"name" => seen.once(0).and(s.string()).map(|value| name = value),
        b"previous_balance" => seen.once(1).and(s.cash()).map(|value| previous = value),
        b"new_balance" => seen.once(2).and(s.cash()).map(|value| new = value),
        b"update_type" => seen.once(3).and(balance_kind(s)).map(|value| kind = value),
        _ => s.skip(),
    })?;
    seen.all(4)?;
    let currency = words.currencies.get(name).map(Asset::Currency);
    let asset = currency.or_else(|| words.instruments.get(name).map(Asset::Instrument));
    Ok(match asset {
        Some(asset) => Heard::Balance(Balance { subaccount, asset, previous, new, kind }),
        None => Heard::Foreign { subaccount, what: Foreign::Balance },
    })
}

/// The best quote of one open RFQ.
pub(super) fn best_quote<'f, S: Source<'f>>(
    s: &mut S,
    subaccount: SubaccountId,
    words: &Vocabulary,
) -> Result<Heard, Malformed> {
    let mut quote = BestQuote { subaccount, ..BestQuote::default() };
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"rfq_id" => seen.once(0).and(s.uuid()).map(|value| quote.rfq_id = value),
        b"result" => {
            seen.once(1)?;
            if s.null() { Ok(()) } else { quote_result(s, &mut quote, words) }
        }
        b"error" => {
            seen.once(2)?;
            if s.null() { Ok(()) } else { error_code(s).map(|code| quote.code = code) }
        }
        _ => s.skip(),
    })?;
    seen.all(1)?;
    Ok(Heard::BestQuote(quote))
}

fn quote_result<'f, S: Source<'f>>(s: &mut S, quote: &mut BestQuote, words: &Vocabulary) -> Result<(), Malformed> {
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"best_quote" => {
            seen.once(0)?;
            if s.null() { Ok(()) } else { quote_row(s, quote, words) }
        }
        b"direction" => seen.once(1).and(s.side()).map(|value| quote.direction = value),
        b"is_valid" => seen.once(2).and(s.flag()).map(|value| quote.valid = value),
        b"estimated_fee" => seen.once(3).and(s.cash()).map(|value| quote.fee = value),
        b"suggested_max_fee" => seen.once(4).and(s.cash()).map(|value| quote.max_fee = value),
        b"estimated_total_cost" => seen.once(5).and(s.cash()).map(|value| quote.total_cost = value),
        _ => s.skip(),
    })?;
    seen.all(6)
}

fn quote_row<'f, S: Source<'f>>(s: &mut S, quote: &mut BestQuote, words: &Vocabulary) -> Result<(), Malformed> {
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"quote_id" => seen.once(0).and(s.uuid()).map(|value| quote.quote_id = Some(value)),
        b"legs" => {
            seen.once(1)?;
            s.array(|s| {
                let leg = quote_leg(s, words)?;
                let room = quote.legs.get_mut(usize::from(quote.leg_count)).ok_or(Malformed::Count)?;
                *room = leg;
                quote.leg_count += 1;
                Ok(())
            })
        }
        _ => s.skip(),
    })?;
    debug_assert!(usize::from(quote.leg_count) <= LEGS_MAX);
    seen.all(2)
}

fn quote_leg<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary) -> Result<QuoteLeg, Malformed> {
    let mut leg = QuoteLeg::default();
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"instrument_name" => {
            seen.once(0)?;
            leg.instrument = words.instruments.get(s.string()?).ok_or(Malformed::Name)?;
            Ok(())
        }
        b"amount" => seen.once(1).and(s.amount()).map(|value| leg.amount = value),
        b"direction" => seen.once(2).and(s.side()).map(|value| leg.side = value),
        b"price" => seen.once(3).and(s.price()).map(|value| leg.price = value),
        _ => s.skip(),
    })?;
    seen.all(4)?;
    if leg.amount.is_positive() { Ok(leg) } else { Err(Malformed::Range) }
}

/// The code of an error object.
pub(super) fn error_code<'f, S: Source<'f>>(s: &mut S) -> Result<i32, Malformed> {
    let mut code = None;
    s.object(|key, s| match key {
        b"code" if code.is_some() => Err(Malformed::Duplicate),
        b"code" => {
            code = Some(i32::try_from(s.int()?).map_err(|_| Malformed::Range)?);
            Ok(())
        }
        _ => s.skip(),
    })?;
    code.ok_or(Malformed::Missing)
}
