"""``guard tail``: the newest records of a topic, a line each, and what comes."""

import io
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import FrameType

import click

from detectors.plain import plain
from guard.bus import Bus, BusUnavailableError, Message, Topic, open_bus
from guard.commands import Session
from guard.commands.global_options import inform
from guard.commands.screen import screen
from guard.commands.topic_options import Point, TopicName
from guard.progress_bar import progress
from guard.tail.about import Choice
from guard.tail.raw import line as raw_line
from guard.tail.readable import Tone, readable
from guard.tail.recent import Recent, recent

_LINES = 10
_POLL = 0.5
"""Seconds to wait for records: a reader who has left should not be waited on for longer."""
_PAUSE = 2.0
"""Seconds between attempts to reach a bus that is away."""
_OVERLAP = 60.0
"""Seconds that following starts before the look back began. Repeats are dropped, so nothing falls in between."""
_COLORS = {Tone.GOOD: "green", Tone.NOTABLE: "yellow", Tone.BAD: "red", Tone.UNREADABLE: "magenta"}


@click.command(name="tail")
@click.argument("topic", metavar="TOPIC", type=TopicName())
@click.option(
    "-n", "--lines", type=click.IntRange(0, 100_000), help=f"The newest so many; {_LINES} without --since."
)
@click.option("--since", type=Point(), help="All that the bus took since: 10m, 2h, 3d, or 2026-11-24T03:00:00Z.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "--json", "as_json", is_flag=True, help="The records themselves as NDJSON, as guard replay reads them."
)
@click.option("--cluster", help="Only records about this cluster.")
@click.option("--job", help="Only records about this job.")
@click.option("--node", help="Only records about this node.")
@click.pass_obj
def command(
    session: Session,
    *,
    topic: Topic,
    lines: int | None,
    since: float | None,
    follow: bool,
    as_json: bool,
    cluster: str | None,
    job: str | None,
    node: str | None,
) -> None:
    """Show the newest records of TOPIC, a line each.

    TOPIC is telemetry, verdicts, state, snapshots, ledger, control or deadletter. Order holds within a partition.
    """
    choice = Choice(cluster, job, node)
    show = _Show(as_json)
    count = _LINES if lines is None and since is None else lines
    with open_bus(session.config.bus, session.config.kafka) as bus:
        if count is not None:
            began = time.time()
            with progress(f"reading {topic}") as told:

                def takes(message: Message) -> bool:
                    told.advance()
                    return choice.takes(message)

                found = recent(bus, topic, count, takes, now=began, since=since or 0.0)
            show(found.messages)
            if follow:
                _follow(bus, topic, max(found.since, began - _OVERLAP), _News(found, choice), show)
        elif follow:
            _follow(bus, topic, since or 0.0, choice.takes, show)
        else:
            show(message for message in bus.scan(topic, since=since or 0.0) if choice.takes(message))
    show.sum_up()


class _News:
    """Takes what is wanted and was not shown before."""

    def __init__(self, found: Recent, choice: Choice) -> None:
        self._ends: Mapping[int, int] = found.ends
        self._choice = choice

    def __call__(self, message: Message) -> bool:
        place = message.position
        return place.offset > self._ends.get(place.partition, -1) and self._choice.takes(message)


class _Show:
    """Writes records to standard output."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._color = screen().color
        self._shown = self._left_out = 0

    def __call__(self, messages: Iterable[Message]) -> None:
        for message in messages:
            text = raw_line(message.value) if self._as_json else self._readable(message)
            if text is None:
                self._left_out += 1
            else:
                sys.stdout.write(text + "\n")
                self._shown += 1
        sys.stdout.flush()

    def sum_up(self) -> None:
        """Say on stderr what a reader of the lines would otherwise not know."""
        if self._left_out:
            click.echo(f"guard tail: left out what is not JSON, or a deletion: {self._left_out:,}", err=True)
        elif not self._shown:
            inform("guard tail: nothing there; guard check tells whether the bus is well")

    def _readable(self, message: Message) -> str:
        line = readable(message)
        if not self._color:
            return "  ".join(part for part in (line.time, line.about, line.text) if part)
        text = click.style(line.text, fg=_COLORS.get(line.tone), bold=line.tone is Tone.BAD or None)
        return f"{click.style(line.time, dim=True)}  {click.style(line.about, bold=True)}  {text}"


def _follow(bus: Bus, topic: Topic, since: float, takes: Callable[[Message], bool], show: _Show) -> None:
    """Show what comes until the reader leaves. A bus that is away is waited for."""
    follower = bus.follow([topic], since=since)
    away = False
    interrupted = _Interrupted()
    try:
        while not _reader_left():
            interrupted.check()
            try:
                messages = follower.poll(_POLL)
            except BusUnavailableError as error:
                if not away:
                    click.echo(f"guard tail: the bus is away, waiting: {plain(str(error))}", err=True)
                away = True
                time.sleep(_PAUSE)
                continue
            away = False
            show(message for message in messages if takes(message))
    finally:
        follower.close()


class _Interrupted:
    """Ctrl-C that cannot get lost: Python drops a KeyboardInterrupt that falls into a finaliser or a callback."""

    def __init__(self) -> None:
        self._once = False
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._interrupt)

    def check(self) -> None:
        """Raise what was dropped.

        Raises:
            KeyboardInterrupt: somebody has pressed Ctrl-C.
        """
        if self._once:
            raise KeyboardInterrupt

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._once = True
        raise KeyboardInterrupt


def _reader_left() -> bool:
    """Whether nobody reads standard output any more: a pipe tells without being written to."""
    try:
        descriptor = sys.stdout.fileno()
    except (io.UnsupportedOperation, ValueError):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))
