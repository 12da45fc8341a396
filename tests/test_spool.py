"""The agent's spool: bounded, in order, on disk where it can be."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.agent.spool import Spool

OVERHEAD = 64


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool.sqlite"


def fill(spool, count, start=0, size=1000):
    return sum(spool.append("k", str(n).encode().rjust(size)) for n in range(start, start + count))


def numbers(spool):
    return [int(value) for _, _, value in spool.peek(100_000)]


def refuse(spool):
    """Let the disk of ``spool`` be full from now on: SQLite's own limit gives SQLite's own error."""
    connection = spool._table._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def test_records_come_out_in_order_and_stay_until_removed(path):
    spool = Spool(path, 1 << 20)
    fill(spool, 10)
    batch = spool.peek(4)
    assert [int(value) for _, _, value in batch] == [0, 1, 2, 3]
    assert len(spool) == 10
    spool.remove(batch[-1][0])
    assert numbers(spool) == list(range(4, 10))
    assert len(spool) == 6
    spool.close()


def test_a_spool_too_small_drops_exactly_the_oldest_and_says_how_many(path):
    spool = Spool(path, 100 * (1000 + 1 + OVERHEAD))
    dropped = fill(spool, 250)
    assert numbers(spool) == list(range(150, 250))
    assert dropped == spool.dropped == 150
    spool.close()
    spool = Spool(path, 100 * (1000 + 1 + OVERHEAD))
    assert spool.dropped == 150
    spool.close()


def test_one_record_may_take_the_place_of_several(path):
    spool = Spool(path, 10_000)
    fill(spool, 9)
    assert spool.append("k", b"9".rjust(8000)) == 8
    assert numbers(spool) == [8, 9]
    assert spool.append("k", bytes(20_000)) == 3
    assert len(spool) == spool.size == 0
    spool.close()


def test_what_was_queued_survives_kill_9(path):
    script = (
        "import os, signal, sys; from guard.agent.spool import Spool\n"
        "spool = Spool(sys.argv[1], 1 << 20)\n"
        "for n in range(50): spool.append('k', b'%d' % n)\n"
        "spool.remove(spool.peek(10)[-1][0])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=30).returncode == -9
    spool = Spool(path, 1 << 20)
    assert numbers(spool) == list(range(10, 50))
    spool.close()


def test_the_file_shrinks_once_the_records_are_sent(path):
    spool = Spool(path, 10 << 20)
    fill(spool, 200, size=12_000)
    spool.remove(spool.peek(200)[-1][0])
    spool.close()
    assert path.stat().st_size < 100_000


def test_a_full_disk_sends_the_queue_to_memory_under_the_same_numbers_and_back(path):
    now = [0.0]
    spool = Spool(path, 1 << 20, clock=lambda: now[0])
    fill(spool, 20, start=-20)
    spool.remove(spool.peek(20)[-1][0])
    fill(spool, 20)
    batch = spool.peek(5)
    refuse(spool)
    fill(spool, 80, start=20)
    assert spool.trouble is not None
    assert "full" in spool.trouble
    spool.remove(batch[-1][0])
    assert numbers(spool) == list(range(5, 100))
    now[0] = 31.0
    fill(spool, 1, start=100)
    assert spool.trouble is None
    assert numbers(spool) == list(range(5, 101))
    spool.close()
    spool = Spool(path, 1 << 20)
    assert numbers(spool) == list(range(5, 101))
    spool.close()


def test_memory_has_the_same_bound_and_what_it_drops_is_counted_on_disk(path):
    now = [0.0]
    spool = Spool(path, 30 * 1065, clock=lambda: now[0])
    fill(spool, 40)
    refuse(spool)
    fill(spool, 1, start=40, size=1000)
    fill(spool, 59, start=41)
    assert numbers(spool) == list(range(70, 100))
    assert spool.dropped == 70
    spool.close()
    spool = Spool(path, 30 * 1065)
    assert numbers(spool) == list(range(70, 100))
    assert spool.dropped == 70
    spool.close()


def test_what_an_unreadable_disk_held_goes_first_once_it_can_be_read(tmp_path):
    away, directory = tmp_path / "away", tmp_path / "spool"
    away.mkdir()
    first = Spool(away / "spool.sqlite", 1 << 20)
    fill(first, 10)
    first.close()
    now = [0.0]
    spool = Spool(directory / "spool.sqlite", 1 << 20, clock=lambda: now[0])
    assert spool.trouble is not None
    fill(spool, 10, start=10)
    away.rename(directory)
    now[0] = 31.0
    fill(spool, 1, start=20)
    assert spool.trouble is None
    assert numbers(spool) == list(range(21))
    spool.close()


def test_a_damaged_file_is_set_aside(path, caplog):
    path.write_bytes(b"not a database" * 1000)
    spool = Spool(path, 1 << 20)
    fill(spool, 3)
    assert numbers(spool) == [0, 1, 2]
    assert spool.trouble is None
    assert Path(f"{path}.damaged").read_bytes() == b"not a database" * 1000
    assert "set aside" in caplog.text
    spool.close()


Step = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 900)),
    st.tuples(st.just("remove"), st.integers(1, 6)),
    st.just(("restart", 0)),
    st.just(("full", 0)),
)


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(Step, max_size=40))
def test_the_bound_holds_and_the_newest_stay_whatever_happens(steps):
    largest = 3000
    model: list[bytes] = []
    dropped = 0
    with TemporaryDirectory() as directory:
        spool = Spool(Path(directory) / "s", largest)
        for n, (step, size) in enumerate(steps):
            if step == "append":
                value = str(n).encode().rjust(size)
                model.append(value)
                gone = 0
                while sum(len(held) + 2 + OVERHEAD for held in model) > largest:
                    model.pop(0)
                    gone += 1
                assert spool.append("é", value) == gone
                dropped += gone
            elif step == "remove" and model:
                spool.remove(spool.peek(size)[-1][0])
                del model[:size]
            elif step == "full" and spool.trouble is None:
                refuse(spool)
            elif step == "restart":
                spool.close()
                spool = Spool(Path(directory) / "s", largest)
            assert [value for _, _, value in spool.peek(1000)] == model
            assert len(spool) == len(model)
            assert spool.size == sum(len(held) + 2 + OVERHEAD for held in model) <= largest
            assert spool.dropped == dropped
        spool.close()
