"""An explanation: the facts, and the chain of evidence made from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from msgspec import Struct

from collectors.telemetry import Compared
from detectors.plain import moment
from detectors.policy import Policy
from detectors.verdict import JobVerdict, Verdict
from guard.explain.material import Material
from guard.explain.retell import Retold
from guard.explain.seen import Seen


class Row(Struct, frozen=True):
    """A section or a signal: the node's value, what is typical of its peers, and how far apart they are.

    Attributes:
        name: of it.
        unit: of both values.
        value, typical: the two.
        score: robust standard deviations between them; None: not known.
        windows: for how many windows it has held; None: not known.
    """

    name: str
    unit: str
    value: float
    typical: float | None
    score: float | None = None
    windows: int | None = None


class Link(Struct, frozen=True):
    """One link of the chain.

    Attributes:
        about: its heading.
        text: sentences, harmless to print.
        plot: name of the chart that shows it: `own`, `evidence` or `waiting`.
        rows: figures.
    """

    about: str
    text: list[str]
    plot: str | None = None
    rows: list[Row] = []


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that sentences are made from.

    Attributes:
        node: its name.
        said: the verdict that is explained.
        material, retold: where it comes from.
        policy: thresholds.
    """

    node: str
    said: Verdict
    material: Material
    retold: Retold
    policy: Policy

    @property
    def windows(self) -> Sequence[Seen]:
        """Judged windows of the node."""
        return self.retold.witness.windows

    @property
    def compared(self) -> Sequence[Seen]:
        """Those in which its own work was compared."""
        return [seen for seen in self.windows if seen.compared]

    @property
    def lately(self) -> Sequence[Seen]:
        """Compared windows that the verdict is about: since it holds, or all of them where it is no suspicion."""
        compared = self.compared
        since = [seen for seen in compared if seen.start >= self.said.since]
        return since if since and self.said.role is not None else compared

    @property
    def newest(self) -> Compared | None:
        """The node's newest record."""
        return self.retold.newest

    @property
    def job(self) -> JobVerdict | None:
        """The last record about the job."""
        return self.retold.job

    @property
    def blind(self) -> bool:
        """Whether windows were judged, and in none was own work known."""
        return bool(self.windows) and not self.compared

    @property
    def on_times(self) -> bool:
        """Whether the verdict rests on own work."""
        return any(piece.signal == "steps.own" for piece in self.said.evidence)

    def own(self) -> tuple[float, float] | None:
        """Own work and what is typical, seconds per step: by the verdict, else medians."""
        for piece in self.said.evidence:
            if piece.signal == "steps.own" and piece.typical > 0:
                return piece.value, piece.typical
        mine = middle([seen.own for seen in self.lately])
        typical = middle([seen.typical for seen in self.lately])
        return (mine, typical) if mine is not None and typical else None

    def ratio(self) -> float | None:
        """How many times its peers' own work it does."""
        own = self.own()
        return own[0] / own[1] if own else None

    def peers(self) -> int | None:
        """How many peers it was compared with last."""
        return self.compared[-1].peers if self.compared else None

    def clock(self, time: float) -> str:
        """A time of day; with its date where that is not the date of the moment that is explained."""
        full = moment(time)
        return full[11:19] if full[:10] == moment(self.material.at)[:10] else full


class Explanation(Struct, frozen=True):
    """What is told.

    Attributes:
        node, cluster, job: about whom.
        at: the moment, Unix seconds.
        span: seconds of telemetry before it that were asked for.
        source: where the telemetry comes from.
        headline: the verdict in words.
        said: the verdict.
        retold: what the detector says when it folds this telemetry alone; None: nothing.
        chain: the evidence, link by link.
        unknown: what could not be known, and why.
        windows: what was seen, in order.
        window: seconds between windows, for charts.
    """

    node: str
    cluster: str
    job: str | None
    at: float
    span: float
    source: str
    headline: str
    said: Verdict
    retold: Verdict | None
    chain: list[Link]
    unknown: list[str]
    windows: list[Seen]
    window: float


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what is known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def count(number: int, one: str, several: str | None = None) -> str:
    """A number and its word: 1 window, 3 windows."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def times(ratio: float) -> str:
    """A multiple with as many digits as can matter: 1.04, 2.0, 12."""
    return f"{ratio:.2f}" if ratio < 1.095 else f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"
