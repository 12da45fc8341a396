"""How far a long piece of work is: a line on standard error, once it takes long enough to wonder."""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 2.0
"""Seconds after which a person at a terminal wants to see that something happens."""
_REFRESH = 0.2
"""Seconds between two pictures."""


class Told:
    """How far the work is. Telling costs nothing: another thread looks at it now and then.

    Attributes:
        what: is being done, in a few words.
        done: so much of it.
        of: so much there is; None: nobody knows, and how many a second are done is shown instead.
    """

    __slots__ = ("done", "of", "what")

    def __init__(self, what: str, of: float | None) -> None:
        self.what = what
        self.done = 0.0
        self.of = of

    def __call__(self, done: float, of: float | None = None, what: str | None = None) -> None:
        """Tell how much is done, and where that changes, of how much and what."""
        self.done = done
        if of is not None:
            self.of = of
        if what is not None:
            self.what = what

    def advance(self, more: float = 1) -> None:
        """Tell that so much more is done."""
        self.done += more


@contextmanager
def progress(what: str, of: float | None = None, *, after: float = PATIENCE) -> Iterator[Told]:
    """Show how far it is while the block runs: on a terminal only, not with ``--quiet``, and not at once.

    Args:
        what: is being done.
        of: how much there is to do; None: not known.
        after: seconds until something is shown.
    """
    told = Told(what, of)
    quiet = not logging.getLogger().isEnabledFor(logging.INFO)  # as `--quiet` sets it, and the picture informs
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield told
        return
    over = threading.Event()
    picture = threading.Thread(target=_show, args=(told, over, after), name="progress", daemon=True)
    picture.start()
    try:
        yield told
    finally:
        over.set()
        picture.join()


def _show(told: Told, over: threading.Event, after: float) -> None:
    began = time.monotonic()
    if over.wait(after):
        return
    try:
        shown = _picture()
    except ModuleNotFoundError:  # rich is an extra, and the work goes on without a picture of it
        return
    with shown:
        task = shown.add_task(told.what, total=told.of, count="")
        while True:
            count = _count(told.done, told.of, time.monotonic() - began)
            shown.update(task, description=told.what, completed=told.done, total=told.of, count=count)
            shown.refresh()
            if over.wait(_REFRESH):
                return


def _count(done: float, of: float | None, seconds: float) -> str:
    if of:
        return f"{done:,.0f} of {of:,.0f}"
    return f"{done:,.0f}, {done / seconds:,.0f} a second" if done else ""


def _picture() -> "Progress":
    from rich.console import Console  # noqa: PLC0415  (an extra, and 0.1 s)
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        # Rich would send what is written to standard output after the picture, to standard error.
        redirect_stdout=False,
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
