"""Who keeps the job going without guard: people who notice after hours, and a scheduler that sees what is dead."""

from functools import partial

from guard.simulate.faults import Fault, Kind
from guard.simulate.fleet import name_of
from guard.simulate.month import Month, Phase


class People:
    """They find a slow node after hours, wait for the next checkpoint, and start the job anew without it.

    Args:
        restart: whether it is also they who notice that the job has stopped.
    """

    def __init__(self, month: Month, *, restart: bool) -> None:
        self._month, self._restarts = month, restart
        self._searching: set[int] = set()

    def stopped(self, fault: Fault) -> None:
        """See `Answer`."""
        if self._restarts:
            month = self._month
            month.at(month.now + fault.noticed, partial(self._restart, month.attempt))

    def suspicious(self, fault: Fault) -> None:
        """See `Answer`."""
        if fault.kind is not Kind.FALSE and fault.number not in self._searching:
            self._searching.add(fault.number)
            self._month.at(self._month.now + fault.noticed, partial(self._find, fault))

    def passed(self, fault: Fault) -> None:
        """See `Answer`: there is nothing to be found any more."""

    def started(self) -> None:
        """See `Answer`."""

    def mended(self, node: int) -> None:
        """See `Answer`."""

    def _restart(self, attempt: int) -> None:
        if self._month.attempt == attempt:
            self._month.tally.people += 1
            self._month.requeue()

    def _find(self, fault: Fault) -> None:
        self._searching.discard(fault.number)
        if self._month.suspect(fault):
            self._month.tally.people += 1
            self._take_out(fault)

    def _take_out(self, fault: Fault) -> None:
        month = self._month
        if not month.suspect(fault):
            return
        training = month.training
        if month.phase is Phase.RUNNING and training.work - training.saved > month.given.step:
            # A moment later, as the checkpoint must be there whatever rounding says.
            month.at(month.now + training.until_checkpoint() + 0.01, partial(self._take_out, fault))
            return
        month.fleet.cordon_as_person(name_of(fault.node), "slow")
        month.tally.cordons += 1
        month.requeue()
        month.away(fault)


class Scheduler:
    """It requeues a job whose node died, and one that gave up after hanging for its time-out."""

    def __init__(self, month: Month) -> None:
        self._month = month

    def stopped(self, fault: Fault) -> None:
        """See `Answer`."""
        given = self._month.given
        wait = given.node_fail if fault.kind is Kind.HARD else given.hang_timeout
        self._month.at(self._month.now + wait, partial(self._requeue, self._month.attempt))

    def suspicious(self, fault: Fault) -> None:
        """See `Answer`: it sees no slow nodes."""

    def passed(self, fault: Fault) -> None:
        """See `Answer`."""

    def started(self) -> None:
        """See `Answer`."""

    def mended(self, node: int) -> None:
        """See `Answer`."""

    def _requeue(self, attempt: int) -> None:
        if self._month.attempt == attempt:
            self._month.requeue()
