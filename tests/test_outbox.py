"""The outbox: the loop never waits, and no record is lost while the bus is away."""

import contextlib
import subprocess
import sys
import threading
import time

import pytest

from guard.agent.outbox import Outbox
from guard.agent.spool import Spool
from guard.bus import BusError, BusUnavailableError, Topic
from guard.bus.file import FileBus


class Switch:
    """The embedded bus behind a switch: away, stuck, or a link that loses acknowledgements."""

    def __init__(self, path):
        self.path = path
        self.away = False
        self.lose_acknowledgements = 0
        self.stuck = threading.Event()
        self.stuck.set()
        self.opened = 0

    def open(self):
        self.opened += 1
        if self.away:
            raise BusUnavailableError("switched off")
        return _Switched(self)


class _Switched:
    def __init__(self, switch):
        self.switch, self.bus = switch, FileBus(switch.path)

    def publish(self, records, timeout):
        assert self.switch.stuck.wait(10)
        if self.switch.away:
            raise BusUnavailableError("switched off")
        positions = self.bus.publish(records, max(timeout, 1))
        if self.switch.lose_acknowledgements:
            self.switch.lose_acknowledgements -= 1
            raise BusUnavailableError("no acknowledgement")
        return positions

    def close(self):
        self.bus.close()


@pytest.fixture
def switch(tmp_path):
    return Switch(tmp_path / "bus.sqlite")


@pytest.fixture
def start(switch, tmp_path):
    with contextlib.ExitStack() as stack:

        def _start(largest=1 << 24):
            outbox = Outbox(
                switch.open, lambda: Spool(tmp_path / "spool", largest), retry_first=0.01, retry_most=0.05
            )
            stack.callback(outbox.close, 2)
            return outbox

        yield _start


def wait(condition, patience=15.0):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


def arrived(switch):
    with FileBus(switch.path) as bus:
        return [int(message.value or b"-1") for message in bus.scan(Topic.TELEMETRY)]


def put(outbox, numbers):
    """As the agent does, one at a time: never more than the outbox has taken off the loop's hands."""
    for n in numbers:
        outbox.put("c/job", b"%d" % n)
        if n % 32 == 31:
            before = outbox.sent + outbox.pending + outbox.dropped
            wait(lambda before=before: not outbox._waiting or outbox.sent + outbox.pending > before)


def test_records_are_sent_in_order(switch, start):
    outbox = start()
    put(outbox, range(200))
    wait(lambda: outbox.sent == 200)
    assert outbox.alive
    assert arrived(switch) == list(range(200))
    assert (outbox.pending, outbox.dropped, outbox.last_error) == (0, 0, None)


def test_what_came_while_the_bus_was_away_arrives_later_in_order(switch, start):
    switch.away = True
    outbox = start()
    put(outbox, range(600))
    wait(lambda: outbox.pending == 600)
    assert outbox.last_error == "switched off"
    switch.away = False
    wait(lambda: outbox.sent == 600)
    assert arrived(switch) == list(range(600))
    assert (outbox.pending, outbox.dropped) == (0, 0)


def test_tries_back_off_while_the_bus_is_away(switch, start):
    switch.away = True
    outbox = start()
    put(outbox, range(1))
    wait(lambda: switch.opened > 3)
    opened, begin = switch.opened, time.monotonic()
    wait(lambda: switch.opened >= opened + 10)
    assert time.monotonic() - begin > 10 * 0.02


def test_a_lost_acknowledgement_gives_a_repeat_and_no_loss(switch, start):
    switch.lose_acknowledgements = 3
    outbox = start()
    put(outbox, range(100))
    wait(lambda: outbox.sent == 100)
    came = arrived(switch)
    assert len(came) > 100
    assert list(dict.fromkeys(came)) == list(range(100))


def test_a_spool_too_small_drops_the_oldest_and_the_count_is_exact(switch, start):
    switch.away = True
    outbox = start(largest=100 * (64 + 5 + 3))
    put(outbox, range(100, 400))
    wait(lambda: outbox.pending + outbox.dropped == 300)
    switch.away = False
    wait(lambda: outbox.sent == 100)
    assert arrived(switch) == list(range(300, 400))
    assert outbox.dropped == 200


def test_a_record_that_the_bus_will_never_take_is_set_aside(switch, start, caplog):
    switch.away = True
    outbox = start()
    put(outbox, range(3))
    outbox.put("c/job", bytes(1_000_001))
    put(outbox, range(3, 6))
    wait(lambda: outbox.pending == 7)
    switch.away = False
    wait(lambda: outbox.sent == 6)
    assert (outbox.refused, outbox.pending, outbox.last_error) == (1, 0, None)
    assert arrived(switch) == list(range(6))
    assert "set aside" in caplog.text


