"""A picture of the loop: the figures that matter in each regime, a point for each seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

from guard.simulate.measures import FIGURES, Figure, Lived, figure
from guard.simulate.regimes import Regime

mpl.use("Agg")  # files only: there is no display
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = ("goodput", "mean step time", "MTTF", "human interventions")
_COLOURS = ("#8c8c8c", "#4c78a8", "#54a24b")


def draw(path: Path, months: Mapping[Regime, Sequence[Lived]]) -> Path:
    """Draw it as PNG; the same months give the same bytes."""
    figures = [one for one in FIGURES if one.name in _SHOWN]
    drawing, axes = plt.subplots(1, len(figures), figsize=(11, 4), layout="constrained")
    for one, place in zip(figures, axes, strict=True):
        _paint(place, one, months)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(drawing)
    return path


def _paint(axes: "Axes", one: Figure, months: Mapping[Regime, Sequence[Lived]]) -> None:
    for place, lived in enumerate(months.values()):
        found = figure(one, lived)
        if found is None:
            continue
        error = [[found.value - found.low], [found.high - found.value]]
        axes.bar(place, found.value, yerr=error, capsize=4, color=_COLOURS[place % len(_COLOURS)], alpha=0.8)
        single = [estimate.value for month in lived if (estimate := figure(one, [month])) is not None]
        beside = place + np.linspace(-0.25, 0.25, len(single)) if len(single) > 1 else [place]
        axes.plot(beside, single, ".", color="black", markersize=3, alpha=0.6)
    axes.set_xticks(range(len(months)), [regime.replace(" ", "\n", 1) for regime in months], fontsize="small")
    axes.set_title(f"{one.name}, {one.unit}" if one.unit else f"{one.name} a month", fontsize="medium")
    axes.grid(axis="y", alpha=0.3)
