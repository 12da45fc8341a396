"""``guard page``: the pager as a service, its test, and what is open."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from detectors.plain import ago, plain
from guard.commands import Session
from guard.systemd import Notifier
from guard.tail.raw import in_ascii

if TYPE_CHECKING:
    from guard.page.listing import Letter, Listing, Open
    from remediation.alerts.settings import ChannelChoice

_log = logging.getLogger("guard.page")

_NOT_TAKEN, _MISTAKE = 1, 2
_SET_UP = (
    "no channel is configured: put one under page.channels, for example\n"
    "  page:\n    channels:\n      oncall: {kind: pagerduty, key_file: /etc/guard/pagerduty.key}\n"
    "the kinds are pagerduty, alertmanager, slack and webhook; docs/paging.md tells what each needs"
)


@click.group(name="page", invoke_without_command=True)
@click.option(
    "--metrics", metavar="HOST:PORT", help="Serve Prometheus here instead of where the configuration says."
)
@click.pass_context
def command(context: click.Context, metrics: str | None) -> None:
    """Tell people: follow verdicts and ledger, and page who is on call, until SIGTERM.

    One of them runs for a fleet, on a machine of its own if you can. What is still to be sent waits in
    page.outbox, and survives a restart. `guard page test` tries the channels, `guard page list` shows what is
    open.
    """
    if context.invoked_subcommand is None:
        _serve(context.find_object(Session) or Session(None), metrics)
    elif metrics:
        raise click.UsageError(f"--metrics is for the service, not for guard page {context.invoked_subcommand}")


def _serve(session: Session, metrics: str | None) -> None:
    from guard import exposition  # noqa: PLC0415  (help is to be quick)
    from guard.bus import open_bus  # noqa: PLC0415
    from guard.page.metrics import Metrics  # noqa: PLC0415
    from guard.page.outbox_file import OutboxError  # noqa: PLC0415
    from guard.page.service import PageService  # noqa: PLC0415

    config, settings = session.config, session.config.page
    if not settings.channels:
        _log.warning("no channel is configured, so nobody is told anything: set page.channels")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    counters = Metrics(settings.channels)
    address = metrics or settings.metrics
    if address is not None:
        exposition.serve(counters.registry, address, "--metrics" if metrics else "page.metrics")
    service = PageService(lambda: open_bus(config.bus, config.kafka), settings, Notifier(), stop, metrics=counters)
    try:
        ended = service.run()
    except OutboxError as error:
        raise click.ClickException(str(error)) from error
    if not ended:
        # A request is in flight, and a library would wait for its end: the outbox knows that it was not taken.
        logging.shutdown()
        os._exit(0)


@command.command(short_help="Send each CHANNEL a page without trouble, and its resolve.")
@click.argument("channels", metavar="[CHANNEL]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.page-test/1.")
@click.pass_obj
def test(session: Session, channels: tuple[str, ...], as_json: bool) -> None:
    """Send a page without trouble to each CHANNEL, or to all: its trigger, then its resolve.

    Ends 0 when all have taken both, 1 when one has not, 2 when there is none.
    """
    from guard.page.trial import tried  # noqa: PLC0415  (help is to be quick)
    from remediation.alerts.opening import open_channel  # noqa: PLC0415

    settings = session.config.page
    chosen = _chosen(settings.channels, channels)
    outcomes = []
    for outcome in tried(
        chosen,
        open_channel,
        cluster=session.config.cluster,
        sender=socket.gethostname(),
        runbooks=settings.policy.runbooks,
    ):
        outcomes.append(outcome)
        if not as_json:
            told = "taken" if outcome.taken else f"not taken: {outcome.error}"
            click.echo(f"{outcome.channel} ({outcome.kind}): {told}, {outcome.seconds:.2f} s")
    if as_json:
        click.echo(in_ascii(msgspec.json.encode({"schema": "guard.page-test/1", "channels": outcomes})))
    sys.exit(0 if all(outcome.taken for outcome in outcomes) else _NOT_TAKEN)


def _chosen(configured: "dict[str, ChannelChoice]", names: tuple[str, ...]) -> "dict[str, ChannelChoice]":
    if not configured:
        raise click.ClickException(_SET_UP)
    for name in names:
        if name not in configured:
            raise click.UsageError(f"no channel {plain(name)!r}, expected one of {', '.join(sorted(configured))}")
    return {name: configured[name] for name in names or configured}


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.page-list/1.")
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """Show the open pages: how they stand, who was told, and what waits. Reads page.outbox, on its machine."""
    from guard.page.listing import listing  # noqa: PLC0415  (help is to be quick)
    from guard.page.outbox import contents  # noqa: PLC0415
    from guard.page.outbox_file import OutboxError  # noqa: PLC0415

    settings, now = session.config.page, time.time()
    try:
        shown = listing(contents(settings.outbox), settings.policy, now)
    except OutboxError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        document = {
            "schema": "guard.page-list/1",
            "time": now,
            "pages": shown.pages,
            "waiting": shown.waiting,
            "refused": shown.refused,
        }
        click.echo(in_ascii(msgspec.json.encode(document)))
        return
    for line in _text(shown, now):
        click.echo(line)


def _text(shown: "Listing", now: float) -> Iterator[str]:
    from guard.commands.screen import screen  # noqa: PLC0415
    from guard.grid import grid  # noqa: PLC0415  (rich is an extra; --json does without it)

    def table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
        return grid(headings, rows, width=screen().width, color=screen().color)

    if shown.pages:
        yield table(
            ("page", "severity", "since", "state", "summary", "told", "waits"),
            [_row(one, now) for one in shown.pages],
        )
    else:
        yield "no page is open"
    letters = [*shown.waiting, *shown.refused]
    if letters:
        yield ""
        yield table(
            ("channel", "page", "letter", "since", "tries", "why"), [_letter_row(one, now) for one in letters]
        )


def _row(one: "Open", now: float) -> tuple[str, ...]:
    notice = one.notice
    told = ", ".join(sorted(heard.channel for heard in one.told)) or "-"
    waits = ", ".join(sorted({letter.channel for letter in one.waits})) or "-"
    state = {"acknowledge": "acknowledged", "resolve": "over"}.get(notice.kind, "open")
    return notice.page, notice.severity.value, ago(notice.since, now), state, plain(notice.summary), told, waits


def _letter_row(letter: "Letter", now: float) -> tuple[str, ...]:
    why = f"refused: {letter.error}" if letter.refused is not None else letter.error or "-"
    return letter.channel, letter.page, letter.kind.value, ago(letter.since, now), str(letter.tries), plain(why)