def test_a_bus_that_cannot_be_opened_is_tried_again(tmp_path, start, switch, monkeypatch):
    real = switch.open
    monkeypatch.setattr(switch, "open", lambda: (_ for _ in ()).throw(BusError("no such bus")))
    outbox = Outbox(lambda: switch.open(), lambda: Spool(tmp_path / "s", 1 << 20), retry_first=0.01)  # noqa: PLW0108
    put(outbox, range(3))
    wait(lambda: outbox.last_error == "no such bus")
    monkeypatch.setattr(switch, "open", real)
    wait(lambda: outbox.sent == 3)
    outbox.close(2)


@pytest.mark.alone
def test_put_never_waits_and_a_stuck_bus_costs_the_oldest_in_memory(switch, start):
    switch.stuck.clear()
    outbox = start()
    outbox.put("c/job", b"0")
    wait(lambda: outbox.pending == 1)
    begin = time.monotonic()
    for n in range(1, 201):
        outbox.put("c/job", b"%d" % n)
    assert time.monotonic() - begin < 0.5
    assert outbox.dropped == 200 - 64
    switch.stuck.set()
    wait(lambda: outbox.sent == 65)
    assert arrived(switch) == [0, *range(200 - 63, 201)]


def test_close_sends_what_waits(switch, start):
    outbox = start()
    for n in range(60):
        outbox.put("c/job", b"%d" % n)
    outbox.close(5)
    assert arrived(switch) == list(range(60))


@pytest.mark.alone
def test_close_ends_in_time_when_the_bus_is_away_and_the_next_start_sends_the_rest(switch, start):
    switch.away = True
    outbox = start()
    put(outbox, range(40))
    begin = time.monotonic()
    outbox.close(1.0)
    assert time.monotonic() - begin < 1.6
    assert not outbox.alive
    switch.away = False
    again = start()
    wait(lambda: again.sent == 40)
    assert arrived(switch) == list(range(40))


def test_a_record_put_just_before_the_closing_is_not_left_behind(switch, tmp_path):
    class Late(Spool):
        """While the first record goes to the disk, another is put and the outbox is closed."""

        def append(self, key, value):
            if value == b"0":
                outbox.put("c/job", b"1")
                threading.Thread(target=outbox.close, args=(5,)).start()
                wait(lambda: outbox._closing is not None)
            return super().append(key, value)

    outbox = Outbox(switch.open, lambda: Late(tmp_path / "spool", 1 << 20))
    outbox.put("c/job", b"0")
    wait(lambda: not outbox.alive)
    assert arrived(switch) == [0, 1]


def test_trouble_with_the_spool_is_told(switch, tmp_path):
    outbox = Outbox(switch.open, lambda: Spool(tmp_path / "missing" / "spool", 1 << 20))
    outbox.put("c/job", b"1")
    wait(lambda: outbox.sent == 1)
    assert outbox.trouble is not None
    assert "in memory" in outbox.trouble
    outbox.close(2)


@pytest.mark.filterwarnings("default::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_outbox_that_ended_says_so(switch, caplog):
    def broken():
        raise RuntimeError("a mistake of ours")

    outbox = Outbox(switch.open, broken)
    wait(lambda: not outbox.alive)
    assert outbox.last_error == "the outbox ended: a mistake of ours"
    assert "nothing is sent any more" in caplog.text


def test_kill_9_between_publish_and_remove_gives_a_repeat_and_no_loss(switch, tmp_path, start):
    script = (
        "import os, signal, sys, time\n"
        "from guard.agent.outbox import Outbox\n"
        "from guard.agent.spool import Spool\n"
        "from guard.bus.file import FileBus\n"
        "class Deadly(Spool):\n"
        "    def remove(self, number): os.kill(os.getpid(), signal.SIGKILL)\n"
        "outbox = Outbox(lambda: FileBus(sys.argv[1]), lambda: Deadly(sys.argv[2], 1 << 20))\n"
        "outbox.put('c/job', b'0')\n"
        "time.sleep(20)\n"
    )
    command = [sys.executable, "-c", script, str(switch.path), str(tmp_path / "spool")]
    assert subprocess.run(command, check=False, timeout=30).returncode == -9
    outbox = start()
    put(outbox, range(1, 5))
    wait(lambda: outbox.sent == 5)
    assert arrived(switch) == [0, 0, 1, 2, 3, 4]
