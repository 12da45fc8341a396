"""The loop's results as tables: the same rows for a terminal and for the page."""

from collections.abc import Mapping, Sequence

from guard.bench.tables import Table
from guard.simulate.assumptions import Assumptions, sources
from guard.simulate.measures import FIGURES, Figure, Lived, difference, figure
from guard.simulate.published import GUARD
from guard.simulate.regimes import Regime
from simulation.intervals import Estimate

Months = Mapping[Regime, Sequence[Lived]]


def results(months: Months) -> Table:
    """Every figure in every regime, what guard gives over hard-fault checks, and what GUARD published."""
    regimes = list(months)
    compared = Regime.GUARD in months and Regime.CHECKS in months
    rows = []
    for one in FIGURES:
        cells = [_cell(one, figure(one, months[regime])) for regime in regimes]
        if compared:
            gained = difference(one, months[Regime.GUARD], months[Regime.CHECKS])
            cells.append(_cell(one, gained, signed=True))
        rows.append((_label(one), *cells, GUARD.get(one.name, "")))
    gain = ("guard over checks, same faults",) if compared else ()
    return Table("Results", ("of a month", *regimes, *gain, "GUARD published"), rows)


def refusals(months: Months) -> Table | None:
    """What the rails said no to, on average of a month; None: nothing."""
    lived = months.get(Regime.GUARD, ())
    rails = sorted({rail for one in lived for rail in one.refused})
    if not rails:
        return None
    rows = [(rail, f"{sum(one.refused.get(rail, 0) for one in lived) / len(lived):.1f}") for rail in rails]
    return Table("What the rails refused, times a month", ("rail", "refusals"), rows)


def assumed(given: Assumptions) -> Table:
    """Every assumption and its source."""
    return Table("Assumptions", ("name", "value", "what", "source"), sources(given))


def _label(one: Figure) -> str:
    return f"{one.name}, {one.unit}" if one.unit else one.name


def _cell(one: Figure, found: Estimate | None, *, signed: bool = False) -> str:
    if found is None:
        return "none" if not signed else ""
    sign = "+" if signed else ""
    value, low, high = (_number(number, one.digits, sign) for number in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _number(value: float, digits: int, sign: str) -> str:
    # A zero has no sign.
    shown = round(value, digits) + 0.0
    return f"{shown:{sign if shown else ''},.{digits}f}"
