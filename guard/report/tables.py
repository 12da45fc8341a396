"""The report for people: tables that fit 80 columns in a terminal, and one line a row where output is piped."""

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.plain import ago, evidence, moment, plain, seconds, share
from detectors.verdict import JobVerdict, Verdict
from guard.grid import literal_console
from guard.report.fold import Answer, Health
from guard.report.newest import JobHealth

_WIDE = 180
"""Columns from which a terminal shows one line a row, as a pipe does."""
_STYLES = {
    "fault": "bold red",
    "straggler": "bold red",
    "hung": "bold red",
    "watch": "yellow",
    "slow": "yellow",
    "silent": "yellow",
    "ok": "green",
    "normal": "green",
}
_ANSWERS = {
    Answer.HEALTHY: ("healthy", "bold green"),
    Answer.ACCUSED: ("accused", "bold red"),
    Answer.UNANSWERED: ("not answered", "bold yellow"),
}
_NODES_SHOWN = 50
_JOBS_SHOWN = 200


def render(health: Health, *, width: int | None, color: bool, limit: int | None) -> str:
    """Write a report as text.

    Args:
        health: what to show.
        width: columns of the terminal; None where there is none.
        color: whether to write the terminal's colours.
        limit: rows at most per table; None: 50 nodes and 200 jobs.
    """
    flat = width is None or width >= _WIDE
    console = literal_console(width, color=color)
    with console.capture() as captured:
        for line in _head(health):
            console.print(line, soft_wrap=width is None)
        if health.jobs:
            _show_jobs(console, health, flat, limit or _JOBS_SHOWN)
        if health.about == "node":
            _show_node(console, health.nodes[0].verdict, health.now)
        else:
            _show_nodes(console, health, flat, limit or _NODES_SHOWN)
    # Rich pads cells to the width of their column; a pipe has no use for that.
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _head(health: Health) -> Iterator[Text]:
    word, style = _ANSWERS[health.answer]
    title = "fleet" if health.name is None else f"{health.about} {plain(health.name)}"
    counts = ", ".join(f"{count} {status}" for status, count in sorted(health.counts.items()))
    heard = "never" if health.heard is None else f"{moment(health.heard)} ({ago(health.heard, health.now)})"
    yield Text.assemble(f"{title}: ", (word, style))
    yield Text(
        f"{len(health.jobs)} jobs, {sum(health.counts.values())} nodes ({counts or 'none'}), "
        f"{len(health.accused)} accused, detector last heard {heard}"
    )
    for notice in health.notices:
        yield Text(f"note: {plain(notice)}", "yellow")


def _status(status: str) -> Text:
    return Text(status, _STYLES.get(status, ""))


def _table(title: str, flat: bool, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None if flat else box.SIMPLE_HEAD, title_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=flat, overflow="fold")
    return table


def _show_jobs(console: Console, health: Health, flat: bool, limit: int) -> None:
    table = _table("jobs", flat, "job", "status", "step", "baseline", "slowdown", "nodes", "accused", "reason")
    shown = sorted(health.jobs, key=lambda job: job.verdict.status == "normal")[:limit]
    for job in shown:
        table.add_row(*_job_row(job))
    console.print()
    console.print(table)
    _say_left_out(console, len(health.jobs) - len(shown), "jobs")


def _job_row(job: JobHealth) -> tuple[Text, ...]:
    said = job.verdict
    status = _status(said.status)
    if job.unheard:
        status.append(" (not heard)", "yellow")
    return (
        Text(plain(f"{said.cluster}/{said.job}")),
        status,
        Text(seconds(said.step_time)),
        Text(seconds(said.baseline)),
        Text(share(said.slowdown)),
        Text(str(said.nodes)),
        Text(_some_names(said)),
        Text(plain(said.reason or "")),
    )


def _some_names(said: JobVerdict) -> str:
    names = ", ".join(plain(name) for name in said.accused[:3])
    return names + (f" and {len(said.accused) - 3} more" if len(said.accused) > 3 else "")


def _show_nodes(console: Console, health: Health, flat: bool, limit: int) -> None:
    nodes = [node.verdict for node in health.nodes if node.verdict.status != "ok"]
    if not nodes:
        return
    if flat:
        names = ("node", "instance", "job", "status", "role", "cause", "device", "slowdown", "since")
        table = _table("nodes that are not ok", flat, *names, "confidence", "evidence")
    else:
        table = _table("nodes that are not ok", flat, "node", "what is said of it")
    for said in nodes[:limit]:
        table.add_row(*(_flat_row(said, health.now) if flat else _folded_row(said, health.now)))
        if not flat:
            table.add_section()
    console.print()
    console.print(table)
    _say_left_out(console, len(nodes) - limit, "nodes")


def _say_left_out(console: Console, count: int, what: str) -> None:
    if count > 0:
        console.print(Text(f"and {count} more {what}: raise --limit, or use --json"))


def _flat_row(said: Verdict, now: float) -> tuple[Text, ...]:
    return (
        Text(plain(said.node)),
        Text(plain(said.instance)),
        Text(_job(said)),
        _status(said.status),
        Text(said.role or "-"),
        Text(said.cause or "-"),
        Text("-" if said.device is None else str(said.device)),
        Text(share(said.slowdown)),
        Text(f"{moment(said.since)} ({ago(said.since, now)})"),
        Text(share(said.confidence)),
        Text(evidence(said.evidence[0]) if said.evidence else "-"),
    )


def _folded_row(said: Verdict, now: float) -> tuple[Text, Text]:
    device = "" if said.device is None else f" of device {said.device}"
    cost = "cost unknown" if said.slowdown is None else f"costs {share(said.slowdown)} of the step"
    verdict = _status(said.status)
    verdict.append(f", {said.role or 'no role'}: {said.cause or 'no cause'}{device}\n", "default")
    verdict.append(f"{cost}, {share(said.confidence)} sure\n", "default")
    verdict.append(f"since {moment(said.since)} ({ago(said.since, now)})", "default")
    if said.evidence:
        verdict.append(f"\n{evidence(said.evidence[0])}", "default")
    return Text(f"{plain(said.node)}\n{plain(said.instance)}\njob {_job(said)}"), verdict


def _job(said: Verdict) -> str:
    return "-" if said.job is None else f"{plain(said.job.id)} attempt {said.job.attempt}"


def _show_node(console: Console, said: Verdict, now: float) -> None:
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    facts = (
        ("cluster", plain(said.cluster)),
        ("instance", plain(said.instance)),
        ("job", _job(said)),
        ("status", said.status.value),
        ("role", said.role or "-"),
        ("cause", said.cause or "-"),
        ("device", "-" if said.device is None else str(said.device)),
        ("slowdown", share(said.slowdown)),
        ("severity", said.severity.value),
        ("confidence", share(said.confidence)),
        ("since", f"{moment(said.since)} ({ago(said.since, now)})"),
        ("said", f"{moment(said.time)} ({ago(said.time, now)})"),
        ("verdict", plain(said.id)),
    )
    for name, value in facts:
        table.add_row(Text(name, "bold"), Text(value))
    for item in said.evidence:
        table.add_row(Text("evidence", "bold"), Text(evidence(item)))
    console.print()
    console.print(table)
