"""The picture of the fleet. Pure: what is known, how it is looked at, the room there is, and the time go in."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from detectors.plain import ago, moment, plain, seconds, share
from detectors.verdict import JobStatus, JobVerdict, Verdict
from guard.bus import Topic
from guard.report.fold import Answer, Health, fleet_health
from guard.report.newest import JobHealth, State
from guard.watch.doing import doing, standing
from guard.watch.keys import Look
from guard.watch.lines import Cell, Column, fitted, heading, line, sparkline, spread
from guard.watch.seen import Happened, Seen
from remediation.incidents import Durable

_MINUTES = 15
"""Of step times that are drawn, a letter each: jobs are spoken of every minute."""
_LEAST_NODES, _LEAST_JOBS, _LEAST_EVENTS = 4, 3, 2
_JOB_ORDER = {
    JobStatus.HUNG: 0,
    JobStatus.SLOW: 1,
    JobStatus.STARTING: 2,
    JobStatus.NORMAL: 3,
    JobStatus.ENDED: 4,
}
_STYLES = {
    "fault": "bold red", "straggler": "bold red", "hung": "bold red", "watch": "yellow", "slow": "yellow",
    "silent": "yellow", "ok": "green", "normal": "green", "ended": "dim",
}  # fmt: skip
_ANSWERS = {
    Answer.HEALTHY: ("healthy", "bold green"),
    Answer.ACCUSED: ("accused", "bold red"),
    Answer.UNANSWERED: ("not answered", "bold yellow"),
}
_KEYS = "q quit   ↑↓ j k scroll   / filter   p pause"


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in columns and rows."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Hearing:
    """How reading goes.

    Attributes:
        trouble: why the bus does not answer; None: it does.
        heard: when it answered last, Unix seconds; None: what it holds is still being read.
        lately: topics that took something of late; None: not asked.
    """

    trouble: str | None = None
    heard: float | None = None
    lately: frozenset[Topic] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines, each as wide as the terminal; rows of nodes shown, and rows that there are."""

    lines: tuple[Text, ...]
    rows: int
    total: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is shown: the conclusion, what is known, and whose it is."""

    health: Health
    durable: Durable
    seen: Seen
    cluster: str


def conclude(seen: Seen, state: State, cluster: str, now: float, stale_after: float) -> Fleet:
    """Conclude from what is known. The ledger tells of ``cluster`` alone."""
    return Fleet(fleet_health(state, now, stale_after), seen.durable, seen, cluster)


def view(fleet: Fleet, hearing: Hearing, look: Look, size: Size, now: float) -> Picture:
    """Draw it."""
    head = _head(fleet, hearing, look, size.width, now)
    jobs = _jobs(fleet, look, now)
    nodes = [node.verdict for node in fleet.health.nodes if look.name in node.verdict.node]
    happened = fleet.seen.happened()
    if look.name:
        happened = [one for one in happened if look.name in one.about]
    headings = bool(jobs) + 1 + bool(happened)
    shares = _share(size.height - len(head) - headings - 1, len(jobs), len(nodes), len(happened))
    first = max(min(look.first, len(nodes) - shares[1]), 0)
    lines = [
        *head,
        *_job_table(fleet, jobs, shares[0], size.width, now),
        *_node_table(fleet, nodes, slice(first, first + shares[1]), size.width, now),
        *_event_table(happened, shares[2], size.width, now),
    ]
    blank = Text(" " * size.width, end="")
    lines = lines[: size.height - 1]
    lines += [blank] * (size.height - 1 - len(lines))
    return Picture((*lines, _foot(look, size.width)), shares[1], len(nodes))


def _share(rows: int, jobs: int, nodes: int, events: int) -> tuple[int, int, int]:
    """Rows of each table: each gets its least, and what one does not need the others get, nodes first."""
    rows = max(rows, 0)
    wanted = [jobs, nodes, events]
    least = [_LEAST_JOBS, _LEAST_NODES, _LEAST_EVENTS]
    given = [min(some, few) for some, few in zip(wanted, least, strict=True)]
    while sum(given) > rows:
        given[given.index(max(given))] -= 1
    # Of what is left nodes take half of the turns: they are what somebody watches for.
    for which in (1, 0, 1, 2) * rows:
        if sum(given) >= rows:
            break
        if given[which] < wanted[which]:
            given[which] += 1
    return given[0], given[1], given[2]


def _head(fleet: Fleet, hearing: Hearing, look: Look, width: int, now: float) -> list[Text]:
    health = fleet.health
    word, style = _ANSWERS[health.answer]
    counts = ", ".join(f"{count:,} {status}" for status, count in sorted(health.counts.items())) or "none known"
    heard = "never heard" if health.heard is None else f"heard {ago(health.heard, now)}"
    names = ", ".join(plain(name) for name in health.accused)
    paused = ("  PAUSED, p goes on", "bold") if look.paused else ("", "")
    title = (("guard watch", "bold"), ("  fleet: ", ""), (word, style), paused, (f"  {moment(now)}", "dim"))
    lines = [_line(width, *title)]
    if names:
        lines.append(_line(width, (f"{len(health.accused)} accused: {names}", "bold red")))
    lines.append(_line(width, (f"detector {heard}; {sum(health.counts.values()):,} nodes: {counts}", "")))
    acting, bad = standing(fleet.durable, now)
    lines.append(_line(width, (f"{plain(fleet.cluster)}: {acting}", "yellow" if bad else "")))
    lines += [_line(width, (text, "bold yellow")) for text in _bus(hearing, now)]
    lines += [_line(width, (f"note: {plain(notice)}", "yellow")) for notice in health.notices[:3]]
    return lines


def _bus(hearing: Hearing, now: float) -> list[str]:
    if hearing.trouble is not None:
        old = (
            "and was not read to its end"
            if hearing.heard is None
            else f"this is OLD, of {ago(hearing.heard, now)}"
        )
        return [f"the bus is away, {old}: {plain(hearing.trouble)}"]
    return ["reading what the bus holds …"] if hearing.heard is None else []


def _jobs(fleet: Fleet, look: Look, now: float) -> list[JobHealth]:
    """Worst first; of those that ended only what is new."""
    jobs = [
        job
        for job in fleet.health.jobs
        if look.name in job.verdict.job
        and (job.verdict.status is not JobStatus.ENDED or now - job.taken < 60.0 * _MINUTES)
    ]
    return sorted(jobs, key=lambda job: (_JOB_ORDER[job.verdict.status], -(job.verdict.slowdown or 0.0)))


def _job_table(fleet: Fleet, jobs: Sequence[JobHealth], rows: int, width: int, now: float) -> list[Text]:
    if not jobs or rows <= 0:
        return []
    columns = spread(
        (
            Column(f"{len(jobs)} JOBS", max(12, min(width // 4, 40))),
            Column("STATUS", 8),
            Column("STEP", 7, right=True),
            Column("USUAL", 7, right=True),
            Column("SLOWER", 6, right=True),
            Column("NODES", 6, right=True),
            Column("LAST 15 MIN", _MINUTES),
        ),
        width,
    )
    return [heading(columns), *(line(_job(fleet, job, columns, now), columns) for job in jobs[:rows])]


def _job(fleet: Fleet, job: JobHealth, columns: Sequence[Column], now: float) -> list[Cell]:
    said: JobVerdict = job.verdict
    status = Cell(f"{said.status}?" if job.unheard else said.status.value, _STYLES.get(said.status, ""))
    letters = min(_MINUTES, columns[-1].width)
    pace = sparkline(fleet.seen.pace((said.cluster, said.job)), now, letters, 60.0 * letters)
    cells = [
        Cell(plain(said.job)),
        status,
        Cell(seconds(said.step_time)),
        Cell(seconds(said.baseline)),
        Cell(share(said.slowdown)),
        Cell(f"{said.nodes:,}"),
        Cell(pace, "cyan"),
    ]
    return cells[: len(columns)]


def _node_table(fleet: Fleet, nodes: Sequence[Verdict], shown: slice, width: int, now: float) -> list[Text]:
    if not nodes:
        return [
            _line(width, ("every node is ok", "green") if fleet.health.counts else ("no node is known", "dim"))
        ]
    first, some = shown.start, nodes[shown]
    where = f" {first + 1}-{first + len(some)} of" if len(some) < len(nodes) else ""
    title = f"NOT OK{where} {len(nodes):,}"
    longest = max((cell_len(plain(said.node)) for said in some), default=0)
    columns = spread(
        (
            Column(title, max(len(title), min(longest, width // 4))),
            Column("STATUS", 9),
            Column("CAUSE", 8),
            Column("COSTS", 6, right=True),
            Column("FOR", 7, right=True),
            Column("GUARD", 12),
        ),
        width,
    )
    return [heading(columns), *(line(_node(fleet, said, now)[: len(columns)], columns) for said in some)]


def _node(fleet: Fleet, said: Verdict, now: float) -> list[Cell]:
    about = doing(fleet.durable, said.node) if said.cluster == fleet.cluster else ""
    return [
        Cell(plain(said.node), "bold" if said.accused else ""),
        Cell(said.status.value, _STYLES.get(said.status, "")),
        Cell(said.cause.value if said.cause else "-"),
        Cell(share(said.slowdown)),
        Cell(ago(said.since, now).removesuffix(" ago")),
        Cell(about or "-", "" if about else "dim"),
    ]


def _event_table(happened: Sequence[Happened], rows: int, width: int, now: float) -> list[Text]:
    if rows <= 0:
        return []
    columns = spread(
        (Column("OF LATE", 10, right=True), Column("ABOUT", max(14, width // 5)), Column("", 20)), width
    )
    return [
        heading(columns),
        *(
            line(
                [Cell(ago(one.time, now)), Cell(one.about), Cell(one.text, "yellow" if one.bad else "")][
                    : len(columns)
                ],
                columns,
            )
            for one in happened[:rows]
        ),
    ]


def _foot(look: Look, width: int) -> Text:
    if look.typing:
        return _line(width, (f"only names with: {plain(look.name)}_   (Enter keeps it, Esc drops it)", "reverse"))
    kept = f"   only names with {plain(look.name)!r}, Esc drops it" if look.name else ""
    return _line(width, (_KEYS + kept, "reverse"))


def _line(width: int, *parts: tuple[str, str]) -> Text:
    """Parts behind each other, cut and filled to the width."""
    text, left = Text(no_wrap=True, overflow="crop", end=""), width
    for number, (part, style) in enumerate(parts):
        last = number == len(parts) - 1
        shown = Text(part, style, end="")
        if last or shown.cell_len > left:
            text.append(fitted(part, left), style)
            break
        text.append(part, style)
        left -= shown.cell_len
    return text
