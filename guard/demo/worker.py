"""One rank of the demo's training job: data-parallel gradient descent in lockstep, with the step hook in its loop.

Run by ``guard demo`` as ``python -m guard.demo.worker``. It is an ordinary training program: it knows nothing of
agents, detectors or faults. On SIGTERM all ranks end after the same step: the request travels in the all-reduce.
"""

import argparse
import hashlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from zipfile import BadZipFile

import numpy as np

from guard import steps
from guard.demo.allreduce import PeerError, RingAllReduce, Vector
from guard.demo.network import Network, Samples

CHECKPOINT_EVERY = 200
"""Steps: some seconds of training, so that a short demo writes several."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this rank stands, and what it shares with the others."""

    rank: int
    world: int
    seed: int
    checkpoint: Path
    checkpoint_every: int = CHECKPOINT_EVERY
    last_step: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where training ended: steps done, the mean loss of the last, and a digest of the parameters."""

    step: int
    loss: float | None
    digest: str


class Trainer:
    """The training loop of one rank."""

    def __init__(self, place: Place, ring: RingAllReduce, recorder: steps.StepRecorder) -> None:
        self.network = Network(place.seed)
        self._samples = Samples(place.seed, place.rank)
        self._place = place
        self._ring = ring
        self._recorder = recorder
        # The gradient, the loss, and how many ranks were asked to end: summed together, so that all agree.
        self._shared = np.zeros(len(self.network.parameters) + 2, dtype=np.float32)
        self._ending = False

    def end(self) -> None:
        """Ask all ranks to end after the step in progress or the next. Safe to call from a signal handler."""
        self._ending = True

    def train(self) -> Outcome:
        """Train until asked to end, from the newest checkpoint where there is one.

        Raises:
            PeerError: another rank is gone.
            CheckpointError: the checkpoint is there and cannot be read.
        """
        step = load(self._place.checkpoint, self.network) if self._place.checkpoint.exists() else 0
        self._recorder.resumed(step)
        loss, ending = None, False
        while not ending and step != self._place.last_step:
            with self._recorder.step(step):
                loss, ending = self._step()
                if (step + 1) % self._place.checkpoint_every == 0 or self._recorder.checkpoint_requested(step):
                    self._save(step + 1)
            step += 1
        return Outcome(step, loss, digest(self.network.parameters))

    def _step(self) -> tuple[float, bool]:
        section, shared = self._recorder.section, self._shared
        with section("data"):
            batch = self._samples.draw()
        with section("compute"):
            shared[-2] = self.network.gradient(batch, out=shared[:-2])
            shared[-1] = self._ending
        with section("collective"):
            self._ring.sum(shared)
        with section("compute"):
            ending = bool(shared[-1] > 0)
            shared /= np.float32(self._place.world)
            self.network.update(shared[:-2])
        return float(shared[-2]), ending

    def _save(self, step: int) -> None:
        """Rank 0 writes, and it alone: all ranks hold the same bits."""
        if self._place.rank != 0:
            return
        with self._recorder.section("checkpoint"):
            save(self._place.checkpoint, self.network, step)
        self._recorder.checkpoint_written(step)


class CheckpointError(Exception):
    """A checkpoint that cannot be read."""


def save(path: Path, network: Network, step: int) -> None:
    """Write a checkpoint. The old one stays until the new one is whole and on disk."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, step=np.int64(step), parameters=network.parameters, momentum=network.momentum)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path, network: Network) -> int:
    """Read a checkpoint into ``network`` and return its step.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            network.parameters[:] = saved["parameters"]
            network.momentum[:] = saved["momentum"]
            return int(saved["step"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise CheckpointError(f"{path}: {error}") from error


def digest(parameters: Vector) -> str:
    """A short hash of the very bits: equal on all ranks, or lockstep is broken."""
    return hashlib.blake2b(parameters.tobytes(), digest_size=8).hexdigest()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m guard.demo.worker", description=__doc__)
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--world", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--to-next", type=int, required=True, metavar="FD")
    parser.add_argument("--from-previous", type=int, required=True, metavar="FD")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--checkpoint-every", type=int, default=CHECKPOINT_EVERY, metavar="STEPS")
    parser.add_argument("--last-step", type=int)
    return parser.parse_args()


def main() -> int:
    """Train, and print where it ended as a line of JSON."""
    arguments = _arguments()
    place = Place(
        arguments.rank,
        arguments.world,
        arguments.seed,
        arguments.checkpoint,
        checkpoint_every=arguments.checkpoint_every,
        last_step=arguments.last_step,
    )
    ring = RingAllReduce(
        place.rank,
        place.world,
        socket.socket(fileno=arguments.to_next),
        socket.socket(fileno=arguments.from_previous),
    )
    with steps.open(rank=place.rank, local_rank=0, dp=place.rank, job="demo", attempt=0, synced=True) as recorder:
        trainer = Trainer(place, ring, recorder)

        def end(_signal: int, _frame: FrameType | None) -> None:
            trainer.end()

        signal.signal(signal.SIGTERM, end)
        try:
            outcome = trainer.train()
        except (PeerError, CheckpointError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            ring.close()
    sys.stdout.write(
        json.dumps({"rank": place.rank, "step": outcome.step, "loss": outcome.loss, "parameters": outcome.digest})
        + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
