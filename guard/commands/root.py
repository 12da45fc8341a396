"""The root of the command line: global options, sub-commands by name, and what becomes of errors."""

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from guard.commands import Session, global_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_GROUPS = {
    "On a node": {
        "agent": ("Collect on this node, and send a record every period.", ""),
        "check": ("Try each part of this machine's set-up, a line each.", ""),
        "config": ("Show the effective configuration, or its schema.", ""),
        "completion": ("Let bash, zsh or fish complete guard's commands.", ""),
    },
    "The fleet": {
        "detect": ("Follow the telemetry and name the nodes that slow a job.", "[detect]"),
        "report": ("Show the health of fleet, jobs and nodes.", "[report]"),
        "watch": ("Watch the fleet live: jobs, nodes, and what guard does.", "[report]"),
        "explain": ("Show why a node is accused, or why it is not.", "[detect]"),
        "topics": ("Plan or make the topics on Kafka, and who may use them.", "[report]"),
    },
    "Acting": {
        "remediate": ("Act on verdicts within limits: one leads, others stand by.", ""),
        "actions": ("Show what guard did, would do, and was kept from.", "[report]"),
        "why-not": ("Show every rail's answer for a node now.", "[report]"),
        "approve": ("Let guard do what it proposed.", ""),
        "reject": ("Do not let guard do what it proposed.", ""),
        "hold": ("Take a node into your own hands.", ""),
        "release": ("Give a held node back to work.", ""),
        "cordon": ("Take a node out of service.", ""),
        "uncordon": ("Undo guard's cordon of a node.", ""),
        "pause": ("Stop all acting.", ""),
        "resume": ("End a pause.", ""),
        "breaker": ("Reset the storm breaker.", ""),
    },
    "On call": {
        "runbook": ("Show what to do about an alert.", ""),
        "page": ("Page people: the service, its test, and what is open.", "[page]"),
        "acknowledge": ("Say that you look after a page.", ""),
    },
    "Records": {
        "tail": ("Show the newest records of a topic, and what comes.", ""),
        "export": ("Write a topic to a file for notebooks.", "[export]"),
        "deadletter": ("List or show what could not be read, and why.", "[report]"),
        "replay": ("Run the detector over telemetry files.", "[detect]"),
    },
    "To try it": {
        "bench": ("Measure how well detection detects.", "[all]"),
        "simulate": ("Show what acting is worth, on a month that is simulated.", "[all]"),
        "demo": ("Train on local processes, slow one, and see it named.", "[all]"),
    },
}
"""What each does, and the extra that brings what it needs beyond the agent's libraries; in the help's order."""

_COMMANDS = {name: told for group in _GROUPS.values() for name, told in group.items()}

_ORDERS = ("approve", "reject", "hold", "release", "cordon", "uncordon", "pause", "resume", "breaker")
"""They differ in a word, so they share a module, and each is there by its own name."""

_OURS = ("guard", "collectors", "detectors", "remediation", "simulation")
_MISTAKE = 2
_INTERRUPTED = 130
_BROKEN_PIPE = 141
"""128 + SIGINT and 128 + SIGPIPE, as a shell shows them. 1 is an answer of some commands: somebody is accused."""


_REMEDIES = {
    errno.EACCES: "; run this as a user who may: sudo -u guard, for what is guard's",
    errno.EPERM: "; run this as a user who may: sudo -u guard, for what is guard's",
    errno.ENOENT: "; look at the path",
    errno.ENOTDIR: "; look at the path",
    errno.EISDIR: "; name a file in it",
    errno.ENOSPC: "; make room there",
    errno.EROFS: "; name another place",
}
"""What to do about an error of the system that says no more than what is wrong."""


class _Lazy(click.Group):
    """Sub-commands by name, so that ``guard --help`` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        return global_options.add(_load(cmd_name)) if cmd_name in _COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}.{_nearest(args[0])}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415  (only while a shell completes)

        names = [name for name in _COMMANDS if name.startswith(incomplete)]
        # Not what a group does, which loads each command to see whether it is hidden.
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=_COMMANDS[name][0]) for name in names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, group in _GROUPS.items():
            with formatter.section(title):
                # One width for all groups: the explanations stand under each other.
                formatter.write_dl(
                    [(name.ljust(max(map(len, _COMMANDS))), told[0]) for name, told in group.items()]
                )


def _nearest(word: str) -> str:
    import difflib  # noqa: PLC0415  (only after a mistake)

    near = difflib.get_close_matches(word, _COMMANDS, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _load(name: str) -> click.Command:
    try:
        if name in _ORDERS:
            loaded: click.Command = getattr(importlib.import_module("guard.commands.orders"), name)
        else:
            loaded = importlib.import_module(f"guard.commands.{name.replace('-', '_')}").command
    except ImportError as error:
        raise _explained(error, name) from error
    return loaded


def _explained(error: ImportError, name: str) -> Exception:
    """What to install for a library that is missing; a module of ours that is missing is no user's mistake."""
    library = (error.name or "").partition(".")[0]
    if library in _OURS:
        return error
    if not isinstance(error, ModuleNotFoundError):
        return click.ClickException(f"{name} cannot load {library or 'a library'}: {error}")
    extra = _COMMANDS[name][1] if name in _COMMANDS else "[all]"
    return click.ClickException(f"{name} needs more ({library}): pip install 'trn-guard{extra}'")


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trn-guard", prog_name="guard")
@click.pass_context
def guard(context: click.Context) -> None:
    """Find the node that slows a training job, and prove it."""
    import logging  # noqa: PLC0415  (`guard --help` is to be quick)

    # No times: under systemd the journal has them.
    logging.basicConfig(
        level=global_options.level(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    if context.obj is None:
        context.obj = Session(None)


guard.params = [*global_options.options(hidden=False), *guard.params]


def run(arguments: Sequence[str]) -> int:
    """Run ``guard`` with ``arguments`` and return its exit code. A mistake is one line on stderr and 2."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # output without UTF-8 is no reason to fail
    name = "this"
    try:
        try:
            with guard.make_context("guard", list(arguments)) as context:
                try:
                    guard.invoke(context)
                finally:
                    name = context.invoked_subcommand or name
        except click.exceptions.Exit as end:
            return end.exit_code
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`). Python flushes once more at its end: to nowhere, then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except click.UsageError as error:
        error.show()
        return _MISTAKE
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except Exception as error:
        text = _one_line(error, name)
        if text is None:
            raise
        click.echo(f"guard: {text}", err=True)
        return _MISTAKE
    return 0


def _one_line(error: Exception, name: str) -> str | None:
    """The text of an error of a command that is somebody's to mend; None for a bug, which needs its traceback."""
    if isinstance(error, ModuleNotFoundError):
        told = _explained(error, name)
        return told.message if isinstance(told, click.ClickException) else None
    if isinstance(error, click.ClickException):
        return error.message
    from collectors.telemetry import RecordError  # noqa: PLC0415  (only after a failure; `--help` is to be quick)
    from guard.bus import BusError  # noqa: PLC0415
    from guard.config_file import ConfigError  # noqa: PLC0415

    if isinstance(error, ConfigError | BusError | RecordError):
        return str(error)
    if isinstance(error, OSError):
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        return f"{what}{_REMEDIES.get(error.errno or 0, '')}"
    return None
