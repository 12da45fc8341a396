"""The command ``guard``. Each sub-command is a module here, imported only when it is used.

A sub-command's module has a click command named ``command``, which gets a :class:`Session` as ``ctx.obj``.
"""

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from guard.config import Config

COMPLETION = "_GUARD_COMPLETE"
"""Environment variable in which a shell's script asks how a line could go on."""


@dataclass(frozen=True)
class Session:
    """One run of the command: which configuration, read when it is first asked for.

    Attributes:
        given: the file named on the command line, if any.
    """

    given: str | None

    @cached_property
    def _loaded(self) -> "tuple[Path | None, Config]":
        from guard.config_file import from_environment  # noqa: PLC0415  (`guard --help` is to be quick)

        return from_environment(self.given)

    @property
    def config(self) -> "Config":
        """The configuration. Raises ConfigError."""
        return self._loaded[1]

    @property
    def source(self) -> "Path | None":
        """The file it came from; None: the defaults. Raises ConfigError."""
        return self._loaded[0]


def main() -> None:
    """Run the command, and end with its exit code."""
    try:
        if COMPLETION in os.environ:
            from guard.commands.completion import answer  # noqa: PLC0415  (only while a shell completes)

            sys.exit(answer())
        from guard.commands.root import run  # noqa: PLC0415  (click is missing beside a bare step hook)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"guard: the command needs {error.name}: pip install trn-guard\n")
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))
