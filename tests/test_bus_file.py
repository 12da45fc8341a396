"""What only the embedded bus promises: retention, size, its file, and errors that say what to do."""

import contextlib
import os
import sqlite3
import threading

import pytest

from guard.bus import BusError, BusUnavailableError, Outgoing, Topic
from guard.bus.file import FileBus
from guard.bus.location import file_system, refuse_network
from guard.bus.membership import Member, assignment, heartbeat
from guard.bus.retention import KEPT, TOMBSTONE_KEPT
from tests.bus_contract import in_order_per_key, read, records, values

HOUR = 3600.0


class Wall:
    """A wall clock and a monotonic one that tests move."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bus.sqlite"


def held(bus, topic):
    return [int(message.value or b"-1") for message in bus.scan(topic)]


def test_old_records_go_by_topic_and_the_ledger_stays(path):
    wall = Wall()
    with FileBus(path, wall=wall, clock=wall) as bus:
        for topic in (Topic.TELEMETRY, Topic.VERDICTS, Topic.LEDGER):
            bus.publish(records(topic, 10), 1)
        wall.now += KEPT[Topic.TELEMETRY] + 1
        bus.publish(records(Topic.LEDGER, 1, start=10), 1)
        assert held(bus, Topic.TELEMETRY) == []
        assert held(bus, Topic.VERDICTS) == list(range(10))
        wall.now += 10 * 365 * 24 * HOUR
        bus.publish(records(Topic.LEDGER, 1, start=11), 1)
        assert held(bus, Topic.VERDICTS) == []
        assert held(bus, Topic.LEDGER) == list(range(12))


def test_offsets_never_come_back_after_retention(path):
    wall = Wall()
    with FileBus(path, wall=wall, clock=wall) as bus:
        before = bus.publish(records(Topic.TELEMETRY, 10), 1)[-1].offset
        wall.now += 7 * HOUR
        bus.publish([], 1)
        assert held(bus, Topic.TELEMETRY) == []
    with FileBus(path) as bus:
        assert bus.publish(records(Topic.TELEMETRY, 1), 1)[0].offset > before


def test_a_tombstone_goes_after_a_day(path):
    wall = Wall()
    with FileBus(path, wall=wall, clock=wall) as bus:
        bus.publish([Outgoing(Topic.STATE, "a", b"1"), Outgoing(Topic.STATE, "b", None)], 1)
        assert [m.key for m in bus.scan(Topic.STATE)] == ["a", "b"]
        wall.now += TOMBSTONE_KEPT + 1
        bus.publish([], 1)
        assert [m.key for m in bus.scan(Topic.STATE)] == ["a"]


def test_compaction_keeps_one_record_of_a_key(path):
    with FileBus(path) as bus:
        bus.publish(records(Topic.STATE, 30, keys=3), 1)
        assert held(bus, Topic.STATE) == [27, 28, 29]


def test_a_full_bus_gives_up_the_oldest_telemetry_and_nothing_that_must_stay(path):
    with FileBus(path, largest_bytes=2_000_000) as bus:
        bus.publish([Outgoing(Topic.LEDGER, "i", b"7"), Outgoing(Topic.STATE, "n", b"8")], 1)
        sent = 400
        for n in range(sent):
            bus.publish([Outgoing(Topic.TELEMETRY, f"k{n % 4}", str(n).encode().rjust(12_000))], 1)
        kept = held(bus, Topic.TELEMETRY)
        assert kept == list(range(sent - len(kept), sent))
        assert 1_900_000 < len(kept) * 12_066 <= 2_000_000
        assert held(bus, Topic.LEDGER) == [7]
        assert held(bus, Topic.STATE) == [8]
    assert path.stat().st_size < 2_000_000 * 1.25


def test_the_file_shrinks_after_retention(path):
    wall = Wall()
    with FileBus(path, wall=wall, clock=wall) as bus:
        bus.publish([Outgoing(Topic.TELEMETRY, "k", bytes(12_000))] * 400, 5)
        wall.now += 7 * HOUR
        bus.publish([], 1)
    assert path.stat().st_size < 1_000_000


def test_a_scan_finds_a_key_that_is_written_while_it_reads(path):
    with FileBus(path) as bus:
        bus.publish(records(Topic.STATE, 1200, keys=1200), 5)
        seen = set()
        for n, message in enumerate(bus.scan(Topic.STATE)):
            seen.add(message.key)
            if n == 10:
                bus.publish([Outgoing(Topic.STATE, "key-900", b"new")], 1)
        assert "key-900" in seen
        assert len(seen) == 1200


def test_a_bus_that_is_locked_for_too_long_is_unavailable_and_keeps_what_it_had(path):
    with FileBus(path) as bus, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        bus.publish(records(Topic.LEDGER, 1), 1)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusUnavailableError, match="locked"):
            bus.publish(records(Topic.LEDGER, 1, start=1), 0.1)
        other.execute("ROLLBACK")
        bus.publish(records(Topic.LEDGER, 1, start=2), 1)
        assert held(bus, Topic.LEDGER) == [0, 2]


def test_a_full_disk_is_unavailable_takes_nothing_and_recovers(path):
    with FileBus(path) as bus:
        bus.publish(records(Topic.LEDGER, 1), 1)
        pages = bus._writer.execute("PRAGMA page_count").fetchone()[0]
        bus._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(BusUnavailableError, match="full"):
            bus.publish([Outgoing(Topic.LEDGER, "k", b"1"), Outgoing(Topic.LEDGER, "k", bytes(100_000))], 1)
        bus._writer.execute("PRAGMA max_page_count = 100000")
        bus.publish(records(Topic.LEDGER, 1, start=2), 1)
        assert held(bus, Topic.LEDGER) == [0, 2]


def test_a_file_that_was_removed_under_a_bus_is_noticed(path):
    with FileBus(path) as bus, contextlib.closing(bus.consume([Topic.LEDGER], "g")) as consumer:
        path.unlink()
        with pytest.raises(BusUnavailableError, match="removed or replaced"):
            bus.publish(records(Topic.LEDGER, 1), 1)
        with pytest.raises(BusUnavailableError, match="removed or replaced"):
            consumer.poll(0)


def test_the_directory_must_be_there(tmp_path):
    with pytest.raises(BusError, match="make the directory"):
        FileBus(tmp_path / "missing" / "bus.sqlite")


def test_what_is_no_database_is_refused_and_left_as_it_is(path):
    path.write_bytes(b"telemetry\n" * 1000)
    with pytest.raises(BusError, match="not a database; move the file away"):
        FileBus(path)
    assert path.read_bytes() == b"telemetry\n" * 1000


def test_another_programs_database_is_refused_and_left_as_it_is(path):
    with contextlib.closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()
    with pytest.raises(BusError, match="another program"):
        FileBus(path)
    assert path.read_bytes() == before


def test_a_bus_of_another_version_is_refused(path):
    FileBus(path).close()
    with contextlib.closing(sqlite3.connect(path)) as later:
        later.execute("PRAGMA user_version = 99")
    with pytest.raises(BusError, match="format 99"):
        FileBus(path)


def test_a_directory_is_no_bus(tmp_path):
    with pytest.raises(BusError, match="unable to open"):
        FileBus(tmp_path)


@pytest.mark.parametrize(("key", "message"), [("k" * 1025, "1025 bytes"), ("\ud800", "UTF-8")])
def test_a_key_that_cannot_be_stored_is_refused(path, key, message):
    with FileBus(path) as bus, pytest.raises(BusError, match=message):
        bus.publish([Outgoing(Topic.LEDGER, key, b"")], 1)


def test_the_file_is_for_its_owner_and_group_alone(path):
    old = os.umask(0)
    try:
        FileBus(path).close()
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o660


def test_one_thread_publishes_while_another_polls(path):
    with FileBus(path) as bus, contextlib.closing(bus.consume([Topic.TELEMETRY], "g")) as consumer:

        def publish():
            for start in range(0, 500, 5):
                bus.publish(records(Topic.TELEMETRY, 5, start=start), 5)

        thread = threading.Thread(target=publish)
        thread.start()
        messages = read(consumer, 500)
        thread.join(10)
    assert values(messages) == list(range(500))
    assert in_order_per_key(messages)


def test_a_poll_that_failed_half_way_gives_all_of_it_the_next_time(path, monkeypatch):
    with FileBus(path) as bus, contextlib.closing(bus.consume([Topic.TELEMETRY], "g")) as consumer:
        bus.publish(records(Topic.TELEMETRY, 40, keys=16), 1)
        pages = []

        def failing(rows, value):
            pages.append(list(rows))
            if len(pages) == 2:
                raise sqlite3.OperationalError("disk I/O error")
            return pages[-1]

        monkeypatch.setattr("guard.bus.file_consumer.page", failing)
        with pytest.raises(BusUnavailableError):
            consumer.poll(0)
        assert values(read(consumer, 40)) == list(range(40))


def test_members_of_before_a_reboot_do_not_count(path):
    FileBus(path).close()
    topics = frozenset([Topic.LEDGER])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert heartbeat(connection, Member("g", "old", topics, "boot-1"), 1e6, 10)
        assert not heartbeat(connection, Member("g", "same", topics, "boot-1"), 1e6, 10)
        assert heartbeat(connection, Member("g", "new", topics, "boot-2"), 5.0, 10)


def test_a_member_that_joins_later_takes_nothing_from_the_first_of_a_single_partition():
    both = frozenset([Topic.CONTROL, Topic.TELEMETRY])
    dealt = assignment([("z", both), ("a", both), ("m", frozenset([Topic.TELEMETRY]))])
    assert dealt[Topic.CONTROL, 0] == "z"
    assert [dealt[Topic.TELEMETRY, part] for part in range(4)] == ["z", "a", "m", "z"]


MOUNTS = """\
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:44 / /shared rw shared:2 - nfs4 server:/x rw
31 30 0:45 / /shared/local\\040disk rw - xfs /dev/sdb rw
32 22 0:46 / /mnt rw - ext4 /dev/sdc rw
33 22 0:47 / /mnt rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/var/bus", "ext4"),
        ("/shared/bus", "nfs4"),
        ("/sharedness/bus", "ext4"),
        ("/shared/local disk/bus", "xfs"),
        ("/mnt/bus", "fuse.sshfs"),
    ],
)
def test_the_longest_and_last_mount_point_holds_a_path(place, kind):
    assert file_system(place, MOUNTS) == kind


@pytest.mark.parametrize(("place", "refused"), [("/shared/bus", True), ("/mnt/bus", True), ("/var/bus", False)])
def test_a_network_file_system_is_refused(tmp_path, monkeypatch, place, refused):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    monkeypatch.setattr("guard.bus.location._MOUNTINFO", mounts)
    with pytest.raises(BusError, match="local disk") if refused else contextlib.nullcontext():
        refuse_network(type(mounts)(place))
