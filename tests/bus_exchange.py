"""What the contract tests of a bus share: records to send, polling until they come, buses and members."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guard.bus import Bus, Consumer, Follower, Message, Outgoing, Topic

SESSION = 1.0
"""Seconds: the session timeout that ``make_bus`` gives its buses. (Brokers allow 6 s; those of tests, this.)"""
PUBLISH = 10.0
PATIENCE = 40.0

MakeBus = Callable[[], Bus]


def records(topic: Topic, count: int, keys: int = 8, start: int = 0) -> list[Outgoing]:
    return [Outgoing(topic, f"key-{n % keys}", str(n).encode()) for n in range(start, start + count)]


def read(consumer: Consumer | Follower, count: int, patience: float = PATIENCE) -> list[Message]:
    """Poll until ``count`` records came, or say how many did."""
    messages: list[Message] = []
    deadline = time.monotonic() + patience
    while len(messages) < count and time.monotonic() < deadline:
        messages += consumer.poll(0.2)
    assert len(messages) >= count, f"{len(messages)} of {count} records came in {patience:g} s"
    return messages


def settle(consumers: Sequence[Consumer], done: Callable[[], bool], patience: float = PATIENCE) -> list[Message]:
    """Poll all in turn until ``done``."""
    messages: list[Message] = []
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, f"not settled: {[sorted(c.assigned()) for c in consumers]}"
        for consumer in consumers:
            messages += consumer.poll(0.1)
    return messages


def in_order_per_key(messages: Sequence[Message]) -> bool:
    by_key: dict[str, list[int]] = {}
    for message in messages:
        by_key.setdefault(message.key, []).append(int(message.value or b"-1"))
    return all(numbers == sorted(numbers) for numbers in by_key.values())


def values(messages: Sequence[Message]) -> list[int]:
    return sorted(int(message.value or b"-1") for message in messages)


class BusFixtures:
    """Buses and members. ``make_bus`` gives a new connection to one and the same bus."""

    polls_to_see_all = 8
    """Polls of ten records within which every partition of a member must have had its turn."""

    seconds_to_hand_over = max(SESSION / 2, 0.5)
    """After one has left, until another has its partitions: less than it would take to miss it."""

    @pytest.fixture
    def make_bus(self, **_: Any) -> MakeBus:
        raise NotImplementedError

    @pytest.fixture
    def bus(self, make_bus: MakeBus):
        with make_bus() as bus:
            yield bus

    @pytest.fixture
    def join(self, make_bus: MakeBus):
        """Each member has a bus of its own, as processes have."""
        with contextlib.ExitStack() as stack:

            def _join(*topics: Topic, group: str = "group") -> Consumer:
                other = stack.enter_context(make_bus())
                return other.consume(list(topics or (Topic.TELEMETRY,)), group)

            yield _join
