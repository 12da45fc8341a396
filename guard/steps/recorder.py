"""The recorder: sections and steps of one rank, stored in its ring."""

import atexit
import os
import struct
import weakref
from collections.abc import Mapping as Dictionary
from pathlib import Path
from threading import get_ident
from time import monotonic_ns
from types import TracebackType
from typing import Self

from guard import ring
from guard.ring import Word
from guard.steps.checkpoint import RequestFile
from guard.steps.launch import identify
from guard.steps.mapping import Mapping

DIRECTORY = Path("/run/guard-rings")
"""Where the agent keeps rings unless ``GUARD_RING_DIR`` says otherwise."""

_COUNT, _CURRENT = int(Word.COUNT), int(Word.CURRENT)
_BITS = ring.SECTION_BITS
_NONE = [0] * (ring.SECTIONS + 1)
_HARMLESS = (TypeError, ValueError, OverflowError, struct.error)
"""What wrong arguments raise. A training program must not stop for them: the step is left out."""

_recorders: "weakref.WeakSet[StepRecorder]" = weakref.WeakSet()


class _Section:
    """A named part of a step. Entering it stops the clock of the section around it: time is exclusive."""

    __slots__ = ("_index", "_recorder")

    def __init__(self, recorder: "StepRecorder", index: int) -> None:
        self._recorder = recorder
        self._index = index

    def __enter__(self) -> None:
        recorder = self._recorder
        outer, now = recorder._current, monotonic_ns()  # noqa: SLF001  (one mechanism in two classes, for speed)
        recorder._spent[outer] += now - recorder._since  # noqa: SLF001
        recorder._outer.append(outer)  # noqa: SLF001
        recorder._current = index = self._index  # noqa: SLF001
        recorder._since = now  # noqa: SLF001
        recorder._words[_CURRENT] = now << _BITS | index  # noqa: SLF001

    def __exit__(self, *_: object) -> None:
        recorder = self._recorder
        now = monotonic_ns()
        recorder._spent[recorder._current] += now - recorder._since  # noqa: SLF001
        outers = recorder._outer  # noqa: SLF001
        recorder._current = outer = outers.pop() if outers else 0  # noqa: SLF001
        recorder._since = now  # noqa: SLF001
        recorder._words[_CURRENT] = now << _BITS | outer  # noqa: SLF001


class _Ignored:
    """A section that counts for none: a seventeenth name, a name that is no text, another thread."""

    __slots__ = ()

    def __enter__(self) -> None:
        return

    def __exit__(self, *_: object) -> None:
        return


_IGNORED = _Ignored()


class _Step:
    """The step in progress. ``work`` may be set before it ends: tokens, or any cost proportional to compute."""

    __slots__ = ("_recorder", "_start", "number", "work")

    def __init__(self, recorder: "StepRecorder") -> None:
        self._recorder = recorder
        self._start = 0
        self.number = 0
        self.work: float | None = None

    def __enter__(self) -> Self:
        recorder = self._recorder
        self._start = now = monotonic_ns()
        recorder._begin(now)  # noqa: SLF001
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        recorder = self._recorder
        now = monotonic_ns()
        recorder._spent[recorder._current] += now - recorder._since  # noqa: SLF001
        if kind is None:  # a step that failed did not end
            recorder._finish(self.number, self._start, now, self.work)  # noqa: SLF001
        recorder._begin(now)  # noqa: SLF001


