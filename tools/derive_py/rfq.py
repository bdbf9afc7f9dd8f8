"""A request for quotes on a weekly call spread, with the SDK as its taker and, on a second account, as its maker."""

from __future__ import annotations

import time
from decimal import ROUND_HALF_EVEN, Decimal

from derive_py import WebSocketClient
from derive_py.data_types.generated_models import (
    AssetType,
    Direction,
    LegUnpricedParams,
    PricedLegParamsAndResponse,
    RFQStatus,
)
from derive_py.exceptions import DeriveJSONRPCError

from support import Frames, done, expect, on_tick, refused_with

AMOUNT = Decimal("2")
WEEKLY_MIN_S = 2 * 86_400
RFQ_NOT_OPEN = {11104}
NOT_A_MAKER = {14027}

Prices = dict[str, Decimal]


async def weekly_spread(client: WebSocketClient) -> list[str]:
    """The first two call strikes 5 % above the index, in the nearest expiry that is at least two days away."""
    options = await client.markets.fetch_instruments(instrument_type=AssetType.option)
    soon = time.time() + WEEKLY_MIN_S
    calls = [
        (int(o.option_details.expiry), Decimal(o.option_details.strike), o.instrument_name)
        for o in options.values()
        if o.base_currency == "ETH" and o.is_active and o.option_details.option_type == "C"
    ]
    index = Decimal((await client.markets.get_ticker(instrument_name="ETH-PERP")).index_price)
    above = sorted(call for call in calls if call[0] > soon and call[1] > index * Decimal("1.05"))
    expect(len(above) >= 2 and above[0][0] == above[1][0], f"no weekly calls above {index} among {len(calls)}")
    return [name for _, _, name in above[:2]]


def legs_of(names: list[str], amount: Decimal) -> list[LegUnpricedParams]:
    """Sell the lower strike, buy the upper one."""
    sides = (Direction.sell, Direction.buy)
    return [LegUnpricedParams(amount=amount, direction=side, instrument_name=name) for side, name in zip(sides, names)]


def priced(legs: list[LegUnpricedParams], prices: Prices) -> list[PricedLegParamsAndResponse]:
    return [
        PricedLegParamsAndResponse(
            amount=leg.amount, direction=leg.direction, instrument_name=leg.instrument_name, price=prices[leg.instrument_name]
        )
        for leg in legs
    ]


async def marks(client: WebSocketClient, names: list[str]) -> Prices:
    prices = {}
    for name in names:
        ticker = await client.markets.get_ticker(instrument_name=name)
        expect(ticker.option_pricing is not None, f"{name} has no option pricing: {ticker}")
        tick = client.markets.option_instruments_cache[name].tick_size
        prices[name] = on_tick(Decimal(ticker.mark_price), tick, ROUND_HALF_EVEN)
    return prices


async def sizes(client: WebSocketClient, names: list[str]) -> list[Decimal]:
    held = {p.instrument_name: Decimal(p.amount) for p in await client.positions.list()}
    return [held.get(name, Decimal(0)) for name in names]


async def be_watched(taker: WebSocketClient, maker: WebSocketClient) -> tuple[Frames, Frames]:
    asking, answering = Frames(), Frames()
    sub = taker.active_subaccount.id
    await taker.private_channels.best_quotes_by_subaccount_id(sub, asking.on("best"))
    await taker.private_channels.trades_by_subaccount_id(sub, asking.on("fills"))
    await taker.private_channels.balances_by_subaccount_id(sub, asking.on("balances"))
    await maker.private_channels.rfqs_by_wallet(maker.account.state.wallet, answering.on("rfqs"))
    await maker.private_channels.quotes_by_subaccount_id(maker.active_subaccount.id, answering.on("quotes"))
    expect(maker.account.state.is_rfq_maker, f"the second account is not an RFQ maker: {maker.account.state}")
    expect(not taker.account.state.is_rfq_maker, "the first account is an RFQ maker too")
    return asking, answering


