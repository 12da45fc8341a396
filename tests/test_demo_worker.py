"""The demo's training processes: lockstep, checkpoints, an orderly end, and an end when a peer dies."""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from guard.demo import fault, worker
from guard.demo.network import SIZES, Network, Samples
from guard.demo.processes import Child, ChildDiedError, Processes

WORLD = 3


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


def start_workers(processes: Processes, directory: Path, *arguments: str) -> list[Child]:
    pairs = [socket.socketpair() for _ in range(WORLD)]
    children = []
    for rank in range(WORLD):
        files = (pairs[rank][0].fileno(), pairs[rank - 1][1].fileno())
        children.append(
            processes.start(
                f"worker-{rank}",
                [sys.executable, "-m", "guard.demo.worker", f"--rank={rank}", f"--world={WORLD}", "--seed=7",
                 f"--to-next={files[0]}", f"--from-previous={files[1]}",
                 f"--checkpoint={directory / 'checkpoint.npz'}", "--checkpoint-every=20", *arguments],
                environment={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "GUARD_RING_DIR": ""},
                files=files,
            )
        )  # fmt: skip
    for pair in pairs:
        for end in pair:
            end.close()
    return children


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def outcomes(children: list[Child]) -> list[dict[str, object]]:
    return [json.loads(child.log.read_text()) for child in children]


def test_all_ranks_end_with_the_same_bits_and_a_later_run_goes_on_from_the_checkpoint(
    processes: Processes, tmp_path: Path
) -> None:
    children = start_workers(processes, tmp_path, "--last-step=25")
    wait_until(lambda: all(child.ended() for child in children), 60)
    first = outcomes(children)
    assert [outcome["step"] for outcome in first] == [25] * WORLD
    assert len({outcome["parameters"] for outcome in first}) == 1
    network = Network(1)
    assert worker.load(tmp_path / "checkpoint.npz", network) == 20
    assert not np.array_equal(network.parameters, Network(7).parameters)

    resumed = tmp_path / "resumed"
    resumed.mkdir()
    with Processes(resumed) as again:
        children = start_workers(again, tmp_path, "--last-step=20")
        wait_until(lambda: all(child.ended() for child in children))
        digests = {outcome["parameters"] for outcome in outcomes(children)}
    assert digests == {worker.digest(network.parameters)}


def test_a_request_to_end_on_one_rank_ends_all_after_the_same_step(processes: Processes, tmp_path: Path) -> None:
    children = start_workers(processes, tmp_path)
    wait_until((tmp_path / "checkpoint.npz").exists, 60)
    os.kill(children[1].pid, signal.SIGTERM)
    wait_until(lambda: all(child.ended() for child in children))
    assert len({(outcome["step"], outcome["parameters"]) for outcome in outcomes(children)}) == 1
    assert [child.reap() for child in children] == [0] * WORLD


def test_a_killed_rank_ends_the_others_with_a_line_that_says_so(processes: Processes, tmp_path: Path) -> None:
    children = start_workers(processes, tmp_path)
    wait_until((tmp_path / "checkpoint.npz").exists, 60)
    os.kill(children[0].pid, signal.SIGKILL)
    wait_until(lambda: all(child.ended() for child in children), 15)
    with pytest.raises(ChildDiedError, match=r"worker-0 ended with signal SIGKILL"):
        processes.check()
    for child in children[1:]:
        assert child.reap() == 1
        assert child.tail().startswith("rank ")
        assert "Traceback" not in child.tail()


def test_a_checkpoint_gives_back_every_bit(tmp_path: Path) -> None:
    network, other = Network(3), Network(4)
    network.momentum += 1
    worker.save(tmp_path / "checkpoint.npz", network, 17)
    assert worker.load(tmp_path / "checkpoint.npz", other) == 17
    assert other.parameters.tobytes() == network.parameters.tobytes()
    assert other.momentum.tobytes() == network.momentum.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of an archive", b"no archive at all"])
def test_a_damaged_checkpoint_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(content)
    with pytest.raises(worker.CheckpointError, match=r"checkpoint\.npz"):
        worker.load(path, Network(1))


def test_training_learns() -> None:
    network, samples = Network(5), Samples(5, 0)
    gradient = np.empty_like(network.parameters)
    losses = []
    for _ in range(40):
        losses.append(network.gradient(samples.draw(), out=gradient))
        network.update(gradient)
    assert losses[-1] < losses[0] / 2
    assert losses[0] == pytest.approx(np.log(SIZES[-1]), rel=0.5)


def test_a_slowed_process_is_stopped_and_continued_in_turns(processes: Processes) -> None:
    with slowed(processes, fault.DutyCycle(stop=0.02, run=0.02)) as child:
        for state in "TSTS":
            wait_until(lambda state=state: _state(child.pid) == state)  # type: ignore[misc]


def test_a_process_that_is_stopped_when_the_fault_ends_runs_on(processes: Processes) -> None:
    with slowed(processes, fault.DutyCycle(stop=60, run=0.02)) as child:
        wait_until(lambda: _state(child.pid) == "T")
    wait_until(lambda: _state(child.pid) == "S")


@contextlib.contextmanager
def slowed(processes: Processes, cycle: fault.DutyCycle) -> Iterator[Child]:
    child = processes.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
    ended = threading.Event()
    thread = threading.Thread(target=fault.slow, args=(child.pid, cycle, 120.0, ended))
    thread.start()
    try:
        yield child
    finally:
        ended.set()
        thread.join()


def test_a_fault_on_a_process_that_is_gone_ends_quietly(processes: Processes) -> None:
    child = processes.start("gone", [sys.executable, "-c", "pass"])
    wait_until(child.ended)
    child.reap()
    fault.slow(child.pid, fault.DutyCycle(), 30.0, threading.Event())


def test_children_end_with_the_process_that_started_them_even_when_it_is_killed(
    processes: Processes, tmp_path: Path
) -> None:
    inner = (
        "import os, signal, sys, time; from pathlib import Path; from guard.demo.processes import Processes\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "child = Processes(Path(sys.argv[1])).start('inner', command)\n"
        "while b'time.sleep' not in Path(f'/proc/{child.pid}/cmdline').read_bytes(): time.sleep(0.02)\n"
        "Path(sys.argv[1], 'pid').write_text(str(child.pid)); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    outer = processes.start("outer", [sys.executable, "-c", inner, str(tmp_path)])
    wait_until(outer.ended)
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: _state(pid) in ("", "Z"))


def test_a_child_that_ignores_sigterm_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    stubborn = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); time.sleep(60)\n"
    )
    processes = Processes(tmp_path)
    child = processes.start("stubborn", [sys.executable, "-c", stubborn])
    wait_until(lambda: child.log.read_text().strip().isdigit())
    processes.end([child], grace=0.2)
    assert child.reap() == -signal.SIGKILL
    wait_until(lambda: _state(int(child.log.read_text())) in ("", "Z"))


def _state(pid: int) -> str:
    """The letter that Linux gives the state of a process; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