class StepRecorder:
    """Records the steps of one rank. ``problem`` says why there is no ring, where there is none."""

    def __init__(self, owner: ring.Owner, directory: Path | None, requests: Path | None) -> None:
        self.owner = owner
        self._mapping = Mapping(owner, directory)
        self._words = self._mapping.words
        self._spent = list(_NONE)
        self._outer: list[int] = []
        self._current = 0
        self._since = monotonic_ns()
        self._count = 0
        self._next = 0
        self._step = _Step(self)
        self._sections: dict[str, _Section] = {}
        self._thread = get_ident()
        self._requests = RequestFile(requests) if requests is not None else None
        self._words[_CURRENT] = self._since << _BITS
        _recorders.add(self)

    @property
    def problem(self) -> str | None:
        """Why nothing can be seen from outside, or None where the ring is there."""
        return self._mapping.problem

    @property
    def path(self) -> Path | None:
        """The ring's file, while there is one."""
        return self._mapping.path

    def step(self, number: int | None = None, work: float | None = None) -> _Step:
        """A context manager around one whole step. ``number`` counts on by itself where it is not given."""
        step = self._step
        step.number = self._next if number is None else number
        step.work = work
        return step

    def section(self, name: str) -> _Section | _Ignored:
        """A context manager around a named part of a step; sections may nest.

        Reserved names: ``data`` (waiting for input), ``compute`` (own work), ``collective`` (blocked in
        collectives), ``host`` (host-side gap), ``checkpoint``.
        """
        try:
            if get_ident() == self._thread:
                return self._sections[name]
        except KeyError:
            return self._new_section(name)
        except TypeError:
            return _IGNORED
        return _IGNORED

    def record(
        self,
        step: int,
        duration: float,
        sections: Dictionary[str, float] | None = None,
        work: float | None = None,
    ) -> None:
        """Record a step that the program timed itself and that ends now. Lengths in seconds."""
        try:
            now = monotonic_ns()
            self._begin(now)
            for name, seconds in (sections or {}).items():
                section = self.section(name)
                if isinstance(section, _Section):
                    self._spent[section._index] += int(seconds * 1e9)  # noqa: SLF001
            self._finish(step, now - int(duration * 1e9), now, work)
            self._begin(now)
        except (*_HARMLESS, AttributeError):
            self._begin(monotonic_ns())

    def checkpoint_requested(self, step: int) -> bool:
        """Whether every rank is asked to write a checkpoint at this very step."""
        return self._requests is not None and self._requests.at_step == step

    def checkpoint_written(self, step: int) -> None:
        """Say that this rank's part of the checkpoint of ``step`` is on disk."""
        self._store(Word.CHECKPOINT_END, monotonic_ns())
        self._store(Word.CHECKPOINT_STEP, step)

    def resumed(self, step: int) -> None:
        """Say which step this attempt starts from: 0 for a fresh start. Step numbers go on from there."""
        self._store(Word.RESUMED_STEP, step)
        if type(step) is int:
            self._next = step

    def close(self) -> None:
        """Say goodbye: the rank ends in good order. Recording afterwards is harmless and unseen."""
        if self._requests is not None:
            self._requests.close()
        self._store(Word.CLOSED, 1)
        self._detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, now: int) -> None:
        self._spent[:] = _NONE
        self._outer.clear()
        self._current = 0
        self._since = now
        self._words[_CURRENT] = now << _BITS

    def _finish(self, number: int, start: int, end: int, work: float | None) -> None:
        """Fill the slot, then raise the count: in that order, so that half an entry is never counted."""
        count = self._count
        tag = count + 1
        at = ring.HEADER_BYTES + count % ring.CAPACITY * ring.ENTRY_BYTES
        spent = self._spent
        try:
            ring.ENTRY.pack_into(self._mapping.bytes, at, tag, number, start, end, work or 0.0, *spent[1:], tag)
            self._next = number + 1
        except _HARMLESS:
            return
        self._words[_COUNT] = self._count = tag

    def _new_section(self, name: str) -> _Section | _Ignored:
        index = len(self._sections)
        if type(name) is not str or not name:
            return _IGNORED
        if index >= ring.SECTIONS:
            self._words[Word.SECTIONS_REFUSED] += 1
            return _IGNORED
        at, raw = ring.name_section(index, name)
        self._mapping.bytes[at : at + len(raw)] = raw
        self._words[Word.SECTIONS] = index + 1
        section = self._sections[name] = _Section(self, index + 1)
        return section

    def _store(self, word: Word, value: int) -> None:
        try:
            self._words[word] = value
        except _HARMLESS:
            return

    def _detach(self) -> None:
        self._mapping.detach()
        self._words = self._mapping.words


def open(  # noqa: A001  (read as steps.open, as in tarfile.open)
    *,
    directory: str | os.PathLike[str] | None = None,
    requests: str | os.PathLike[str] | None = None,
    **given: object,
) -> StepRecorder:
    """Open the recorder of this rank. Never raises: see ``StepRecorder.problem``.

    Args:
        directory: the agent's ring directory; else ``GUARD_RING_DIR``, else ``/run/guard-rings``.
        requests: the checkpoint request file on a shared path; else ``GUARD_CHECKPOINT_FILE``.
        given: what the environment does not say: ``rank local_rank device stage dp tp ep cp`` (integers),
            ``job job_name`` (text), ``attempt``, and ``synced``: whether the program synchronises at section ends,
            so that wall times mean what they say.
    """
    rings = directory if directory is not None else os.environ.get("GUARD_RING_DIR", DIRECTORY)
    wanted = requests if requests is not None else os.environ.get("GUARD_CHECKPOINT_FILE")
    return StepRecorder(
        identify(os.environ, given), Path(rings) if rings else None, Path(wanted) if wanted else None
    )


def _detach_in_child() -> None:
    """A forked child (a data loader, say) must not write into its parent's ring, nor keep its lock alive."""
    for recorder in list(_recorders):
        recorder._detach()  # noqa: SLF001


def _close_all() -> None:
    for recorder in list(_recorders):
        recorder.close()


os.register_at_fork(after_in_child=_detach_in_child)
atexit.register(_close_all)
