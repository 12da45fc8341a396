"""Processes that publish and follow the embedded bus die by ``kill -9`` at random moments: nothing is lost.

``GUARD_SEED`` repeats a run's moments, as far as the machine does.
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from guard.bus import Message, Topic
from guard.bus.file import FileBus

SECONDS = 7.0
SESSION = 1.5

PRODUCER = """
import sys, time
from guard.bus import BusUnavailableError, Outgoing, Topic
from guard.bus.file import FileBus
name, path, acknowledged = sys.argv[1:]
n = 0
with FileBus(path) as bus, open(acknowledged, "a", buffering=1) as done:
    while True:
        batch = [Outgoing(Topic.TELEMETRY, name, b"%d" % (n + i)) for i in range(5)]
        try:
            bus.publish(batch, 5.0)
        except BusUnavailableError:
            continue
        n += 5
        done.write(f"{name} {n}\\n")
        time.sleep(0.002)
"""
CONSUMER = """
import os, sys
from guard.bus import BusUnavailableError, Topic
from guard.bus.file import FileBus
path, effects, session = sys.argv[1:]
with FileBus(path, session_timeout=float(session)) as bus:
    consumer = bus.consume([Topic.TELEMETRY], "crash")
    with open(effects, "a", buffering=1) as out:
        while True:
            try:
                for m in consumer.poll(0.2, limit=50):
                    out.write(f"{m.position.partition} {m.position.offset} {m.key} {m.value.decode()}.\\n")
                consumer.commit()
            except BusUnavailableError:
                continue
"""


class Fleet:
    """Processes that are killed and replaced. Every one gets files of its own, so no line of two mixes."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self.directory, self.chance = directory, chance
        self.bus = directory / "bus.sqlite"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.started = 0

    def start(self, kind: str) -> None:
        self.started += 1
        name = f"{kind}-{self.started}"
        out = str(self.directory / name)
        rest = [name, str(self.bus), out] if kind == "producer" else [str(self.bus), out, str(SESSION)]
        script = PRODUCER if kind == "producer" else CONSUMER
        self.running[name] = subprocess.Popen([sys.executable, "-c", script, *rest])

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        assert process.poll() is None, f"{name} ended by itself with {process.returncode}"
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def lines(self, kind: str) -> list[list[list[str]]]:
        """The whole lines of each process's file; the last one may be cut off by the kill."""
        files = sorted(self.directory.glob(f"{kind}-*"))
        return [[line.split() for line in file.read_text().split("\n")[:-1]] for file in files]


def test_every_acknowledged_record_is_read_in_order_whoever_dies(tmp_path):
    seed = int(os.environ.get("GUARD_SEED") or random.randrange(1 << 32))
    print(f"GUARD_SEED={seed}")
    fleet = Fleet(tmp_path, random.Random(seed))
    try:
        for kind in ("producer", "producer", "consumer", "consumer", "consumer"):
            fleet.start(kind)
        deadline = time.monotonic() + SECONDS
        kills = 0
        while time.monotonic() < deadline:
            time.sleep(fleet.chance.uniform(0.05, 0.6))
            victim = fleet.chance.choice(sorted(fleet.running))
            fleet.kill(victim)
            fleet.start(victim.partition("-")[0])
            kills += 1
    finally:
        for name in list(fleet.running):
            fleet.kill(name)
    assert kills > 10

    committed = _the_rest(fleet.bus, tmp_path / "consumer-last")
    acknowledged = {name: int(n) for lines in fleet.lines("producer") for name, n in lines}
    assert sum(acknowledged.values()) > 500
    _check_effects(fleet.lines("consumer"), acknowledged)
    assert committed > 0, "nobody ever committed: the test shows nothing about resuming"
    with contextlib.closing(sqlite3.connect(fleet.bus)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _the_rest(path: Path, effects: Path) -> int:
    """A last member reads what is left; how many records were committed before it.

    It commits as the others do: while the killed ones run out of their session one by one, partitions are dealt
    anew, and what it read and did not commit would come to it once more.
    """
    with FileBus(path, session_timeout=SESSION) as bus, contextlib.closing(sqlite3.connect(path)) as connection:
        left = _left(connection)
        total = connection.execute("SELECT count(*) FROM log").fetchone()[0]
        messages: list[Message] = []
        deadline = time.monotonic() + 30
        with contextlib.closing(bus.consume([Topic.TELEMETRY], "crash")) as consumer:
            while _left(connection):
                assert time.monotonic() < deadline, f"{_left(connection)} of {left} records were not read in 30 s"
                messages += consumer.poll(0.2)
                consumer.commit()
    effects.write_text(
        "".join(
            f"{m.position.partition} {m.position.offset} {m.key} {(m.value or b'').decode()}.\n" for m in messages
        )
    )
    return int(total - left)


def _left(connection: sqlite3.Connection) -> int:
    """Records that the group has not committed."""
    row = connection.execute(
        "SELECT count(*) FROM log LEFT JOIN progress USING (topic, part) WHERE id >= coalesce(next, 0)"
    ).fetchone()
    return int(row[0])


def _check_effects(effects: list[list[list[str]]], acknowledged: dict[str, int]) -> None:
    seen: dict[str, dict[int, int]] = {}
    for lines in effects:
        newest: dict[str, int] = {}
        for _, offset, key, number in lines:
            n = int(number.removesuffix("."))
            seen.setdefault(key, {})[n] = int(offset)
            assert int(offset) > newest.get(key, 0), f"{key} went back to offset {offset} within one member's life"
            newest[key] = int(offset)
    for key, count in acknowledged.items():
        missing = set(range(count)) - set(seen.get(key, {}))
        assert not missing, f"{key}: {len(missing)} of {count} acknowledged records were never read"
    for key, numbers in seen.items():
        offsets = [numbers[n] for n in sorted(numbers)]
        assert offsets == sorted(offsets), f"{key}: the log is out of order"
