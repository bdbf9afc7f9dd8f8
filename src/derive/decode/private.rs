//! Private channels: orders, fills and balances of one subaccount.

use super::malformed::{Malformed, Seen};
use super::names::Vocabulary;
use super::public::is_taker;
use super::source::Source;
use super::{Foreign, Heard, ROWS_MAX};
use crate::base::ids::{InstrumentId, Nonce, Side, SubaccountId, Uuid};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::Nanos;
use crate::derive::request_id::parse_u64;
use crate::msg::{Asset, Balance, BalanceKind, Fill, OrderRow, OrderStatus, Settlement};

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

/// Reads one page of rows that lie under `key`; how many pages there are.
pub(super) fn page<'f, S: Source<'f>>(
    s: &mut S,
    list: &[u8],
    out: &mut Vec<Heard>,
    mut row: impl FnMut(&mut S) -> Result<Heard, Malformed>,
) -> Result<u64, Malformed> {
    let mut pages = None;
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        key if key == list => seen.once(0).and(rows(s, out, &mut row)),
        b"pagination" => {
            seen.once(1)?;
            s.object(|key, s| match key {
                b"num_pages" => s.uint().map(|value| pages = Some(value)),
                _ => s.skip(),
            })
        }
        _ => s.skip(),
    })?;
    seen.all(2)?;
    pages.ok_or(Malformed::Missing)
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
        settlement: Settlement::Final,
    };
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"subaccount_id" => seen.once(0).and(s.uint()).map(|value| fill.subaccount = SubaccountId(value)),
        b"trade_id" => seen.once(1).and(s.uuid()).map(|value| fill.trade_id = value),
        b"order_id" => seen.once(2).and(order_id(s)).map(|value| fill.order_id = value),
        b"label" => seen.once(3).and(label(s)).map(|value| fill.nonce = value),
        b"instrument_name" => seen.once(4).and(s.string()).map(|name| instrument = words.instruments.get(name)),
        b"direction" => seen.once(5).and(s.side()).map(|value| fill.side = value),
        b"trade_price" => seen.once(6).and(s.price()).map(|value| fill.price = value),
        b"trade_amount" => seen.once(7).and(s.amount()).map(|value| fill.amount = value),
        b"trade_fee" => seen.once(8).and(s.cash()).map(|value| fill.fee = value),
        b"liquidity_role" => seen.once(9).and(is_taker(s)).map(|taker| fill.maker = !taker),
        b"mark_price" => seen.once(10).and(s.mark()).map(|value| fill.mark = value),
        b"timestamp" => seen.once(11).and(s.millis()).map(|value| fill.venue_at = value),
        b"tx_status" => seen.once(12).and(settlement(s)).map(|value| fill.settlement = value),
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

/// Where a fill stands on the chain; a word that we do not know says at least that it is not over.
fn settlement<'f, S: Source<'f>>(s: &mut S) -> Result<Settlement, Malformed> {
    if s.null() {
        return Ok(Settlement::Open);
    }
    Ok(match s.string()? {
        b"settled" => Settlement::Settled,
        b"reverted" => Settlement::Reverted,
        _ => Settlement::Open,
    })
}

/// The order a fill belongs to; zero for the fill of a quote, which has none.
fn order_id<'f, S: Source<'f>>(s: &mut S) -> Result<Uuid, Malformed> {
    if s.null() {
        return Ok(Uuid(0));
    }
    match s.string()? {
        b"" => Ok(Uuid(0)),
        text => Uuid::parse(text).ok_or(Malformed::Id),
    }
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
