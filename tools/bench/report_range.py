"""``guard report`` over a time, from the file bus: a week of 100 jobs, and a quarter of one."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from detectors.verdict import (
    JOB_SCHEMA,
    VERDICT_SCHEMA,
    Cause,
    JobAttempt,
    JobStatus,
    JobVerdict,
    Role,
    Saying,
    Severity,
    Status,
    Verdict,
    encode,
)
from guard.bus import Outgoing, Topic
from guard.bus.file import FileBus
from tools.bench import child

_CASES = ((100, 7), (1, 90))
"""Jobs and days."""
_FORMS = (("--json",), ("--html", os.devnull))
_BATCH = 5000
_DAY = 86_400


def main() -> None:
    """Print a row of a table for each case and form."""
    print("| jobs | days | records | form | s | s of a processor | records/s | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for jobs, days in _CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            records = _fill(folder / "bus.sqlite", jobs, days)
            (folder / "guard.yaml").write_text(f"bus: file:{folder}/bus.sqlite\n")
            for form in _FORMS:
                command = (sys.executable, "-m", "guard.commands", "--config", f"{folder}/guard.yaml", "report")
                ran = child.run([*command, "fleet", "--since", f"{days}d", *form])
                if ran.code:
                    raise SystemExit(f"guard report ended {ran.code}")
                told = f"{ran.seconds:.1f} | {ran.processor:.1f} | {records / ran.seconds:,.0f} | {ran.memory:.0f}"
                print(f"| {jobs} | {days} | {records:,} | {form[0]} | {told} |", flush=True)


def _fill(path: Path, jobs: int, days: int) -> int:
    end = int(time.time()) // 60 * 60
    now, count = 0.0, 0
    batch: list[Outgoing] = []
    with FileBus(path, wall=lambda: now) as bus:
        for minute in range(end - days * _DAY, end, 60):
            now = float(minute)
            batch += [
                Outgoing(Topic.VERDICTS, one.key, encode(one)) for job in range(jobs) for one in _said(job, minute)
            ]
            if len(batch) >= _BATCH:
                bus.publish(batch, 60)
                count, batch = count + len(batch), []
        bus.publish(batch, 60)
    return count + len(batch)


def _said(number: int, time: int) -> Iterator[Saying]:
    """A minute of a job that a node slows for half an hour each day."""
    slow = (time // 60 + number * 37) % 1440 < 30
    job, node = f"job-{number}", f"node-{number}"
    yield JobVerdict(
        schema=JOB_SCHEMA, id=f"{time}-{number}", cluster="east", job=job, time=float(time), since=float(time),
        status=JobStatus.SLOW if slow else JobStatus.NORMAL, step_time=1.2 if slow else 1 + time % 420 / 1e5,
        baseline=1.0, slowdown=0.17 if slow else 0.0, nodes=624, accused=[node] if slow else [],
    )  # fmt: skip
    if slow and time % 300 == 0:
        yield Verdict(
            schema=VERDICT_SCHEMA, id=f"v{time}-{number}", cluster="east", node=node, instance=f"i-{number}",
            job=JobAttempt(job), time=float(time), since=float(time), status=Status.STRAGGLER, role=Role.CULPRIT,
            cause=Cause.COMPUTE, device=None, slowdown=0.17, severity=Severity.WARNING, confidence=0.99,
        )  # fmt: skip


if __name__ == "__main__":
    main()
