"""Blindness: who was heard and who was not, whatever the clocks say."""

import pytest

from guard.bus import BusUnavailableError, Outgoing, Topic
from guard.bus.file import FileBus
from guard.page.eyes import Eyes, Sight
from remediation.paging.events import Source

BUS, TELEMETRY, DETECTOR = Source
ALL = frozenset(Source)
T0 = 1_790_000_000.0


class Machine:
    """Two clocks: ours, and the bus's, which is wrong by `ahead` seconds."""

    def __init__(self, path, ahead):
        self.now, self.ahead = 0.0, ahead
        self.bus = FileBus(path, wall=lambda: T0 + self.now + self.ahead, clock=lambda: self.now)
        self.eyes = Eyes(wall=lambda: T0 + self.now, clock=lambda: self.now)

    def take(self, *topics):
        self.bus.publish([Outgoing(topic, "c/n", b"{}") for topic in topics], 1)

    def look(self, after=10.0):
        self.now += after
        return self.eyes.look(self.bus)


@pytest.fixture(params=[0.0, 3600.0, -3600.0, -86400.0 * 400], ids=["right", "ahead", "behind", "last year"])
def machine(tmp_path, request):
    machine = Machine(tmp_path / "bus.sqlite", request.param)
    yield machine
    machine.bus.close()


def test_what_is_new_since_the_last_look_is_heard_whatever_the_bus_takes_for_the_time(machine):
    machine.take(Topic.TELEMETRY, Topic.SNAPSHOTS)
    machine.look()
    for _ in range(5):
        assert machine.look() == {BUS}
    for _ in range(20):
        machine.now += 9
        machine.take(Topic.TELEMETRY, Topic.SNAPSHOTS)
        assert machine.look(1.0) == ALL
    machine.now += 9
    machine.take(Topic.TELEMETRY)
    assert machine.look(1.0) >= {BUS, TELEMETRY}
    machine.take(Topic.TELEMETRY)
    assert machine.look() == {BUS, TELEMETRY}
    assert machine.look() == {BUS}
    assert machine.look(4000.0) == {BUS}
    machine.take(Topic.TELEMETRY)
    assert machine.look() == {BUS, TELEMETRY}


def test_a_bus_that_was_empty_is_heard_from_its_first_record(machine):
    for _ in range(3):
        assert machine.look() == {BUS}
    machine.take(Topic.TELEMETRY)
    assert machine.look() == {BUS, TELEMETRY}
    assert machine.look() == {BUS}
    machine.take(Topic.TELEMETRY, Topic.SNAPSHOTS)
    assert machine.look() == ALL


def test_a_bus_whose_clock_is_set_forward_is_heard_on(machine):
    machine.take(Topic.TELEMETRY)
    machine.look()
    machine.ahead += 5000
    for _ in range(5):
        machine.now += 9
        machine.take(Topic.TELEMETRY, Topic.SNAPSHOTS)
        assert machine.look(1.0) == ALL
    for _ in range(3):
        machine.look()
    assert machine.look() == {BUS}


def test_a_bus_that_is_away_is_an_error(tmp_path):
    bus = FileBus(tmp_path / "bus.sqlite")
    (tmp_path / "bus.sqlite").unlink()
    with pytest.raises(BusUnavailableError):
        Eyes().look(bus)
    bus.close()


def silent(sight, now):
    sight.judge(now)
    return sight.silent


def played(sight, until, hears, start=0):
    """Look every ten seconds; what is heard depends on the time."""
    for now in range(start, until, 10):
        sight.hear(hears(now), now)
        sight.judge(now)


def test_nothing_is_silent_before_its_time_and_all_is_clear_once_all_was_heard():
    sight = Sight(180.0, 0.0, {})
    sight.hear(frozenset({BUS}), 1.0)
    assert silent(sight, 100.0) == frozenset()
    assert not sight.clear
    sight.hear(ALL, 101.0)
    assert sight.clear
    assert sight.looked(101.0, T0).silent == {}


@pytest.mark.parametrize("missing", [TELEMETRY, DETECTOR])
def test_a_source_that_is_not_heard_for_too_long_is_silent_since_it_was_heard_last(missing):
    sight = Sight(180.0, 0.0, {})
    played(sight, 100, lambda _: ALL)
    played(sight, 280, lambda _: ALL - {missing}, start=100)
    assert sight.silent == frozenset()
    played(sight, 330, lambda _: ALL - {missing}, start=280)
    # Without telemetry nobody can tell of the detector, though no snapshot comes.
    assert sight.silent == {missing}
    assert not sight.clear
    since = sight.looked(330.0, T0 + 330.0).silent[missing]
    assert since == pytest.approx(T0 + 90.0)
    sight.hear(ALL, 330.0)
    assert silent(sight, 330.0) == frozenset()
    assert sight.clear


def test_without_telemetry_no_detector_is_missed_and_it_has_its_time_when_telemetry_is_back():
    sight = Sight(180.0, 0.0, {})
    played(sight, 100, lambda _: ALL)
    played(sight, 1000, lambda _: frozenset({BUS}), start=100)
    assert sight.silent == {TELEMETRY}
    played(sight, 1170, lambda _: frozenset({BUS, TELEMETRY}), start=1000)
    assert sight.silent == frozenset()
    played(sight, 1300, lambda _: frozenset({BUS, TELEMETRY}), start=1170)
    assert sight.silent == {DETECTOR}


def test_while_the_bus_is_away_the_others_stay_as_they_were():
    sight = Sight(180.0, 0.0, {})
    played(sight, 100, lambda _: ALL)
    played(sight, 500, lambda _: ALL - {DETECTOR}, start=100)
    assert sight.silent == {DETECTOR}
    played(sight, 2000, lambda _: frozenset(), start=500)
    assert sight.silent == {BUS, DETECTOR}
    played(sight, 2170, lambda _: frozenset({BUS}), start=2000)
    assert sight.silent == {DETECTOR}
    played(sight, 2250, lambda _: frozenset({BUS}), start=2170)
    assert sight.silent == {TELEMETRY, DETECTOR}


def test_what_was_silent_before_a_restart_is_silent_until_it_is_heard():
    sight = Sight(180.0, 1000.0, {TELEMETRY: 400.0})
    sight.hear(frozenset({BUS}), 1001.0)
    assert silent(sight, 1002.0) == {TELEMETRY}
    assert sight.looked(1002.0, T0 + 1002.0).silent == {TELEMETRY: pytest.approx(T0 + 400.0)}
    sight.hear(ALL, 1003.0)
    assert silent(sight, 1004.0) == frozenset()
