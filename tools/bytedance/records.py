"""From a trace to telemetry: each rank is a node of its own, its steps laid end to end.

A trace tells neither the time of a step nor the steps between (see the package), so the steps that are there
follow one another without a pause and keep their numbers: a period's ``first_step`` to ``last_step`` can span
steps that nobody recorded, the same ones on every rank. True gaps would be hours of silence, which says nothing.
"""

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

from collectors.telemetry import SCHEMA, Job, Ranks, Steps, Telemetry, Value
from tools.bytedance.trace import Floats, Trace

START = 1_790_000_000.0
"""Unix seconds of the first step: a multiple of every usual period."""
CLUSTER = "bytedance"


def records(trace: Trace, period: float = 10.0) -> Iterator[Telemetry]:
    """All records of a trace, in order of time; the last period is the one in which the last step ends."""
    begins = np.concatenate(([0.0], np.cumsum(trace.length)))
    ends = begins[:-1, None] + trace.end
    for number in count():
        if number * period >= begins[-1]:
            return
        for row in range(len(trace.rank)):
            steps = _steps(trace, row, begins, ends[:, row], (number * period, (number + 1) * period))
            yield _record(trace, row, number, period, steps)


def _record(trace: Trace, row: int, number: int, period: float, steps: Steps) -> Telemetry:
    node = f"rank-{trace.rank[row]:03}"
    return Telemetry(
        schema=SCHEMA,
        cluster=CLUSTER,
        node=node,
        instance=node,
        boot=f"{trace.name}-{node}",
        seq=number,
        time=START + (number + 1) * period,
        period=period,
        job=Job(id=trace.name),
        ranks=Ranks(
            rank=[int(trace.rank[row])], local_rank=[0], stage=[int(trace.stage[row])], dp=[int(trace.dp[row])]
        ),
        steps=steps,
    )


def _steps(trace: Trace, row: int, begins: Floats, ends: Floats, span: tuple[float, float]) -> Steps:
    """The steps of one rank that end in a period: after its beginning, and up to its end.

    Args:
        trace: whose.
        row: which rank.
        begins: seconds from the first step's begin to each one's, and to the last one's end, [step + 1].
        ends: the same to the rank's own end of each, [step].
        span: seconds from the first step's begin to the period's, and to its end.
    """
    before, upto = (int(np.searchsorted(ends, limit, side="right")) for limit in span)
    done = slice(before, upto)
    numbers = trace.steps[done]
    spent = {name: column[done, row] for name, column in trace.spent.items()}
    current, age = _current(trace, row, begins, span[1])
    return Steps(
        count=[upto - before],
        first_step=[int(numbers[0]) if len(numbers) else None],
        last_step=[int(trace.steps[upto - 1]) if upto else None],
        last_end=[START + float(ends[upto - 1]) if upto else None],
        duration=_of(trace.duration[done, row], np.sum),
        slowest=_of(trace.duration[done, row], np.max),
        sections={name: _of(seconds, np.sum) for name, seconds in spent.items()},
        peak={name: _of(seconds, np.max) for name, seconds in spent.items()},
        synced=True,
        current=[current],
        current_age=[age],
    )


def _of(seconds: Floats, fold: Callable[[Floats], np.float64]) -> list[Value]:
    return [float(fold(seconds)) if len(seconds) else None]


def _current(trace: Trace, row: int, begins: Floats, now: float) -> tuple[str | None, float | None]:
    """Section of the operation that runs, and seconds since one began or ended. Null when all steps are done."""
    step = int(np.searchsorted(begins, now, side="right")) - 1
    if step >= len(trace.steps):
        return None, None
    clock = now - begins[step]
    begun = trace.operations[step][row]
    begun = begun[begun[:, 0] <= clock]
    running = begun[begun[:, 1] > clock]
    events = np.concatenate(([0.0], begun[:, 0], begun[begun[:, 1] <= clock][:, 1]))
    return trace.sections[int(running[-1, 2])] if len(running) else None, float(clock - events.max())
