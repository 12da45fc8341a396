"""Operators' orders: ``guard approve``, ``hold``, ``pause`` and their like.

Each writes one record to ``guard.control``, and waits for the remediator's answer in the ledger. Exit code 0
taken, 1 refused or the act failed, 2 no answer.
"""

import getpass
import sys
import time
from collections.abc import Callable
from typing import Any

import click
import msgspec

from detectors.plain import harmless
from guard.bus import open_bus
from guard.commands import Session
from guard.progress_bar import progress
from guard.remediate.ordering import Heard, give
from guard.remediate.words import kind, told
from guard.tail.raw import in_ascii
from guard.timespan import TimespanError, length
from remediation.ledger import Outcome, Result
from remediation.orders import Command, Order, OrderError

_ANSWER, _OUTCOME = 20.0, 20.0
"""Seconds: a remediator answers within a second or two, and a standby takes over within the first of these. What
takes longer is in `guard actions`."""
_REFUSED, _UNANSWERED = 1, 2

_Function = Callable[..., None]


class _Length(click.ParamType[float]):
    """A length of time: ``2h``."""

    name = "LENGTH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn text into seconds."""
        try:
            return length(str(value))
        except TimespanError as error:
            self.fail(str(error), param, ctx)


def _options(function: _Function) -> _Function:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object."),
        click.option("--no-wait", is_flag=True, help="Do not wait for the remediator's answer."),
        click.option("--by", metavar="NAME", help="Who orders it; your login name."),
        click.option("--reason", default="", metavar="TEXT", help="Why; it stands in the ledger."),
    ):
        function = option(function)
    return function


def _order(command: Command, summary: str, argument: str = "") -> click.Command:
    """One order as a command. ``argument`` names what it is about."""

    def run(session: Session, *, subject: str = "", lasts: float | None = None, **options: Any) -> None:
        _give(session, command, subject, lasts, **options)

    function = _options(click.pass_obj(run))
    if command is Command.PAUSE:
        option = click.option(
            "--for", "lasts", type=_Length(), help="End the pause by itself: 30m, 2h; else resume."
        )
        function = option(function)
    if argument:
        function = click.argument("subject", metavar=argument)(function)
    return click.command(name=command.value, help=summary)(function)


approve = _order(Command.APPROVE, "Let guard do what it proposed. INTENT is in `guard actions`.", "INTENT")
reject = _order(Command.REJECT, "Do not let guard do what it proposed.", "INTENT")
hold = _order(Command.HOLD, "Take NODE into your own hands: guard leaves it as it is until its release.", "NODE")
release = _order(Command.RELEASE, "Give a held NODE back to work: undo guard's cordon.", "NODE")
cordon = _order(Command.CORDON, "Take NODE out of service: no new work comes to it.", "NODE")
uncordon = _order(Command.UNCORDON, "Undo guard's cordon of NODE, whatever is said of it.", "NODE")
pause = _order(Command.PAUSE, "Stop all acting, recovery by order aside.")
resume = _order(Command.RESUME, "End a pause.")


@click.group()
def breaker() -> None:
    """The storm breaker, which stops new harm when too many nodes are accused at once."""


breaker.add_command(_order(Command.BREAKER_RESET, "Let guard act again after a storm."), "reset")


def _give(
    session: Session,
    command: Command,
    subject: str,
    lasts: float | None,
    *,
    reason: str,
    by: str | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    config = session.config
    order = Order(
        cluster=config.cluster,
        time=time.time(),
        by=by or _login(),
        command=command,
        subject=subject,
        reason=reason,
        lasts=lasts,
    )
    try:
        with open_bus(config.bus, config.kafka) as bus, progress("waiting for the remediator's answer"):
            heard = give(bus, order, answer_within=0.0 if no_wait else _ANSWER, outcome_within=_OUTCOME)
    except OrderError as error:
        raise click.UsageError(harmless(str(error))) from error
    if as_json:
        click.echo(in_ascii(msgspec.json.encode(_document(order, heard))))
    else:
        _tell(heard, waited=not no_wait)
    sys.exit(0 if no_wait else _answer(heard))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"


def _tell(heard: Heard, *, waited: bool) -> None:
    if heard.applied is None:
        text = (
            f"no answer within {_ANSWER:.0f} s; the order stands. Does guard remediate run? See guard actions"
            if waited
            else "ordered"
        )
        click.echo(text, err=waited)
        return
    click.echo(told(heard.applied))
    for record in heard.records:
        click.echo(f"{kind(record)} {told(record)}")
    if not heard.ended:
        click.echo("under way; guard actions tells how it goes on")


def _document(order: Order, heard: Heard) -> dict[str, Any]:
    return {
        "schema": "guard.order-answer/1",
        "order": order,
        "applied": heard.applied,
        "records": heard.records,
    }


def _answer(heard: Heard) -> int:
    if heard.applied is None:
        return _UNANSWERED
    ended = [record for record in heard.records if isinstance(record, Outcome)]
    failed = any(record.result is not Result.DONE for record in ended)
    return _REFUSED if failed or not heard.applied.accepted else 0
