"""The network that the demo trains: a perceptron with two hidden layers that learns to imitate a fixed teacher."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from guard.demo.allreduce import Vector

SIZES = (64, 320, 320, 16)
"""Inputs, two hidden layers, classes: 128,000 parameters, 0.5 MB to reduce in each step."""

BATCH = 1024
"""Samples a step and rank: about 10 ms of one core, where a slowdown stands out against the all-reduce's 1 ms."""

_POOL = 8192
_LEARNING_RATE = 0.05
_MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs, a row per sample, and the class of each."""

    inputs: Vector
    classes: np.ndarray[tuple[int], np.dtype[np.intp]]


class Samples:
    """One rank's share of the training data: its own inputs, labelled by the teacher that all ranks share."""

    def __init__(self, seed: int, rank: int) -> None:
        teacher = np.random.default_rng(seed).standard_normal((SIZES[0], SIZES[-1]), dtype=np.float32)
        self._random = np.random.default_rng((seed, rank))
        self._inputs = self._random.standard_normal((_POOL, SIZES[0]), dtype=np.float32)
        self._classes = np.argmax(self._inputs @ teacher, axis=1)

    def draw(self) -> Batch:
        """The next batch, drawn with replacement."""
        rows = self._random.integers(_POOL, size=BATCH)
        return Batch(self._inputs[rows], self._classes[rows])


class Network:
    """Parameters and momentum as flat vectors, so that one all-reduce and one file hold all of them."""

    def __init__(self, seed: int) -> None:
        count = sum(rows * columns for rows, columns in pairwise(SIZES))
        self.parameters = np.empty(count, dtype=np.float32)
        self.momentum = np.zeros(count, dtype=np.float32)
        self._layers = _matrices(self.parameters)
        random = np.random.default_rng(seed)
        for layer in self._layers:
            layer[:] = random.standard_normal(layer.shape, dtype=np.float32) / np.sqrt(np.float32(len(layer)))

    def gradient(self, batch: Batch, out: Vector) -> float:
        """Forward and backward: fill ``out`` with the gradient of the mean cross-entropy; return the latter."""
        first, second, third = self._layers
        hidden = np.tanh(batch.inputs @ first)
        deep = np.tanh(hidden @ second)
        logits = deep @ third
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        odds /= odds.sum(axis=1, keepdims=True)
        rows = np.arange(len(odds))
        loss = -float(np.log(odds[rows, batch.classes] + np.float32(1e-12)).mean())
        odds[rows, batch.classes] -= 1
        odds /= len(odds)
        to_first, to_second, to_third = _matrices(out)
        np.matmul(deep.T, odds, out=to_third)
        back = (odds @ third.T) * (1 - deep * deep)
        np.matmul(hidden.T, back, out=to_second)
        back = (back @ second.T) * (1 - hidden * hidden)
        np.matmul(batch.inputs.T, back, out=to_first)
        return loss

    def update(self, gradient: Vector) -> None:
        """One step of gradient descent with momentum."""
        self.momentum *= np.float32(_MOMENTUM)
        self.momentum += gradient
        self.parameters -= np.float32(_LEARNING_RATE) * self.momentum


def _matrices(flat: Vector) -> list[Vector]:
    """The layers as views into a flat vector."""
    matrices, start = [], 0
    for rows, columns in pairwise(SIZES):
        matrices.append(flat[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return matrices
