"""The demo's progress: a live table on a terminal, a line every few seconds elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from detectors.verdict import Status, Verdict
from guard.demo.watch import NodeView, Watch

_LINE_EVERY = 5.0
_BAR = 30
_REFRESH = 4.0


class Display:
    """Shows a watch as it grows. Does nothing to it."""

    def __init__(self, console: Console, watch: Watch) -> None:
        self._console = console
        self._watch = watch
        self._start = time.monotonic()
        self._phase = ""
        self._next_line = 0.0
        self._live = (
            Live(console=console, refresh_per_second=_REFRESH, get_renderable=self.render)
            if console.is_terminal
            else None
        )

    def phase(self, text: str) -> None:
        """Begin a phase: what happens now, in words."""
        self._phase = text
        if self._live is None:
            self._say(text)
            self._next_line = time.monotonic() + _LINE_EVERY

    def update(self) -> None:
        """Show the watch as it is now. Costs nothing when called often."""
        if self._live is None and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY
            self._say(_line(self._watch))

    def render(self) -> RenderableType:
        """The picture for a terminal."""
        header = Text.assemble(
            ("guard demo", "bold"), f"   {time.monotonic() - self._start:3.0f} s   ", (self._phase, "cyan")
        )
        return Group(header, _table(self._watch), Text(_job(self._watch), style="dim"))

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _say(self, text: str) -> None:
        self._console.print(f"{time.monotonic() - self._start:5.1f} s  {text}", highlight=False, soft_wrap=True)


def milliseconds(seconds: float | None) -> str:
    """A length for people; a dash where it is not known."""
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _table(watch: Watch) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, justify in (("node", "left"), ("step", "right"), ("step time", "right"), ("own work", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column(Text.assemble(("own work", "green"), " and ", ("waiting", "bright_black")), no_wrap=True)
    table.add_column("verdict")
    longest = max((node.now.step_time or 0.0 for node in watch.nodes.values()), default=0.0)
    for node in watch.nodes.values():
        accused = node.verdict is not None and node.verdict.accused
        table.add_row(
            Text(node.name, style="bold red" if accused else ""),
            "-" if node.last_step is None else str(node.last_step),
            milliseconds(node.now.step_time),
            milliseconds(node.now.own_work),
            milliseconds(node.now.wait),
            _bar(node, longest, accused),
            _verdict(node.verdict),
        )
    return table


def _bar(node: NodeView, longest: float, accused: bool) -> Text:
    if not longest:
        return Text(" " * _BAR)
    own = min(_BAR, round(_BAR * (node.now.own_work or 0.0) / longest))
    waiting = min(_BAR - own, round(_BAR * (node.now.wait or 0.0) / longest))
    return Text.assemble(
        ("█" * own, "red" if accused else "green"),
        ("░" * waiting, "bright_black"),
        " " * (_BAR - own - waiting),
    )


def _verdict(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("-", style="dim")
    style = "bold red" if verdict.accused else {Status.OK: "green"}.get(verdict.status, "yellow")
    return Text(said(verdict), style=style)


def said(verdict: Verdict) -> str:
    """A verdict in a few words."""
    words = [verdict.status, verdict.role, verdict.cause]
    share = f"costs {verdict.slowdown:.0%} of the step" if verdict.accused and verdict.slowdown else None
    return ", ".join([" ".join(str(word) for word in words if word is not None), *([share] if share else [])])


def _job(watch: Watch) -> str:
    if watch.job is None:
        return "job: nothing said yet"
    reason = f" ({watch.job.reason})" if watch.job.reason else ""
    return f"job: {watch.job.status}{reason}, step time {milliseconds(watch.job.step_time)}"


def _line(watch: Watch) -> str:
    nodes = watch.nodes.values()
    step_times = " ".join(milliseconds(node.now.step_time).removesuffix(" ms") for node in nodes)
    own = " ".join(milliseconds(node.now.own_work).removesuffix(" ms") for node in nodes)
    verdicts = ", ".join("-" if node.verdict is None else said(node.verdict) for node in nodes)
    return f"step time {step_times} ms, own work {own} ms; verdicts: {verdicts}"
