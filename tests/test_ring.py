"""The step ring: whatever happens to writer or file, the reader sees whole steps or says what is lost."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ring_file import RingFile
from guard import ring, steps
from guard.ring import Owner, Place

NEVER = 1 << 62


def open_reader(path: Path) -> RingFile:
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        return RingFile.open(path.name, directory, 0)
    finally:
        os.close(directory)


def numbers(found) -> list[int]:
    return [entry[1] for entry in found.entries]


@pytest.fixture
def recorder(tmp_path):
    with steps.open(directory=tmp_path, job="j", rank=3, stage=1, attempt=2, synced=True) as recorder:
        assert recorder.problem is None
        yield recorder


@pytest.fixture
def reader(recorder):
    reader = open_reader(recorder.path)
    yield reader
    reader.close()


def test_what_is_written_is_read_once_and_in_order(recorder, reader):
    for number in (5, 6, 7):
        with recorder.step(number, work=10.0), recorder.section("compute"):
            pass
    found = reader.read(NEVER)
    assert numbers(found) == [5, 6, 7]
    assert found.header.owner.place == Place(3, stage=1)
    assert (found.header.owner.job, found.header.owner.attempt, found.header.owner.synced) == ("j", 2, True)
    assert numbers(reader.read(NEVER)) == []
    assert reader.read(NEVER).last[1] == 7


def test_a_step_that_ends_after_the_period_belongs_to_the_next(recorder, reader):
    with recorder.step():
        pass
    end_of_period = time.monotonic_ns()
    with recorder.step():
        pass
    assert numbers(reader.read(end_of_period)) == [0]
    assert numbers(reader.read(NEVER)) == [1]


def test_a_full_ring_loses_the_oldest_and_counts_them(recorder, reader):
    for _ in range(ring.CAPACITY + 10):
        recorder.record(0, 0.001)
    found = reader.read(NEVER)
    # One slot may be under the writer's pen at any moment, so it is never read.
    assert (len(found.entries), found.lost) == (ring.CAPACITY - 1, 11)


def test_time_in_sections_is_exclusive(recorder, reader):
    with recorder.step(), recorder.section("outer"):
        time.sleep(0.01)
        with recorder.section("inner"):
            time.sleep(0.02)
    entry = reader.read(NEVER).entries[0]
    outer, inner = entry[5] / 1e9, entry[6] / 1e9
    assert 0.01 <= outer < 0.02 <= inner
    assert (entry[3] - entry[2]) / 1e9 >= outer + inner


def test_the_header_says_where_the_rank_is_now(recorder, reader):
    with recorder.step():
        with recorder.section("compute"), recorder.section("collective"):
            assert reader.read(NEVER).header.section == "collective"
        assert reader.read(NEVER).header.section is None


def test_a_step_that_raised_did_not_end(recorder, reader):
    with pytest.raises(ZeroDivisionError), recorder.step(), recorder.section("compute"):
        raise ZeroDivisionError
    with recorder.step():
        pass
    found = reader.read(NEVER)
    assert numbers(found) == [0]
    assert found.header.section is None


@given(cut=st.integers(0, ring.ENTRY_BYTES), noise=st.binary(min_size=ring.ENTRY_BYTES, max_size=ring.ENTRY_BYTES))
def test_a_writer_killed_at_any_byte_of_an_entry_leaves_no_half_step(tmp_path_factory, cut, noise):
    path = tmp_path_factory.mktemp("ring") / "1.ring"
    file = bytearray(ring.FILE_BYTES)
    file[: ring.HEADER_BYTES] = ring.blank(Owner(Place(0), job="j"))
    whole = [ring.ENTRY.pack(n + 1, n, 100, 200, 0.0, *([0] * ring.SECTIONS), n + 1) for n in range(2)]
    at = ring.HEADER_BYTES
    file[at : at + ring.ENTRY_BYTES] = whole[0]
    file[at + ring.ENTRY_BYTES : at + 2 * ring.ENTRY_BYTES] = whole[1][:cut] + noise[cut:]
    struct.pack_into("<q", file, ring.Word.COUNT * 8, 1)  # the count is raised last: it never was
    path.write_bytes(file)
    reader = open_reader(path)
    try:
        assert numbers(reader.read(NEVER)) == [0]
        struct.pack_into("<q", file, ring.Word.COUNT * 8, 2)  # and should a processor have reordered the stores:
        path.write_bytes(file)
        found = reader.read(NEVER)
        assert numbers(found) in ([], [1])
        assert len(found.entries) + found.refused == 1
    finally:
        reader.close()


@given(st.binary(max_size=ring.HEADER_BYTES + 8))
def test_noise_is_no_header(noise):
    with pytest.raises(ring.RingError):
        ring.read_header(noise)


@given(st.binary(min_size=400, max_size=400), st.integers(0, ring.HEADER_BYTES - 400))
def test_noise_in_a_header_is_refused_or_harmless(noise, at):
    raw = bytearray(ring.blank(Owner(Place(0), job="j")))
    raw[at : at + len(noise)] = noise
    try:
        header = ring.read_header(bytes(raw))
    except ring.RingError:
        return
    assert all(name.isprintable() for name in (*header.sections, header.owner.job, header.owner.job_name))


def test_a_ring_of_another_version_is_named(recorder):
    raw = bytearray(recorder.path.read_bytes()[: ring.HEADER_BYTES])
    struct.pack_into("<I", raw, 8, 7)
    with pytest.raises(ring.RingError, match="version 7"):
        ring.read_header(bytes(raw))


def test_a_truncated_file_gives_an_error_not_a_death(tmp_path):
    path = tmp_path / "1.ring"
    path.write_bytes(ring.blank(Owner(Place(0))) + bytes(ring.FILE_BYTES - ring.HEADER_BYTES))
    reader = open_reader(path)
    os.truncate(path, 100)
    with pytest.raises(ring.RingError):
        reader.read(NEVER)
    reader.close()


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "short"])
def test_only_a_regular_file_of_the_right_size_is_opened(tmp_path, kind):
    path = tmp_path / "1.ring"
    if kind == "link":
        (tmp_path / "other").write_bytes(bytes(ring.FILE_BYTES))
        path.symlink_to(tmp_path / "other")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"short")
    with pytest.raises((OSError, ring.RingError)):
        open_reader(path)


WRITER = """
import sys
from guard import steps
recorder = steps.open(directory=sys.argv[1], job="j")
print(recorder.path, flush=True)
while True:
    with recorder.step() as step:
        step.work = float(step.number)
        with recorder.section("compute"):
            pass
"""


def test_kill_9_of_the_writer_at_any_moment_leaves_only_whole_steps(tmp_path):
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True)
        reader = open_reader(Path(writer.stdout.readline().strip()))
        assert reader.alive()
        seen = 0
        deadline = time.monotonic() + 20
        while seen < 3000 and time.monotonic() < deadline:
            found = reader.read(NEVER)
            assert found.refused == 0
            assert all(entry[4] == entry[1] for entry in found.entries)
            seen += len(found.entries) + found.lost
        assert seen >= 3000
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
        writer.stdout.close()
        found = reader.read(NEVER)
        assert found.refused == 0
        assert seen + len(found.entries) + found.lost == found.header.count
        assert not reader.alive()
        reader.close()
