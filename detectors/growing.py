"""Arrays with a row per node slot that grow as nodes come."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.observed import Integers

_Kind = TypeVar("_Kind", bound=np.generic)


def grown(array: NDArray[_Kind], shape: tuple[int, ...], fill: float) -> NDArray[_Kind]:
    """The array in a larger shape; what is new is `fill`."""
    larger: NDArray[_Kind] = np.full(shape, fill, dtype=array.dtype)
    larger[tuple(slice(size) for size in array.shape)] = array
    return larger


def enough(have: int, need: int) -> int:
    """Rows to have where `need` are needed: twice as many as before, so that growing one by one stays cheap."""
    return have if need <= have else max(need, 2 * have)


def rows_of(slots: Integers) -> slice | Integers:
    """Slots that follow one another as a slice, which arrays take in several times faster."""
    first, last = int(slots[0]), int(slots[-1])
    if last - first == len(slots) - 1 and (len(slots) == 1 or bool((np.diff(slots) == 1).all())):
        return slice(first, last + 1)
    return slots
