"""Data-parallel training in JAX that survives losing a node: checkpoints, resuming, and guard's step hook.

    srun python examples/jax_training.py --directory /shared/run --steps 2000

One process per node. The data of a step depends on the step and the rank alone, so a run that was stopped and
resumed, on other nodes perhaps, ends with the very bits of one that was not. ``examples/jax_training.sbatch`` is
the batch script; the whole of ``--directory`` is on a path that all nodes share.
"""

import argparse
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from guard import steps

WIDTH, INPUTS, OUTPUTS = 256, 64, 8
DECAY, RATE = np.float32(0.9), np.float32(0.05)
KEPT = 2
"""Checkpoints on disk: the newest, and one more in case it is damaged."""


@dataclass(frozen=True, slots=True)
class Run:
    directory: Path
    steps: int
    batch: int
    checkpoint_every: int
    seed: int
    exchange: float


def teacher(inputs: jax.Array) -> jax.Array:
    """What the network learns: a fixed, smooth function of its inputs."""
    return jnp.sin(inputs.reshape(len(inputs), OUTPUTS, -1).sum(-1))


def network(seed: int) -> dict[str, np.ndarray]:
    """Parameters to begin with: the same on every rank."""
    draw = np.random.default_rng(seed)
    shapes = {"first": (INPUTS, WIDTH), "second": (WIDTH, WIDTH), "third": (WIDTH, OUTPUTS)}
    return {
        name: draw.standard_normal(shape, dtype=np.float32) / np.float32(shape[0] ** 0.5)
        for name, shape in shapes.items()
    }


def samples(run: Run, step: int, rank: int) -> np.ndarray:
    """The inputs of a rank at a step. Nothing else decides them: no state is lost with a process."""
    return np.random.default_rng([run.seed, step, rank]).standard_normal((run.batch, INPUTS), dtype=np.float32)


class Training:
    """One rank: its part of every batch, and parameters that hold the same bits on all ranks."""

    def __init__(self, run: Run, recorder: steps.StepRecorder) -> None:
        self._run = run
        self._recorder = recorder
        self._rank = jax.process_index()
        start, unravel = ravel_pytree(network(run.seed))
        self.parameters, self.momentum = np.asarray(start), np.zeros_like(start)

        def loss(parameters: jax.Array, inputs: jax.Array) -> jax.Array:
            layers = unravel(parameters)
            hidden = jnp.tanh(inputs @ layers["first"])
            hidden = jnp.tanh(hidden @ layers["second"])
            return jnp.mean((hidden @ layers["third"] - teacher(inputs)) ** 2)

        mesh = Mesh(np.array(jax.devices()), ("rank",))
        self._split = NamedSharding(mesh, PartitionSpec("rank"))
        self._gradient = jax.jit(jax.value_and_grad(loss))
        self._mean = jax.jit(lambda parts: parts.mean(0), out_shardings=NamedSharding(mesh, PartitionSpec()))

    def train(self) -> float:
        """Train from the newest checkpoint to the last step; the loss of this rank there."""
        value = float("nan")
        start = self._resume()
        for number in range(start, self._run.steps):
            with self._recorder.step(number, work=self._run.batch):
                value = self._step(number)
                due = (number + 1) % self._run.checkpoint_every == 0
                if due or self._recorder.checkpoint_requested(number):
                    self._checkpoint(number)
        return value

    def _step(self, number: int) -> float:
        section = self._recorder.section
        with section("data"):
            inputs = samples(self._run, number, self._rank)
        with section("compute"):
            value, local = jax.block_until_ready(self._gradient(self.parameters, inputs))
        with section("collective"):
            parts = jax.make_array_from_process_local_data(self._split, np.asarray(local)[None])
            gradient = np.asarray(self._mean(parts).addressable_data(0))
            time.sleep(self._run.exchange)
        with section("compute"):
            self.momentum = DECAY * self.momentum + gradient
            self.parameters = self.parameters - RATE * self.momentum
        return float(value)

    def _checkpoint(self, number: int) -> None:
        """Rank 0 writes, as all hold the same bits; the others wait until it is on disk, and then say so too."""
        with self._recorder.section("checkpoint"):
            if self._rank == 0:
                write(self._run.directory, number, self.parameters, self.momentum)
            multihost_utils.sync_global_devices(f"checkpoint {number}")
        self._recorder.checkpoint_written(number)

    def _resume(self) -> int:
        """Begin where the newest whole checkpoint ended. Rank 0 reads, so that all begin at the same."""
        found = newest(self._run.directory) if self._rank == 0 else None
        mine = found or (-1, self.parameters, self.momentum)
        last, self.parameters, self.momentum = multihost_utils.broadcast_one_to_all(mine)
        self._recorder.resumed(int(last) + 1)
        return int(last) + 1


def write(directory: Path, number: int, parameters: np.ndarray, momentum: np.ndarray) -> None:
    """Write a checkpoint: whole under its name, or not at all."""
    partial_file = directory / "checkpoint.partial"
    with partial_file.open("wb") as file:
        np.savez(file, step=np.int64(number), parameters=parameters, momentum=momentum)
        file.flush()
        os.fsync(file.fileno())
    partial_file.replace(directory / f"checkpoint-{number:08}.npz")
    for old in sorted(directory.glob("checkpoint-*.npz"))[:-KEPT]:
        old.unlink()


def newest(directory: Path) -> tuple[int, np.ndarray, np.ndarray] | None:
    """The newest checkpoint that can be read; the zip inside carries checksums."""
    for path in sorted(directory.glob("checkpoint-*.npz"), reverse=True):
        try:
            with np.load(path, allow_pickle=False) as saved:
                return int(saved["step"]), saved["parameters"], saved["momentum"]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            print(f"{path.name} is left out: {error}", flush=True)
    return None


def arguments() -> Run:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--checkpoint-every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--exchange", type=float, default=0.0, help="seconds more for an exchange, as between real machines"
    )
    return Run(**vars(parser.parse_args()))


def main() -> None:
    run = arguments()
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # Without an address JAX asks Slurm's variables, which needs node names that resolve.
    jax.distributed.initialize(
        os.environ.get("JAX_COORDINATOR_ADDRESS"),
        num_processes=int(os.environ["SLURM_NTASKS"]),
        process_id=int(os.environ["SLURM_PROCID"]),
    )
    rank = jax.process_index()
    with steps.open(rank=rank, dp=rank, synced=True) as recorder:
        training = Training(run, recorder)
        value = training.train()
        end = hashlib.blake2b(training.parameters.tobytes(), digest_size=16).hexdigest()
    print(json.dumps({"rank": rank, "step": run.steps, "loss": value, "parameters": end}), flush=True)


if __name__ == "__main__":
    main()
