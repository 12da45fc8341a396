"""A JAX loop that tells guard where each process spends its time.

    python examples/jax_loop.py

or, as several processes, once for each of them:

    JAX_COORDINATOR_ADDRESS=127.0.0.1:9999 JAX_NUM_PROCESSES=2 JAX_PROCESS_ID=0 python examples/jax_loop.py

JAX returns before the work is done, so sections mean something only with ``block_until_ready``. A jitted step
with its collectives inside is one section: guard then sees how slow the job is, and asks for a sweep rather than
accuse. Here gradients and their mean across processes are two calls, so that own work and waiting are apart.
"""

import os

import jax
import jax.numpy as jnp
from jax.experimental import multihost_utils

from guard import steps

STEPS = 200
BATCH = 64


@jax.jit
def gradient(weights: jax.Array, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    def loss(trial: jax.Array) -> jax.Array:
        return jnp.mean((inputs @ trial - targets) ** 2)

    return jax.grad(loss)(weights)


def mean_of_all(local: jax.Array) -> jax.Array:
    if jax.process_count() == 1:
        return local
    return jnp.mean(multihost_utils.process_allgather(local), axis=0)


def main() -> None:
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        jax.distributed.initialize(
            num_processes=int(os.environ["JAX_NUM_PROCESSES"]), process_id=int(os.environ["JAX_PROCESS_ID"])
        )
    key = jax.random.key(jax.process_index())
    weights = jnp.zeros((512, 1))
    recorder = steps.open(rank=jax.process_index(), synced=True)
    recorder.resumed(0)
    for number in range(STEPS):
        with recorder.step(number, work=BATCH):
            with recorder.section("data"):
                key, left, right = jax.random.split(key, 3)
                inputs = jax.random.normal(left, (BATCH, 512))
                targets = jax.block_until_ready(jax.random.normal(right, (BATCH, 1)))
            with recorder.section("compute"):
                local = jax.block_until_ready(gradient(weights, inputs, targets))
            with recorder.section("collective"):
                total = jax.block_until_ready(mean_of_all(local))
            with recorder.section("compute"):
                weights = jax.block_until_ready(weights - 1e-3 * total)
            if recorder.checkpoint_requested(number):  # true in every process at the same step
                with recorder.section("checkpoint"):
                    if jax.process_index() == 0:
                        jnp.save("checkpoint.npy", weights)
                    recorder.checkpoint_written(number)
    recorder.close()


if __name__ == "__main__":
    main()
