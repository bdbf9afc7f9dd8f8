"""What every part of the check needs: expectations, collected frames, collected complaints of the SDK."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from decimal import Decimal

from derive_py.exceptions import DeriveJSONRPCError

WAIT_S = 20.0


class Complaints(logging.Handler):
    """Collects what the SDK logs as an error; it swallows frames it cannot decode."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Frames:
    """Counts and keeps what each channel delivered."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.items: dict[str, list] = {}
        self.arrived = asyncio.Event()

    def on(self, channel: str):
        def handler(data) -> None:
            self.counts[channel] += 1
            self.items.setdefault(channel, []).extend(data if isinstance(data, list) else [data])
            self.arrived.set()

        return handler

    async def wait(self, what: str, found) -> None:
        """Waits until `found()` is true, looking again whenever a frame arrives."""
        deadline = time.monotonic() + WAIT_S
        while not found():
            left = deadline - time.monotonic()
            expect(left > 0, f"no {what} within {WAIT_S:.0f} s; frames so far: {dict(self.counts)}")
            self.arrived.clear()
            try:
                await asyncio.wait_for(self.arrived.wait(), left)
            except TimeoutError:
                pass


def expect(truth: bool, otherwise: str) -> None:
    if not truth:
        raise AssertionError(otherwise)


def refused_with(codes: set[int], error: DeriveJSONRPCError) -> None:
    expect(error.rpc_error.code in codes, f"expected a refusal with one of {sorted(codes)}, got {error}")


def on_tick(price: Decimal, tick: str, rounding: str) -> Decimal:
    return (price / Decimal(tick)).to_integral_value(rounding) * Decimal(tick)


def done(step: str, detail: str) -> None:
    print(f"ok  {step:<28} {detail}", flush=True)
