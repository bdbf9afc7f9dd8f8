"""Runs Derive's official Python SDK against a Keel exchange: the SDK as published, changed only in its URLs.

Prints one line per step and exits 1 at the first step that fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import sys
import time
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from urllib.parse import urlparse

from derive_py import HTTPClient, WebSocketClient
from derive_py.config import CONFIGS
from derive_py.data_types import Chain, ChecksumAddress, ClientConfig
from derive_py.data_types.generated_models import AssetType, Direction, OrderStatus, TimeInForce
from derive_py.exceptions import DeriveJSONRPCError

from rfq import ask_and_answer
from support import Complaints, Frames, done, expect, on_tick, refused_with

PERP = "ETH-PERP"
INSTRUMENTS = {"BTC-PERP", "BTC-USDC", "ETH-PERP", "ETH-USDC", "LBTC-USDC", "WEETH-USDC"}
AMOUNT = Decimal("0.1")

POST_ONLY_WOULD_CROSS = {11008}
NONCE_REFUSED = {11016, 11017, 11018}


async def read_market(client: WebSocketClient) -> None:
    drift_ms = await client.system.get_time() - int(time.time() * 1000)
    expect(abs(drift_ms) < 5_000, f"server time is {drift_ms} ms off")
    done("time", f"{drift_ms:+d} ms from ours")

    cached = {**client.markets.erc20_instruments_cache, **client.markets.perp_instruments_cache}
    expect(INSTRUMENTS <= set(cached), f"missing instruments: {sorted(INSTRUMENTS - set(cached))}")
    single = await client.markets.get_instrument(instrument_name=PERP)
    expect(single.perp_details is not None and single.is_active, f"{PERP} is not an active perp: {single}")
    expect(set(await client.markets.get_all_live_instruments()) >= INSTRUMENTS, "live instruments are incomplete")
    done("instruments", ", ".join(sorted(cached)))

    currencies = {currency.currency for currency in await client.markets.get_all_currencies()}
    expect({"ETH", "BTC", "WEETH", "LBTC"} <= currencies, f"currencies: {sorted(currencies)}")
    done("currencies", ", ".join(sorted(currencies)))

    tickers = {}
    for kind in (AssetType.perp, AssetType.erc20):
        tickers.update(await client.markets.get_tickers(instrument_type=kind))
    expect(INSTRUMENTS <= set(tickers), f"tickers for {sorted(tickers)} only")
    one = await client.markets.get_ticker(instrument_name=PERP)
    expect(0 < Decimal(one.best_bid_price) < Decimal(one.best_ask_price), f"the {PERP} book is not two-sided: {one}")
    expect(Decimal(one.min_price) < Decimal(one.index_price) < Decimal(one.max_price), f"price band: {one}")
    done("tickers", f"{PERP} {one.best_bid_price} / {one.best_ask_price}, funding {one.funding_rate}")


async def subscribe(client: WebSocketClient, frames: Frames, subaccount: int) -> None:
    public, private = client.public_channels, client.private_channels
    await public.spot_feed_by_currency("ETH", frames.on("spot_feed"))
    await public.ticker_slim_interval_by_instrument_name(PERP, 100, frames.on("ticker_slim"))
    await public.orderbook_group_depth_by_instrument_name(PERP, 1, 10, frames.on("orderbook"))
    await public.trades_by_instrument_name(PERP, frames.on("trades"))
    await public.trades_by_instrument_type(AssetType.erc20, "WEETH", frames.on("trades.erc20"))
    await private.orders_by_subaccount_id(subaccount, frames.on("orders"))
    await private.trades_by_subaccount_id(subaccount, frames.on("fills"))
    await private.balances_by_subaccount_id(subaccount, frames.on("balances"))
    await private.best_quotes_by_subaccount_id(subaccount, frames.on("best.quotes"))
    expect(len(client.subscriptions) == 9, f"subscribed to {client.subscriptions}")
    for channel in ("spot_feed", "ticker_slim", "orderbook", "trades"):
        await frames.wait(f"frame on {channel}", lambda: frames.counts[channel] >= 2)
    book = frames.items["orderbook"][-1]
    expect(bool(book.bids) and bool(book.asks), f"one-sided book: {book}")
    expect(Decimal(book.bids[0][0]) < Decimal(book.asks[0][0]), f"crossed book: {book}")
    done("public channels", ", ".join(f"{name} {count}" for name, count in sorted(frames.counts.items())))


async def quote(client: WebSocketClient, frames: Frames) -> None:
    tick = client.markets.perp_instruments_cache[PERP].tick_size
    ticker = await client.markets.get_ticker(instrument_name=PERP)
    low = on_tick(Decimal(ticker.best_bid_price) * Decimal("0.99"), tick, ROUND_FLOOR)
    side = {"instrument_name": PERP, "amount": AMOUNT, "direction": Direction.buy, "time_in_force": TimeInForce.post_only}

    placed = (await client.orders.create(limit_price=low, label="check", **side)).order
    expect(placed.order_status == OrderStatus.open and placed.limit_price == low, f"not resting: {placed}")
    await frames.wait("order frame", lambda: any(o.order_id == placed.order_id for o in frames.items.get("orders", [])))
    expect([o.order_id for o in await client.orders.list_open()] == [placed.order_id], "not among the open orders")
    expect((await client.orders.get(order_id=placed.order_id)).label == "check", "the label is lost")
    done("post-only order", f"{placed.order_id} at {placed.limit_price}")

    lower = low - Decimal(tick)
    reply = await client.orders.replace(limit_price=lower, order_id_to_cancel=placed.order_id, **side)
    expect(reply.create_order_error is None and reply.order is not None, f"not replaced: {reply}")
    expect(reply.cancelled_order.order_id == placed.order_id, f"cancelled another order: {reply}")
    expect(reply.cancelled_order.order_status == OrderStatus.cancelled, f"the old order lives: {reply}")
    expect(reply.order.replaced_order_id == placed.order_id, f"does not name what it replaced: {reply.order}")
    done("replace", f"{reply.order.order_id} at {reply.order.limit_price}")

    by_nonce = await client.orders.replace(limit_price=low, nonce_to_cancel=int(reply.order.nonce), **side)
    expect(by_nonce.order is not None and by_nonce.order.order_status == OrderStatus.open, f"not replaced: {by_nonce}")
    done("replace by nonce", by_nonce.order.order_id)

    cancelled = await client.orders.cancel(instrument_name=PERP, order_id=by_nonce.order.order_id)
    expect(cancelled.order_status == OrderStatus.cancelled, f"not cancelled: {cancelled}")
    expect(cancelled.cancel_reason == "user_request", f"cancelled for {cancelled.cancel_reason!r}")
    expect(await client.orders.list_open() == [], "orders are still open")
    done("cancel", cancelled.order_id)

    async def resting(**more):
        return (await client.orders.create(limit_price=low, **side, **more)).order

    await client.orders.cancel_by_nonce(instrument_name=PERP, nonce=int((await resting()).nonce))
    await resting(label="swept")
    await client.orders.cancel_by_label(label="swept", instrument_name=PERP)
    await resting()
    await client.orders.cancel_by_instrument(instrument_name=PERP)
    await resting()
    expect(await client.orders.cancel_all() == "ok", "cancel_all does not answer ok")
    expect(await client.orders.list_open() == [], "orders survived their cancels")
    done("other cancels", "by nonce, label, instrument, all")


async def be_refused(client: WebSocketClient) -> None:
    ticker = await client.markets.get_ticker(instrument_name=PERP)
    crossing = Decimal(ticker.best_ask_price) * Decimal("1.005")
    side = {"instrument_name": PERP, "amount": AMOUNT, "direction": Direction.buy, "time_in_force": TimeInForce.post_only}
    try:
        await client.orders.create(limit_price=crossing, **side)
    except DeriveJSONRPCError as error:
        refused_with(POST_ONLY_WOULD_CROSS, error)
    else:
        raise AssertionError("a crossing post-only order was accepted")

    low = on_tick(Decimal(ticker.best_bid_price) * Decimal("0.99"), "0.01", ROUND_FLOOR)
    nonce = int((await client.orders.create(limit_price=low, **side)).order.nonce)
    try:
        await client.orders.create(limit_price=low, nonce=nonce, **side)
    except DeriveJSONRPCError as error:
        refused_with(NONCE_REFUSED, error)
    else:
        raise AssertionError("a nonce was accepted twice")
    finally:
        await client.orders.cancel_all()
    done("refusals", "crossing post-only, nonce used twice")


async def trade(client: WebSocketClient, frames: Frames) -> str:
    ticker = await client.markets.get_ticker(instrument_name=PERP)
    tick = client.markets.perp_instruments_cache[PERP].tick_size
    through = on_tick(Decimal(ticker.best_bid_price) * Decimal("0.995"), tick, ROUND_FLOOR)
    sold = await client.orders.create(
        instrument_name=PERP, amount=AMOUNT, direction=Direction.sell, limit_price=through, time_in_force=TimeInForce.ioc
    )
    expect(sold.order.order_status == OrderStatus.filled, f"not filled: {sold.order}")
    expect(sum(t.trade_amount for t in sold.trades) == AMOUNT, f"trades do not add up: {sold.trades}")
    expect(all(t.trade_fee > 0 for t in sold.trades), "a taker without fee")
    mine = {t.trade_id for t in sold.trades}
    await frames.wait("fill frame", lambda: mine <= {t.trade_id for t in frames.items.get("fills", [])})
    await frames.wait("balance frame", lambda: any(b.name == PERP for b in frames.items.get("balances", [])))
    await frames.wait("public trade frame", lambda: mine <= {t.trade_id for t in frames.items["trades"]})
    done("ioc order", f"sold {AMOUNT} at {sold.order.average_price}, fee {sold.order.order_fee}")

    state = (await client.active_subaccount.refresh()).state
    position = next(p for p in state.positions if p.instrument_name == PERP)
    expect(Decimal(position.amount) == -AMOUNT, f"position {position}")
    expect(state.open_orders == [], "open orders in the subaccount")
    expect(Decimal(state.initial_margin) > 0 and Decimal(state.subaccount_value) > 0, f"margin: {state}")
    done("subaccount", f"value {state.subaccount_value}, initial margin {state.initial_margin}")

    ticker = await client.markets.get_ticker(instrument_name=PERP)
    above = on_tick(Decimal(ticker.best_ask_price) * Decimal("1.005"), tick, ROUND_CEILING)
    bought = await client.orders.create(
        instrument_name=PERP,
        amount=AMOUNT,
        direction=Direction.buy,
        limit_price=above,
        time_in_force=TimeInForce.ioc,
        reduce_only=True,
    )
    expect(bought.order.order_status == OrderStatus.filled, f"not closed: {bought.order}")
    left = [p for p in await client.positions.list() if p.instrument_name == PERP and Decimal(p.amount) != 0]
    expect(left == [], f"position left: {left}")
    done("reduce-only close", f"bought at {bought.order.average_price}")

    history = await client.history.trades()
    found = {t.trade_id for t in history.trades}
    expect(mine <= found, f"trade history lacks {sorted(mine - found)}")
    orders = await client.orders.history()
    expect(sold.order.order_id in {o.order_id for o in orders.orders}, "order history lacks the filled order")
    done("history", f"{len(history.trades)} trades, {len(orders.orders)} orders")
    return sold.order.order_id


async def over_websocket(config: ClientConfig, logger: logging.Logger) -> None:
    client = WebSocketClient(config, logger=logger)
    await client.connect(on_state_change=lambda _state: None)
    try:
        account = client.account.state
        expect(config.subaccount_id in account.subaccount_ids, f"subaccounts {account.subaccount_ids}")
        done("login with session key", f"wallet {account.wallet}, subaccounts {account.subaccount_ids}")
        frames = Frames()
        await read_market(client)
        await subscribe(client, frames, config.subaccount_id)
        await quote(client, frames)
        await be_refused(client)
        await trade(client, frames)
        left = await client.unsubscribe(*client.subscriptions)
        expect(left is not None and left.remaining_subscriptions == [], f"still subscribed: {left}")
        done("unsubscribe", "nothing remains")
    finally:
        await client.disconnect()


async def over_two_websockets(taker: ClientConfig, maker: ClientConfig, logger: logging.Logger) -> None:
    clients = [WebSocketClient(config, logger=logger) for config in (taker, maker)]
    for client in clients:
        await client.connect(on_state_change=lambda _state: None)
    try:
        await ask_and_answer(*clients)
    finally:
        for client in clients:
            await client.disconnect()


def over_http(config: ClientConfig, logger: logging.Logger) -> None:
    client = HTTPClient(config, logger=logger)
    client.connect()
    try:
        ticker = client.markets.get_ticker(instrument_name=PERP)
        low = on_tick(Decimal(ticker.best_bid_price) * Decimal("0.99"), "0.01", ROUND_FLOOR)
        placed = client.orders.create(
            instrument_name=PERP,
            amount=AMOUNT,
            direction=Direction.buy,
            limit_price=low,
            time_in_force=TimeInForce.post_only,
        ).order
        expect([o.order_id for o in client.orders.list_open()] == [placed.order_id], "not among the open orders")
        cancelled = client.orders.cancel(instrument_name=PERP, order_id=placed.order_id)
        expect(cancelled.order_status == OrderStatus.cancelled, f"not cancelled: {cancelled}")
        collaterals = {c.asset_name: c.amount for c in client.active_subaccount.refresh().state.collaterals}
        expect("USDC" in collaterals, f"collaterals {collaterals}")
        done("rest, signed by the owner", f"order and cancel; USDC {collaterals['USDC']}")
    finally:
        client.disconnect()


def wait_until_ready(url: str, accounts: Path) -> list[dict]:
    where = urlparse(url)
    deadline = time.monotonic() + 30
    while True:
        try:
            found = json.loads(accounts.read_text())
            socket.create_connection((where.hostname, where.port), timeout=1).close()
            return found
        except (OSError, ValueError) as reason:
            expect(time.monotonic() < deadline, f"no exchange at {url} with accounts in {accounts}: {reason}")
            time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="HTTP base of the exchange, such as http://127.0.0.1:9000/v3")
    parser.add_argument("--accounts", required=True, type=Path, help="the file `keel exchange --accounts-json` wrote")
    options = parser.parse_args()

    complaints = Complaints()
    logger = logging.getLogger("keel-check")
    logger.addHandler(complaints)
    logger.propagate = False
    try:
        account, second = wait_until_ready(options.url, options.accounts)[:2]
        base = options.url.rstrip("/")
        ours = {"base_url": base, "ws_address": f"{base.replace('http', 'ws', 1)}/ws"}
        CONFIGS[Chain.SEPOLIA] = CONFIGS[Chain.SEPOLIA].model_copy(update=ours)

        def config(account: dict, key: str) -> ClientConfig:
            # The SDK is given a chain endpoint that does not exist, so that it cannot reach a real one.
            return ClientConfig(
                chain=Chain.SEPOLIA,
                session_key=account[key],
                wallet=ChecksumAddress(account["wallet"]),
                subaccount_id=account["subaccount_id"],
                rpc_endpoints=("http://127.0.0.1:9",),
            )

        asyncio.run(over_websocket(config(account, "session_private_key"), logger))
        both = [config(each, "session_private_key") for each in (account, second)]
        asyncio.run(over_two_websockets(*both, logger))
        over_http(config(account, "owner_private_key"), logger)
        expect(complaints.texts == [], "the SDK logged errors:\n  " + "\n  ".join(complaints.texts[:5]))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, this is the place that reports it
        print(f"FAIL {type(error).__name__}: {error}", file=sys.stderr)
        for text in complaints.texts[:5]:
            print(f"     the SDK logged: {text}", file=sys.stderr)
        return 1
    print("derive-py works against this exchange")
    return 0


if __name__ == "__main__":
    sys.exit(main())
