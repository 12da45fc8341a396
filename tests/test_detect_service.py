import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest

from collectors.telemetry import Telemetry, encode
from detectors.detector import Detector
from detectors.policy import Policy
from detectors.verdict import JobVerdict, Saying, Verdict, decode
from guard.bus import Bus, BusUnavailableError, Outgoing, Position, Topic, open_bus
from guard.bus.file import FileBus
from guard.detect import GROUP, DetectService, Metrics
from guard.systemd import Notifier
from tests.fleet import QUICK, Fleet, slow_from

replace = msgspec.structs.replace
NOW = time.time() - 1000


def recent(records: list[Telemetry]) -> list[Telemetry]:
    shift = round(NOW - records[0].time, -1)
    return [replace(record, time=record.time + shift) for record in records]


RECORDS = recent(Fleet(nodes=5, slow=slow_from(2, 4, 2.0)).records(30))


def publish(bus: Bus, records: list[Telemetry]) -> None:
    bus.publish([Outgoing(Topic.TELEMETRY, record.key, encode(record)) for record in records], 5.0)


def later(records: list[Telemetry], periods: int) -> list[Telemetry]:
    return [replace(record, seq=record.seq + periods, time=record.time + 10.0 * periods) for record in records]


def committed(bus: Bus) -> int:
    """How many records the group would not read again."""
    with contextlib.closing(bus.consume([Topic.TELEMETRY], GROUP)) as consumer:
        again = 0
        while messages := consumer.poll(0.3):
            again += len(messages)
    return len(list(bus.scan(Topic.TELEMETRY))) - again


def said(bus: Bus, topic: Topic = Topic.VERDICTS) -> list[Saying]:
    return [decode(message.value) for message in bus.scan(topic) if message.value is not None]


def accused(bus: Bus) -> set[str]:
    return {saying.node for saying in said(bus) if isinstance(saying, Verdict) and saying.accused}


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


@contextmanager
def serving(opener: Callable[[], Bus], policy: Policy = QUICK, metrics: Metrics | None = None) -> Iterator[None]:
    stop = threading.Event()
    service_ = DetectService(opener, policy, Notifier(), stop, metrics)
    thread = threading.Thread(target=service_.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"file:{tmp_path / 'bus.sqlite'}"


def test_culprit_goes_to_verdicts_and_the_newest_to_the_state(address: str) -> None:
    with open_bus(address) as bus, serving(lambda: open_bus(address)):
        publish(bus, RECORDS)
        assert eventually(lambda: accused(bus) == {"node-002"})
        newest = {saying.key: saying for saying in said(bus, Topic.STATE)}
        assert {"c/node-002", "c/train"} <= set(newest)
        assert isinstance(newest["c/train"], JobVerdict)


def test_what_cannot_be_read_goes_to_the_dead_letters_and_stops_nothing(address: str) -> None:
    ahead = replace(RECORDS[0], node="x", time=time.time() + 90_000)
    with open_bus(address) as bus, serving(lambda: open_bus(address)):
        bus.publish([Outgoing(Topic.TELEMETRY, "c/train", b"\xff" * 9000)], 5.0)
        publish(bus, [ahead, *RECORDS])
        assert eventually(lambda: accused(bus) == {"node-002"})
        letters = [json.loads(message.value) for message in bus.scan(Topic.DEADLETTER) if message.value]
    assert len(letters) == 2
    garbage = next(letter for letter in letters if letter["value"].startswith("/"))
    assert garbage["topic"] == "guard.telemetry"
    assert garbage["key"] == "c/train"
    assert base64.b64decode(garbage["value"]) == b"\xff" * 4096
    assert garbage["reason"]


def test_who_comes_next_repeats_at_most_and_says_nothing_else(address: str) -> None:
    with open_bus(address) as bus:
        publish(bus, RECORDS[:90])
        with serving(lambda: open_bus(address)):
            assert eventually(lambda: accused(bus) == {"node-002"})
        publish(bus, RECORDS[90:])
        with serving(lambda: open_bus(address)):
            assert eventually(lambda: said(bus)[-1].time >= RECORDS[-1].time - 60)
        ids = {saying.id for saying in said(bus)}
    detector = Detector(QUICK)
    assert ids == {saying.id for saying in detector.fold(RECORDS) + detector.tick(0.0)}


def test_commit_lags_behind_until_a_snapshot_covers_what_was_read(address: str) -> None:
    with open_bus(address) as bus:
        publish(bus, RECORDS[:60])
        with serving(lambda: open_bus(address)):
            assert eventually(lambda: len(said(bus)) > 5)
        assert committed(bus) == 0, "no window has ended since a snapshot was wanted"
        with serving(lambda: open_bus(address)):
            for period in range(12, 30):
                publish(bus, RECORDS[5 * period : 5 * period + 5])
                time.sleep(0.2)  # a snapshot is wanted at a tick and taken at a window's end
            assert eventually(lambda: bool(list(bus.scan(Topic.SNAPSHOTS))))
        assert committed(bus) > 60
        with serving(lambda: open_bus(address)):
            publish(bus, later(RECORDS, 30))
            assert eventually(lambda: said(bus)[-1].time > RECORDS[-1].time + 100)
        first = [saying for saying in said(bus) if isinstance(saying, Verdict) and saying.status == "ok"]
    assert len({verdict.id for verdict in first}) == 5, "nobody was met for the first time again"


def test_reading_pauses_while_the_bus_does_not_take_what_is_said(address: str) -> None:
    refuse = threading.Event()

    class Refusing(FileBus):
        def publish(self, records: Sequence[Outgoing], timeout: float) -> list[Position]:
            if refuse.is_set():
                raise BusUnavailableError("full")
            return super().publish(records, timeout)

    metrics = Metrics()
    path = address.removeprefix("file:")
    with open_bus(address) as bus, serving(lambda: Refusing(path), metrics=metrics):
        refuse.set()
        publish(bus, RECORDS)
        assert eventually(lambda: b"guard_detect_pauses_total 1.0" in generate_latest(metrics.registry))
        time.sleep(0.6)  # a round in which it is tried again
        assert not accused(bus)
        refuse.clear()
        assert eventually(lambda: accused(bus) == {"node-002"})


def test_bus_that_is_away_is_tried_again(address: str) -> None:
    fails = [True]

    def opener() -> Bus:
        if fails.pop() if fails else False:
            raise BusUnavailableError("away")
        return open_bus(address)

    with open_bus(address) as bus, serving(opener):
        publish(bus, RECORDS)
        assert eventually(lambda: accused(bus) == {"node-002"})
    assert not fails


@pytest.mark.alone
def test_process_ends_within_two_seconds_of_sigterm(tmp_path: Path, address: str) -> None:
    config = tmp_path / "guard.yaml"
    config.write_text(f"bus: '{address}'\ndetect: {{window: 10, lateness: 10, silence: 40}}\n")
    environment = {**os.environ, "GUARD_CONFIG": str(config)}
    code = "from guard.commands import main; main()"
    with (
        open_bus(address) as bus,
        subprocess.Popen(
            [sys.executable, "-c", code, "detect"], env=environment, stderr=subprocess.PIPE
        ) as process,
    ):
        try:
            publish(bus, RECORDS)
            assert eventually(lambda: accused(bus) == {"node-002"}, 20)
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
            assert time.monotonic() - start < 2
        finally:
            process.kill()
