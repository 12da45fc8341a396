"""``guard actions``: what guard did, would do, and was kept from. Exit code 0 shown, 2 no answer."""

import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from detectors.plain import ago, moment, plain
from guard.bus import open_bus
from guard.commands import Session
from guard.commands.screen import screen
from guard.commands.topic_options import Point
from guard.progress_bar import progress
from guard.remediate.account import Account, Line, account
from guard.remediate.words import kind, told
from guard.tail.raw import in_ascii
from remediation.incidents import Incident

_DAY = 86_400.0
_SHOWN = 200


@click.command(name="actions")
@click.option("--since", type=Point(), help="Records since: 10m, 2h, 3d, or 2026-11-24T03:00:00Z; a day.")
@click.option("--node", metavar="NODE", help="What concerns this node.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=_SHOWN, show_default=True, help="The newest so many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.actions/1.")
@click.pass_obj
def command(session: Session, since: float | None, node: str | None, limit: int, as_json: bool) -> None:
    """Show open incidents, and the ledger: intents, outcomes, proposals, denials, orders."""
    config, now = session.config, time.time()
    start = now - _DAY if since is None else since
    with open_bus(config.bus, config.kafka) as bus, progress("reading the ledger"):
        shown = account(bus, config.cluster, since=start, node=node, most=limit)
    incidents = [one for one in shown.durable.incidents.values() if node in (None, one.node)]
    if as_json:
        click.echo(in_ascii(msgspec.json.encode(_document(shown, incidents, now))))
        return
    for sentence in _standing(shown):
        click.echo(sentence)
    click.echo(
        _grid(("node", "state", "since", "job", "cause", "incident"), [_incident(one, now) for one in incidents])
    )
    click.echo()
    click.echo(_grid(("time", "node", "record", "says"), [_row(line) for line in shown.lines]))


def _grid(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    from guard.grid import grid  # noqa: PLC0415  (rich is an extra; --json does without it)

    if not rows:
        return "no open incidents" if "incident" in headings else "no records"
    return grid(headings, rows, width=screen().width, color=screen().color)


def _standing(shown: Account) -> Iterator[str]:
    """What stops guard, or that nobody leads."""
    durable = shown.durable
    if durable.leader is None:
        yield "no remediator has led yet: start guard remediate on a machine that reaches the scheduler"
    if durable.breaker is not None and durable.breaker.tripped:
        yield f"the storm breaker {told(durable.breaker)}; guard breaker reset"
    if durable.paused is not None:
        yield f"paused: {told(durable.paused)}"


def _incident(incident: Incident, now: float) -> tuple[str, ...]:
    job = plain(incident.job) if incident.job else "-"
    since = ago(incident.moved, now)
    return plain(incident.node), incident.state.value, since, job, plain(incident.cause), plain(incident.id)


def _row(line: Line) -> tuple[str, ...]:
    record = line.entered.record
    return moment(record.time), plain(line.node) or "-", kind(record), told(record)


def _document(shown: Account, incidents: list[Incident], now: float) -> dict[str, Any]:
    return {
        "schema": "guard.actions/1",
        "time": now,
        "leader": shown.durable.leader,
        "epoch": shown.durable.epoch,
        "breaker": shown.durable.breaker,
        "paused": shown.durable.paused,
        "incidents": incidents,
        "records": [
            {"offset": line.entered.offset, "node": line.node, "record": line.entered.record}
            for line in shown.lines
        ],
    }