async def ask(taker: WebSocketClient, maker: WebSocketClient, answering: Frames, legs, **more):
    """Opens a request that only our maker sees, and waits until it has."""
    rfq = await taker.rfq.send_rfq(legs=legs, counterparties=[maker.account.state.wallet], label="check", **more)
    expect(rfq.status == RFQStatus.open and rfq.label == "check", f"not open: {rfq}")
    expect(abs(rfq.valid_until - rfq.creation_timestamp - 600_000) <= 1, f"another window than 600 s: {rfq}")
    await answering.wait("RFQ frame", lambda: any(r.rfq_id == rfq.rfq_id for r in answering.items.get("rfqs", [])))
    polled = (await maker.rfq.poll_rfqs(rfq_id=rfq.rfq_id)).rfqs
    expect([r.rfq_id for r in polled] == [rfq.rfq_id], f"the maker polls {polled}")
    return rfq


def told(asking: Frames, rfq_id: str):
    """The last best quote pushed for a request: its id, None when it vanished."""
    rows = [r for r in asking.items.get("best", []) if r.rfq_id == rfq_id and r.result]
    return rows[-1].result.best_quote.quote_id if rows and rows[-1].result.best_quote else None


async def sell_in_halves(taker, maker, asking: Frames, answering: Frames, names: list[str]) -> None:
    legs, half = legs_of(names, AMOUNT), legs_of(names, AMOUNT / 2)
    prices = await marks(taker, names)
    estimate = await taker.rfq.get_best_quote(legs=legs)
    expect(estimate.is_valid and estimate.estimated_total_cost < 0, f"a call spread sold costs: {estimate}")
    rfq = await ask(taker, maker, answering, legs, partial_fill_step=Decimal("0.5"))
    done("send_rfq", f"{rfq.rfq_id}: {' / '.join(names)}, mark cost {rfq.mark_total_cost}")

    async def quoted():
        quote = await maker.rfq.send_quote(direction=Direction.sell, legs=priced(half, prices), rfq_id=rfq.rfq_id)
        expect(quote.status == RFQStatus.open and quote.fill_pct == Decimal("0.5"), f"not open: {quote}")
        await asking.wait("best quote", lambda: told(asking, rfq.rfq_id) == quote.quote_id)
        return quote

    first = await quoted()
    cancelled = await maker.rfq.cancel_quote(quote_id=first.quote_id)
    expect(cancelled.status == RFQStatus.cancelled, f"not cancelled: {cancelled}")
    await asking.wait("vanished best quote", lambda: told(asking, rfq.rfq_id) is None)
    try:
        await taker.rfq.accept_quote(quote=first)
    except DeriveJSONRPCError as error:
        refused_with(RFQ_NOT_OPEN, error)
    else:
        raise AssertionError("a cancelled quote was executed")
    done("best quote", "pushed, withdrawn, refused at execution")

    second = await quoted()
    polled = (await taker.rfq.poll_quotes(rfq_id=rfq.rfq_id, status="open")).quotes
    expect([q.quote_id for q in polled] == [second.quote_id], f"the taker polls {polled}")
    expect(polled[0].legs_hash == second.legs_hash, "the two views have different legs")
    executed = await taker.rfq.accept_quote(quote=polled[0], label="first half")
    expect(executed.rfq_filled_pct == Decimal("0.5") and executed.fee > 0, f"not half filled: {executed}")
    third = await quoted()
    executed = await taker.rfq.accept_quote(quote=third, max_fee=executed.fee * 2)
    expect(executed.rfq_filled_pct == 1, f"not filled: {executed}")
    await filled(asking, answering, rfq.rfq_id, {second.quote_id, third.quote_id})
    expect(await sizes(taker, names) == [-AMOUNT, AMOUNT], f"positions {await sizes(taker, names)}")
    expect(await sizes(maker, names) == [AMOUNT, -AMOUNT], f"the maker's positions {await sizes(maker, names)}")
    done("execute_quote", f"two halves at {', '.join(str(p) for p in prices.values())}, fee {executed.fee} each")


