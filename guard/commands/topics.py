"""``guard topics``: the topics on Kafka. Exit code 0 as the configuration wants, 1 differences, 2 cannot tell."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from detectors.plain import plain
from guard.bus import BusError
from guard.bus.kafka_credentials import Credentials
from guard.commands import Session
from guard.commands.global_options import inform
from guard.commands.screen import screen
from guard.progress_bar import progress
from guard.topics.acls import Acl, Role, acls, commands
from guard.topics.plan import Plan, plan
from guard.topics.wanted import wanted

if TYPE_CHECKING:
    from guard.topics.admin import Brokers

_SCHEMA = "guard.acls/1"
_LOSS = click.option(
    "--allow-loss",
    is_flag=True,
    help="Also shorten retention and change cleanup policies, which deletes records that are there now.",
)
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(name="topics")
def command() -> None:
    """Plan or make the topics on Kafka, and say who may use them."""


@command.command(name="plan")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.topics/1.")
@_LOSS
@click.pass_obj
def plan_(session: Session, as_json: bool, allow_loss: bool) -> None:
    """Show how the topics differ from the configuration. Changes nothing.

    Ends 0 when they do not differ, 1 when they do, 2 when the brokers cannot be asked.
    """
    from guard.topics.render import document  # noqa: PLC0415  (rich is an extra)

    topics = wanted(session.config.topics, session.config.kafka.prefix)
    with _brokers(session) as brokers:
        found = plan(topics, brokers.existing(topics), allow_loss=allow_loss)
    if as_json:
        click.echo(document(found))
    else:
        _show(found)
        if found.acts:
            click.echo(f"guard topics apply{' --allow-loss' if allow_loss else ''} would do this.")
    sys.exit(1 if found.differs else 0)


@command.command()
@_YES
@_LOSS
@click.pass_obj
def apply(session: Session, yes: bool, allow_loss: bool) -> None:
    """Make and configure the topics, after showing the plan and asking.

    Never deletes a topic or takes partitions or copies away, and never adds partitions to telemetry or snapshots.
    Ends 0 when the topics are as wanted, 1 when a difference was left alone, 2 when something could not be done.
    """
    topics = wanted(session.config.topics, session.config.kafka.prefix)
    with _brokers(session) as brokers:
        found = plan(topics, brokers.existing(topics), allow_loss=allow_loss)
        _show(found)
        if found.acts:
            if not yes and not _agreed("Do this?"):
                click.echo("Nothing was changed.")
                sys.exit(1)
            steps = brokers.carry_out(found)
            while (step := _next(steps)) is not None:
                click.echo(plain(step))
            with progress("waiting until all brokers know"):
                found = brokers.settled(lambda: plan(topics, brokers.existing(topics), allow_loss=allow_loss))
            if found.acts:
                raise BusError(f"{found.acts} differences are still there; run guard topics plan in a minute")
    sys.exit(1 if found.differs else 0)


@command.command(name="acls", short_help="Show the least that each role needs.")
@click.option(
    "--role",
    required=True,
    type=click.Choice([*(str(role) for role in Role), "all"]),
    help="Whose permissions; all of them with all.",
)
@click.option(
    "--principal",
    default="User:guard-{role}",
    show_default=True,
    help="Who connects, as the brokers name it; {role} stands for the role.",
)
@click.option(
    "--idempotent-write", is_flag=True, help="Also what brokers before 2.8 ask of every producer, on the cluster."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.acls/1.")
@click.option("--apply", "applies", is_flag=True, help="Add them on the brokers, after asking.")
@_YES
@click.pass_obj
def acls_(
    session: Session,
    *,
    role: str,
    principal: str,
    idempotent_write: bool,
    as_json: bool,
    applies: bool,
    yes: bool,
) -> None:
    """Show the least that each role needs, as commands for Kafka's kafka-acls.sh."""
    if ":" not in principal or not principal.isprintable():
        raise click.BadParameter(f"{principal!r}: expected User:NAME", param_hint="--principal")
    servers = _servers(session)
    allowed = [
        acl
        for one in (Role if role == "all" else (Role(role),))
        for acl in acls(
            one,
            principal.replace("{role}", one),
            prefix=session.config.kafka.prefix,
            idempotent_write=idempotent_write,
        )
    ]
    if as_json:
        click.echo(json.dumps({"schema": _SCHEMA, "acls": [dataclasses.asdict(acl) for acl in allowed]}))
    else:
        click.echo("\n".join(commands(allowed, servers)))
    if applies:
        _apply_acls(session, allowed, yes)


def _next(steps: Iterator[str]) -> str | None:
    # A picture of each step for itself: what is printed in between would stand in the midst of one.
    with progress("changing the topics"):
        return next(steps, None)


def _apply_acls(session: Session, allowed: list[Acl], yes: bool) -> None:
    if not yes and not _agreed(f"Add these {len(allowed)} permissions?"):
        click.echo("Nothing was changed.", err=True)
        sys.exit(1)
    with _brokers(session) as brokers:
        brokers.allow(allowed)
    inform(f"added {len(allowed)} permissions")


def _agreed(question: str) -> bool:
    """Ask on stderr. Nobody there to answer is a no, and says how to do without."""
    if not sys.stdin.isatty():
        click.echo(f"{question} There is no terminal to ask on: add --yes", err=True)
        return False
    return click.confirm(question, err=True)


def _show(found: Plan) -> None:
    from guard.topics.render import table  # noqa: PLC0415  (rich is an extra)

    click.echo(table(found, width=screen().width, color=screen().color))


def _servers(session: Session) -> str:
    kind, _, servers = session.config.bus.partition("://")
    if kind != "kafka" or not servers:
        raise BusError(f"bus {session.config.bus!r}: topics are made on Kafka alone; nothing is to do for a file")
    return servers


def _brokers(session: Session) -> "Brokers":
    from guard.topics.admin import Brokers  # noqa: PLC0415  (kafka-python takes 0.2 s, and help is to be quick)

    with progress("asking the brokers to let us in"):
        return Brokers(_servers(session), Credentials(session.config.kafka).options())
