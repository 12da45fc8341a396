"""What a run of the demo showed, for people and as a document."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from guard.demo.display import milliseconds
from guard.demo.watch import Pace
from remediation.alerts.notice import Kind, Notice


@dataclass(slots=True)
class Result:
    """What happened. Lengths in seconds; paces by node."""

    slowed: str | None
    seed: int
    accused: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    said: str | None = None
    seconds_to_verdict: float | None = None
    healthy: dict[str, Pace] = field(default_factory=dict)
    with_fault: dict[str, Pace] = field(default_factory=dict)
    steps: int | None = None
    same_parameters: bool | None = None
    report: str = ""
    pages: list[Notice] = field(default_factory=list)
    elapsed: float = 0.0

    @property
    def right(self) -> bool:
        """Exactly the slowed node was named and paged, or nobody where none was slowed; and all were judged."""
        named = self.accused == ([self.slowed] if self.slowed else [])
        return named and not self.unjudged and self.paged_right

    @property
    def paged_right(self) -> bool:
        """One page, about the slowed node, from its trigger to its resolve; or none where none was slowed."""
        if self.slowed is None:
            return not self.pages
        kinds = [notice.kind for notice in self.pages]
        about = {(notice.page, notice.node) for notice in self.pages}
        ends = kinds[:1] == [Kind.TRIGGER] and kinds[-1:] == [Kind.RESOLVE]
        return ends and len(about) == 1 and self.pages[0].node == self.slowed

    def document(self) -> dict[str, Any]:
        """The result for ``--json``."""
        return {
            "right": self.right,
            "slowed": self.slowed,
            "accused": self.accused,
            "unjudged": self.unjudged,
            "said": self.said,
            "seconds_to_verdict": self.seconds_to_verdict,
            "healthy": {name: _pace(pace) for name, pace in self.healthy.items()},
            "with_fault": {name: _pace(pace) for name, pace in self.with_fault.items()},
            "pages": msgspec.to_builtins(self.pages),
            "steps": self.steps,
            "same_parameters": self.same_parameters,
            "seed": self.seed,
            "elapsed": self.elapsed,
        }


def _pace(pace: Pace) -> dict[str, float | None]:
    return {"step_time": pace.step_time, "own_work": pace.own_work, "waiting": pace.wait}


def summary(result: Result) -> list[str]:
    """What happened, in a few lines for people."""
    lines = []
    if result.slowed is not None:
        before, after = result.healthy, result.with_fault
        others = [name for name in after if name != result.slowed]
        lines.append(
            f"Step time of every node rose from {milliseconds(_mean(before, 'step_time', list(before)))} "
            f"to {milliseconds(_mean(after, 'step_time', list(after)))}. Own work of {result.slowed}: "
            f"{milliseconds(before[result.slowed].own_work)} to {milliseconds(after[result.slowed].own_work)}; "
            f"of the others: {milliseconds(_mean(before, 'own_work', others))} "
            f"to {milliseconds(_mean(after, 'own_work', others))}."
        )
    if result.steps is not None:
        same = "the same bits" if result.same_parameters else "NOT the same bits"
        lines.append(f"{result.steps} steps trained; the parameters of all ranks are {same}.")
    accused = ", ".join(result.accused) or "nobody"
    expected = result.slowed or "nobody"
    when = f" after {result.seconds_to_verdict:.1f} s" if result.seconds_to_verdict is not None else ""
    what = f" ({result.said})" if result.said else ""
    lines.append(f"Slowed: {expected}. Accused: {accused}{when}{what}.")
    lines += _paged(result)
    if result.unjudged:
        lines.append(f"Nothing was said of {', '.join(result.unjudged)}.")
    lines.append(f"{'Right' if result.right else 'WRONG'}, in {result.elapsed:.0f} s (seed {result.seed}).")
    return lines


def page(notice: Notice) -> list[str]:
    """A notice as whoever is on call reads it."""
    lines = [f"{notice.severity.value}: {notice.summary}"]
    lines += [f"  {detail.name:<10}{detail.text}" for detail in notice.details]
    commands = (("approve", notice.approve), ("look", notice.look), ("runbook", f"guard runbook {notice.runbook}"))
    return lines + [f"  {name:<10}{command}" for name, command in commands if command is not None]


def _paged(result: Result) -> list[str]:
    if not result.pages:
        return ["Nobody was paged."]
    first, last = result.pages[0], result.pages[-1]
    over = f"{last.time - first.time:.0f} s after it" if last.kind is Kind.RESOLVE else "NOT"
    number = len({notice.page for notice in result.pages})
    pages = "1 page was" if number == 1 else f"{number} pages were"
    return [f"{pages} sent, and resolved {over}. It read:", "", *page(first), ""]


def _mean(paces: dict[str, Pace], attribute: str, names: list[str]) -> float | None:
    values = [value for name in names if (value := getattr(paces[name], attribute)) is not None]
    return sum(values) / len(values) if values else None
