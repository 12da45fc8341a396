"""The command ``guard``. Each sub-command is a module here, imported only when it is used.

A sub-command's module has a click command by the name ``command``, which gets a :class:`Session` as ``ctx.obj``.
"""

import importlib
import logging
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from guard.config import Config


@dataclass(frozen=True)
class Session:
    """One run of the command: which configuration, read when it is first asked for.

    Attributes:
        given: the file named on the command line, if any.
    """

    given: str | None

    @cached_property
    def _loaded(self) -> "tuple[Path | None, Config]":
        from guard.config_file import from_environment  # noqa: PLC0415  (`guard --help` needs none of it)

        return from_environment(self.given)

    @property
    def config(self) -> "Config":
        """The configuration. Raises ConfigError."""
        return self._loaded[1]

    @property
    def source(self) -> "Path | None":
        """The file it came from; None: the defaults. Raises ConfigError."""
        return self._loaded[0]


def main() -> NoReturn:
    """Run the command, and end with its exit code. What goes wrong is one line on stderr and exit code 2."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    try:
        sys.exit(_run())
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`). Python flushes once more at its end: to nowhere, then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)  # as a shell shows SIGPIPE


def _run() -> int:
    """Run the command, flush, and return the exit code."""
    try:
        root = importlib.import_module("guard.commands.root")
        code = root.guard(standalone_mode=False)
    except ModuleNotFoundError as error:
        code = _refuse(_missing(error))
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            code = _refuse(str(end.code))
        else:
            code = end.code
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        code = _explained(error)
    sys.stdout.flush()
    return code if isinstance(code, int) else 0
