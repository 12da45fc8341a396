"""Windows for the judge: from a matrix of own work, or from a small fleet that is simulated step by step."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from detectors.board import Conclusion
from detectors.judge import Judge, Reading
from detectors.observed import SECTIONS, Floats, Integers, Observed, Signals, Totals
from detectors.policy import Policy
from detectors.verdict import Role, Status

START = 1_790_000_000.0
SECONDS = 10.0
POLICY = Policy(window=SECONDS)

Slow = Callable[[int, Floats], None]
"""Changes the factors (steps by nodes by ranks) of the window whose number it is given."""


def totals(
    own: ArrayLike,
    *,
    count: ArrayLike = 1.0,
    duration: ArrayLike | None = None,
    slowest: ArrayLike | None = None,
    work: ArrayLike = np.nan,
    section: str = "compute",
    sections: Mapping[str, ArrayLike] | None = None,
    stage: ArrayLike = 0,
    part: ArrayLike | None = None,
    replica: ArrayLike = -1,
    device: ArrayLike | None = None,
) -> Totals:
    """Give one window of nodes by ranks; what is given per node holds for all of its ranks.

    `own` is summed over the window's steps and lies in one section; all others are unknown unless given.
    """
    seconds = np.asarray(own, dtype=float)
    seconds = seconds[:, None] if seconds.ndim == 1 else seconds

    def wide(given: ArrayLike, kind: type = float) -> np.ndarray:
        array = np.asarray(given, dtype=kind)
        return np.broadcast_to(array[:, None] if array.ndim == 1 else array, seconds.shape).copy()

    counts, stages = wide(count), wide(stage, int)
    whole = wide(seconds.max(initial=0.0) if duration is None else duration)
    each = np.full((len(SECTIONS), *seconds.shape), np.nan)
    for name, given in ({section: seconds} | dict(sections or {})).items():
        each[SECTIONS.index(name)] = wide(given)
    with np.errstate(divide="ignore", invalid="ignore"):
        longest = wide(whole / counts if slowest is None else slowest)
    return Totals(
        count=counts,
        first=np.zeros_like(counts),
        last=counts - 1,
        duration=whole,
        slowest=longest,
        work=wide(work),
        sections=each,
        part=stages if part is None else wide(part, int),
        stage=stages,
        depth=stages,
        pipeline=wide(replica, int),
        device=np.tile(np.arange(seconds.shape[1]), (len(seconds), 1)) if device is None else wide(device, int),
    )


def observe(
    window: Totals,
    number: int = 0,
    *,
    among: ArrayLike | None = None,
    domains: Mapping[str, Integers] | None = None,
) -> Observed:
    """Give the totals as window `number`, without signals."""
    nodes = len(window.count)
    there = np.ones(nodes, dtype=bool) if among is None else np.asarray(among, dtype=bool)
    start = START + SECONDS * number
    nothing = Signals((), np.zeros(0, dtype=bool), np.zeros(nodes), np.zeros((nodes, 0)))
    return Observed(start, start + SECONDS, window, nothing, there, there, domains or {})


def repeat(window: Totals, windows: int, **observed: object) -> list[Observed]:
    """Give the same window again and again."""
    return [observe(window, number, **observed) for number in range(windows)]


@dataclass(frozen=True)
class Fleet:
    """Synchronous training: a step ends everywhere when the slowest rank has done its own work, and transfers.

    Attributes:
        nodes, ranks, stages: the layout; a node is in one stage, replicas are as many as a stage has nodes.
        steps: in each window.
        noise: standard deviation of a rank's own work, log, from step to step.
        tails: degrees of freedom of that noise (Student's t); infinite for normal noise.
        spread: nodes differ for good by up to so much, either way.
        weight: own work of each stage, seconds per step.
        transfer: seconds of each step in which all ranks exchange.
    """

    nodes: int = 16
    ranks: int = 2
    stages: int = 2
    steps: int = 10
    noise: float = 0.0045
    tails: float = np.inf
    spread: float = 0.0
    weight: tuple[float, ...] = (1.0,)
    transfer: float = 0.05
    seed: int = 0

    @property
    def stage(self) -> Integers:
        return np.repeat(np.arange(self.stages), self.nodes // self.stages)

    def windows(
        self, count: int, slow: Slow | None = None, domains: Mapping[str, Integers] | None = None
    ) -> Iterator[Observed]:
        """Give `count` windows."""
        random = np.random.default_rng(self.seed)
        usual = 1 + random.uniform(-self.spread, self.spread, self.nodes)
        usual *= np.resize(self.weight, self.stages)[self.stage]
        shape = (self.steps, self.nodes, self.ranks)
        for number in range(count):
            factor = np.ones(shape)
            if slow is not None:
                slow(number, factor)
            noise = random.standard_normal(shape) if np.isinf(self.tails) else random.standard_t(self.tails, shape)
            own = usual[:, None] * factor * np.exp(self.noise * noise)
            step = own.max(axis=(1, 2)) + self.transfer
            window = totals(
                own.sum(axis=0),
                count=self.steps,
                duration=step.sum(),
                slowest=step.max(),
                sections={"collective": (step[:, None, None] - own).sum(axis=0)},
                stage=self.stage,
                replica=np.tile(np.arange(self.nodes // self.stages), self.stages),
            )
            yield observe(window, number, domains=domains)


def slowed(nodes: int | list[int], factor: float, since: int = 0, *, rank: int | None = None) -> Slow:
    """Slow these nodes, or one rank of theirs, from a window on."""

    def change(number: int, factors: Floats) -> None:
        if number >= since:
            factors[:, nodes, slice(None) if rank is None else rank] *= factor

    return change


def judged(windows: Iterable[Observed], policy: Policy = POLICY) -> list[Reading]:
    """Judge all windows by a new judge."""
    judge = Judge(policy)
    return [judge.judge(window) for window in windows]


def suspected(readings: Iterable[Reading]) -> dict[int, int]:
    """Who was ever a suspect, and the number of the window in which first."""
    first: dict[int, int] = {}
    for number, reading in enumerate(readings):
        for slot in reading.conclusions:
            first.setdefault(slot, number)
    return first


def accused(readings: Iterable[Reading]) -> dict[int, int]:
    """Who was ever accused, and the number of the window in which first."""
    first: dict[int, int] = {}
    for number, reading in enumerate(readings):
        for slot, said in reading.conclusions.items():
            if accuses(said):
                first.setdefault(slot, number)
    return first


def accuses(said: Conclusion) -> bool:
    """Tell whether a conclusion could have a node taken away."""
    return said.status in (Status.STRAGGLER, Status.FAULT) and said.role in (Role.CULPRIT, Role.LINK)


def permuted(window: Observed, order: Integers) -> Observed:
    """Give the same window with the nodes in other slots: slot `i` holds what was in `order[i]`."""
    old = window.totals
    fields = {name: getattr(old, name) for name in Totals.__slots__}
    changed = {name: value[:, order] if name == "sections" else value[order] for name, value in fields.items()}
    domains = {label: number[order] for label, number in window.domains.items()}
    return replace(
        window,
        totals=Totals(**changed),
        among=window.among[order],
        active=window.active[order],
        domains=domains,
    )
