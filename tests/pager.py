"""A pager as a process of a test: `guard page` itself, ended at a named point if one is named.

``python -m tests.pager DIRECTORY POINT NUMBER`` dies when the point is reached for that time.
"""

import itertools
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from guard.commands.root import run
from guard.page import senders
from guard.page.outbox import Outbox
from guard.page.senders import Sender

Method = Callable[..., Any]

POINTS = (
    "before the commit",
    "in the commit",
    "after the commit",
    "before the send",
    "after the send",
    "after the mark",
)
"""Where there is a letter; "after the send" is before its mark."""
COMMITS = ("before the commit", "after the commit")
"""Those that are met once for all letters that are written together."""

WITHIN = 2.0
"""Seconds that a channel has: a test waits for those that hang."""


def main(directory: str, point: str = "", number: str = "1") -> None:
    """Serve until SIGTERM, or until the point is reached."""
    senders.WITHIN = WITHIN  # type: ignore[misc]
    if point:
        _arm(Path(directory), point, int(number))
    sys.exit(run(["--config", f"{directory}/guard.yaml", "-v", "page"]))


def _arm(directory: Path, point: str, number: int) -> None:
    times = itertools.count(1)

    def die(*_: Any) -> None:
        if next(times) == number:
            (directory / "killed").touch()
            os._exit(1)

    def around(method: Method, *, before: bool, of: Callable[..., bool] = lambda *_: True) -> Method:
        @wraps(method)
        def dying(*arguments: Any) -> Any:
            met = of(*arguments)
            if before and met:
                die()
            result = method(*arguments)
            if not before and met:
                die()
            return result

        return dying

    def with_letters(*arguments: Any) -> bool:
        return bool(arguments[3])

    def count_letters(method: Method) -> Method:
        # The desk empties its list afterwards: whether there were any is asked before.
        return around(method, before=False, of=with_letters)

    where: dict[str, tuple[Any, str, Callable[[Method], Method]]] = {
        "before the commit": (Outbox, "commit", lambda method: around(method, before=True, of=with_letters)),
        "in the commit": (Outbox, "_put", lambda method: around(method, before=False)),
        "after the commit": (Outbox, "commit", count_letters),
        "before the send": (Sender, "_hand_over", lambda method: around(method, before=True)),
        "after the send": (Sender, "_hand_over", lambda method: around(method, before=False)),
        "after the mark": (Outbox, "sent", lambda method: around(method, before=False)),
    }
    kind, name, armed = where[point]
    setattr(kind, name, armed(getattr(kind, name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
