"""What standard output is: a terminal of some width, or a pipe."""

import os
import shutil
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Screen:
    """Columns, None where there is no terminal, and whether to write its colours."""

    width: int | None
    color: bool


def screen() -> Screen:
    """Standard output as it is now. `--no-color` has set ``NO_COLOR``."""
    terminal = sys.stdout.isatty()
    return Screen(
        shutil.get_terminal_size().columns if terminal else None, terminal and not os.environ.get("NO_COLOR")
    )
