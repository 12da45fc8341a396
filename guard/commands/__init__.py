"""The command ``guard``. Each sub-command is a module here, imported only when it is used."""

import importlib
import importlib.metadata
import logging
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from collectors.telemetry import RecordError
from guard.bus import BusError
from guard.config import Config
from guard.config_file import ConfigError, from_environment

_COMMANDS = {
    "agent": ("Collect on this node, and send a record every period.", None),
    "check": ("Try each part of this machine's set-up, a line each.", None),
    "config": ("Show the effective configuration, or its schema.", None),
    "demo": ("Train on local processes, slow one, and see it named.", "all"),
    "detect": ("Follow the telemetry and name the nodes that slow a job.", "detect"),
    "replay": ("Run the detector over telemetry files.", "detect"),
    "report": ("Show the health of fleet, jobs and nodes.", "report"),
}


@dataclass(frozen=True)
class Session:
    """One run of the command: which configuration, read when it is first asked for."""

    given: str | None

    @cached_property
    def _loaded(self) -> tuple[Path | None, Config]:
        return from_environment(self.given)

    @property
    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        return self._loaded[1]

    @property
    def source(self) -> Path | None:
        """The file it came from; None: the defaults."""
        return self._loaded[0]


class _Lazy(click.Group):
    """Sub-commands by name, so that ``guard --help`` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if ctx.resilient_parsing or not ctx.protected_args:
            return click.Command(cmd_name, short_help=_COMMANDS[cmd_name][0])
        return _load(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in _COMMANDS:
            return name, _load(name), args[1:]
        return super().resolve_command(ctx, args)


def _load(name: str) -> click.Command:
    try:
        loaded: click.Command = importlib.import_module(f"guard.commands.{name}").command
    except ModuleNotFoundError as error:
        extra = _COMMANDS[name][1]
        if extra is None or (error.name or "").startswith(("guard", "collectors", "detectors", "simulation")):
            raise
        raise click.ClickException(f"guard {name} needs {error.name}: pip install 'trn-guard[{extra}]'") from error
    return loaded


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "given", metavar="FILE", help="Configuration; else GUARD_CONFIG, /etc/guard/guard.yaml.")
@click.option("-v", "--verbose", count=True, help="Say more; twice: everything.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
@click.version_option(importlib.metadata.version("trn-guard"), package_name="trn-guard")
@click.pass_context
def guard(context: click.Context, given: str | None, verbose: int, quiet: bool, no_color: bool) -> None:
    """Find the node that slows a training job, and prove it."""
    level = logging.WARNING if quiet else max(logging.DEBUG, logging.INFO - 10 * verbose)
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if no_color:
        os.environ["NO_COLOR"] = "1"
    context.obj = Session(given)


def main() -> None:
    """Run the command. What goes wrong is one line on stderr and exit code 2."""
    try:
        guard(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.message)
    except (ConfigError, BusError, RecordError) as error:
        _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        _fail(f"{error.filename or ''}{': ' if error.filename else ''}{error.strerror or error}")
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


def _fail(text: str) -> None:
    click.echo(f"guard: {text}", err=True)
    sys.exit(2)
