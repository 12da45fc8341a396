"""Pictures of a run: precision against recall, recall against slowdown, and how long accusations take."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from simulation.outcome import Outcome
from simulation.score import Score, by_factor, delay_seconds

mpl.use("Agg")  # files only: there is no display
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_EDGES = np.array([1.0, 1.04, 1.075, 1.125, 1.175, 1.25, 1.4, 1.75, 2.5, np.inf])
"""Of slowdown: fine where detection becomes hard."""


def draw(folder: Path, outcomes: Sequence[Outcome], scores: Sequence[Score]) -> list[Path]:
    """Draw all pictures.

    Args:
        folder: where to, as PNG.
        outcomes: of all contestants.
        scores: one per contestant, in the order of tables.
    """
    mine = {one.detector: [it for it in outcomes if it.detector == one.detector] for one in scores}
    return [
        _save(folder / "precision-recall.png", lambda axes: _precision_recall(axes, scores)),
        _save(folder / "recall-slowdown.png", lambda axes: _recall(axes, mine)),
        _save(folder / "delay.png", lambda axes: _delay(axes, mine)),
    ]


def _save(path: Path, paint: Callable[["Axes"], None]) -> Path:
    figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
    paint(axes)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120, metadata={"Software": None})  # the same run gives the same bytes
    plt.close(figure)
    return path


def _precision_recall(axes: "Axes", scores: Sequence[Score]) -> None:
    for number, one in enumerate(scores):
        if one.precision and one.recall:
            axes.plot(one.recall.value, one.precision.value, _MARKS[number % len(_MARKS)], label=one.detector)
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _recall(axes: "Axes", mine: dict[str, list[Outcome]]) -> None:
    for number, (name, outcomes) in enumerate(mine.items()):
        factors, hits = by_factor(outcomes)
        place = np.digitize(factors, _EDGES) - 1
        there = [one for one in range(len(_EDGES) - 1) if (place == one).any()]
        x = [float(factors[place == one].mean()) for one in there]
        y = [float(hits[place == one].mean()) for one in there]
        axes.plot(x, y, _MARKS[number % len(_MARKS)] + "-", markersize=4, linewidth=1, label=name)
    axes.set(xlabel="own work over normal", ylabel="share found", xscale="log", ylim=(-0.02, 1.02))


def _delay(axes: "Axes", mine: dict[str, list[Outcome]]) -> None:
    for name, outcomes in mine.items():
        delays = np.sort(delay_seconds(outcomes))
        if len(delays):
            axes.step(delays, np.arange(1, len(delays) + 1) / len(delays), where="post", label=name)
    axes.set(xlabel="seconds from onset to accusation", ylabel="share of those found", xscale="log")


_MARKS = "os^vD<>Pp*Xhd"