async def filled(asking: Frames, answering: Frames, rfq_id: str, quotes: set[str]) -> None:
    """Waits for every leg's fill and for the maker's filled quotes."""
    fills = lambda: [t for t in asking.items.get("fills", []) if t.rfq_id == rfq_id]
    await asking.wait("fills", lambda: len(fills()) == 2 * len(quotes))
    expect({t.quote_id for t in fills()} == quotes, f"fills of {fills()}")
    mine = lambda: {q.quote_id for q in answering.items.get("quotes", []) if q.status == RFQStatus.filled}
    await answering.wait("filled quotes", lambda: quotes <= mine())
    await answering.wait(
        "filled RFQ",
        lambda: any(r.rfq_id == rfq_id and r.status == RFQStatus.filled for r in answering.items["rfqs"]),
    )


async def buy_back(taker, maker, asking: Frames, answering: Frames, names: list[str]) -> None:
    """The same package in the other direction: the maker buys it, the taker sells it."""
    legs = legs_of(names, AMOUNT)
    rfq = await ask(taker, maker, answering, legs)
    offer = {"legs": priced(legs, await marks(taker, names)), "rfq_id": rfq.rfq_id, "direction": Direction.buy}
    quote = await maker.rfq.send_quote(label="bid", **offer)
    await asking.wait("best quote", lambda: told(asking, rfq.rfq_id) == quote.quote_id)
    executed = await taker.rfq.execute_quote(
        direction=Direction.sell, legs=quote.legs, quote_id=quote.quote_id, rfq_id=rfq.rfq_id
    )
    expect(executed.direction == Direction.sell and executed.rfq_filled_pct == 1, f"not filled: {executed}")
    await filled(asking, answering, rfq.rfq_id, {quote.quote_id})
    expect(await sizes(taker, names) == [0, 0], f"positions left {await sizes(taker, names)}")
    owned = (await maker.rfq.get_quotes(rfq_id=rfq.rfq_id)).quotes
    expect([(q.label, q.status) for q in owned] == [("bid", RFQStatus.filled)], f"the maker's quotes {owned}")
    done("the other direction", f"sold back, fee {executed.fee}")


async def cancel(taker, maker, answering: Frames, names: list[str]) -> None:
    legs = legs_of(names, AMOUNT)
    first, second = [await ask(taker, maker, answering, legs) for _ in range(2)]
    quotes = [
        await maker.rfq.send_quote(
            direction=Direction.sell, legs=priced(legs, await marks(taker, names)), rfq_id=rfq.rfq_id
        )
        for rfq in (first, second)
    ]
    expect(await taker.rfq.cancel_rfq(rfq_id=first.rfq_id) == "ok", "cancel_rfq does not answer ok")
    gone = (await maker.rfq.get_quotes(quote_id=quotes[0].quote_id)).quotes[0]
    expect(gone.cancel_reason.value == "rfq_no_longer_open", f"the quote of a cancelled RFQ: {gone}")
    batch = await maker.rfq.cancel_batch_quotes(rfq_id=second.rfq_id)
    expect(batch.cancelled_ids == [quotes[1].quote_id], f"cancelled {batch}")
    batch = await taker.rfq.cancel_batch_rfqs(label="check")
    expect(batch.cancelled_ids == [second.rfq_id], f"cancelled {batch}")
    history = (await taker.rfq.get_rfqs()).rfqs
    expect([r.rfq_id for r in history[:2]] == [second.rfq_id, first.rfq_id], f"history {history}")
    try:
        await taker.rfq.poll_rfqs()
    except DeriveJSONRPCError as error:
        refused_with(NOT_A_MAKER, error)
    else:
        raise AssertionError("an account that is no maker may poll RFQs")
    done("cancels", "rfq, batch of quotes, batch of rfqs")


async def ask_and_answer(taker: WebSocketClient, maker: WebSocketClient) -> None:
    names = await weekly_spread(taker)
    await maker.markets.fetch_instruments(instrument_type=AssetType.option)
    asking, answering = await be_watched(taker, maker)
    before = await sizes(taker, names)
    expect(before == [0, 0], f"positions before: {before}")
    await sell_in_halves(taker, maker, asking, answering, names)
    await buy_back(taker, maker, asking, answering, names)
    await cancel(taker, maker, answering, names)
