"""A term: from the record by which this process leads until it does so no more."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from detectors.verdict import Saying, Verdict, identify
from guard.bus import Bus, Message
from guard.deadletter import dead_letter
from guard.remediate.acting import BEGIN_WITHIN, Acting, Ended, begin_by
from guard.remediate.book import Book
from guard.remediate.errand_of import errand_of
from guard.remediate.following import Following
from guard.remediate.leadership import Candidate, order_id
from guard.remediate.ledger import PUBLISH, Entered, Ledger
from guard.remediate.looking import Looking
from guard.remediate.metrics import Metrics
from guard.remediate.sayings import Sayings
from remediation import orders
from remediation.controller import due, jobs_followed, taking_over
from remediation.events import Event, JobSaid, Observed, Ordered, Said, Tick
from remediation.ledger import Leader, Outcome, Record, Result

if TYPE_CHECKING:
    from remediation.views import ClusterView

_log = logging.getLogger("guard.remediate")

_TICK = 1.0
_ROUNDS = 1000
"""Records that some events may lead to. What else is decided then waits for a later tick: state is a level."""


class SucceededError(Exception):
    """A newer leader stands in the ledger: this process may not act any more."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What is open on the bus. One thread uses it."""

    bus: Bus
    candidate: Candidate
    ledger: Ledger
    sayings: Sayings
    following: Following


class Term:
    """Leads: reads, decides, writes, reads back, acts. `turn` is called over and over, and never waits for an act.

    Args:
        lines: the bus.
        book: what is known of the ledger.
        looking: at the cluster.
        acting: on it.
        metrics: counts.
        process: who leads, for people.

    Raises:
        BusUnavailableError: the bus is away.
        SucceededError: another one leads already.
    """

    def __init__(
        self,
        lines: Lines,
        book: Book,
        looking: Looking,
        acting: Acting,
        metrics: Metrics,
        *,
        process: str,
    ) -> None:
        self._lines, self._book, self._looking, self._acting = lines, book, looking, acting
        self._metrics, self._cluster = metrics, book.state.cluster
        self._view: ClusterView | None = None
        self._unanswered: set[str] = set()
        self._uncommitted = False
        self._speaking = self._looked = self._reconciled = False
        self._next_tick = 0.0
        self.epoch = self._take_the_lead(process)

    @property
    def waiting(self) -> bool:
        """Whether an act of a former leader may still be under way, so that nothing is done yet."""
        return not self._speaking

    @property
    def listening(self) -> bool:
        """Whether orders can be answered: the cluster was looked at, or it is known that it cannot be."""
        return self._looked

    def turn(self, messages: Sequence[Message]) -> None:
        """Take what is new, and do what is due.

        Raises:
            BusUnavailableError: the bus is away.
            SucceededError: another one leads.
        """
        self._feed(self._read(self._lines.ledger.poll()))
        heard = self._lines.sayings.poll()
        if self.waiting:
            if time.monotonic() < self._wait_until:
                return
            self._speaking = True
            heard = list(self._lines.sayings.newest())
            self._looking.again()
        self._feed(map(said, heard))
        self._look()
        self._obey(messages)
        self._feed(self._lines.following.poll())
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + _TICK
            self._feed([Tick()])
        self._commit()
        self._act()
        self._lines.following.follow(jobs_followed(self._book.state))

    def _take_the_lead(self, process: str) -> int:
        ledger, now = self._lines.ledger, time.time()
        leader = Leader(
            id=identify("leader", process, now),
            cluster=self._cluster,
            time=now,
            process=process,
            deadline=self._book.policy.lead.deadline,
        )
        epoch = ledger.append([leader])
        entered = ledger.read_to(epoch)
        for one in entered:
            self._book.take(one)
        if any(one.offset > epoch and isinstance(one.record, Leader) for one in entered):
            raise SucceededError
        taken = next(one.taken for one in entered if one.offset == epoch)
        wait = self._book.in_flight(taken, BEGIN_WITHIN)
        self._wait_until = time.monotonic() + wait
        _log.info("leading from offset %d of the ledger, acting in %.0f s", epoch, wait)
        return epoch

    def _read(self, entered: Sequence[Entered]) -> Sequence[Entered]:
        if any(isinstance(one.record, Leader) and one.offset > self.epoch for one in entered):
            raise SucceededError
        return entered

    def _feed(self, known: Iterable[Event | Entered]) -> None:
        """Have the controller decide; what it decides is written and read back before anything else is told."""
        queue, left = deque(known), _ROUNDS
        while queue:
            records = self._book.take(queue.popleft())
            if not records or not self._speaking:
                continue
            left -= len(records)
            if left < 0:
                _log.warning("the controller does not come to rest: %s is not written", type(records[0]).__name__)
                continue
            queue.extendleft(reversed(self._enter(records)))

    def _enter(self, records: Sequence[Record]) -> Sequence[Entered]:
        """Write to the ledger, under this epoch, and read it back."""
        own = [msgspec.structs.replace(record, epoch=self.epoch) for record in records]
        offset = self._lines.ledger.append(own)
        for record in own:
            self._metrics.wrote(record)
        return self._read(self._lines.ledger.read_to(offset))

    def _look(self) -> None:
        ended = self._acting.poll()
        if ended is not None:
            self._feed(self._enter([self._outcome(ended)]))
            self._looking.again()
        seen = self._looking.poll()
        if seen is None:
            return
        self._metrics.looked(time.time() if isinstance(seen, Observed) else None)
        self._feed([seen])
        self._looked = True
        self._next_tick = 0.0  # what is seen is decided on at once
        if isinstance(seen, Observed):
            self._view = seen.view
            if not self._reconciled:
                records = taking_over(self._book.state, self.epoch, time.time())
                if records:
                    self._feed(self._enter(records))
                self._reconciled = True

    def _outcome(self, ended: Ended) -> Outcome:
        intent = ended.intent
        self._metrics.acted(intent.act, ended.result)
        _log.info("%s of %r: %s %s", intent.act, intent.subject, ended.result, ended.detail)
        return Outcome(
            id=identify("outcome", intent.id, self.epoch),
            cluster=self._cluster,
            time=time.time(),
            incident=intent.incident,
            intent=intent.id,
            result=ended.result,
            detail=ended.detail,
        )

    def _expire(self) -> None:
        """Say of acts that they were not begun in time, as soon as it is so; of others' the controller waits."""
        own = (one for one in self._book.state.durable.alive.values() if one.epoch == self.epoch)
        late = [one for one in own if not self._acting.begun(one) and time.time() > one.expires]
        for intent in late:
            self._feed(
                self._enter([self._outcome(Ended(intent, Result.EXPIRED, "it could not be begun in time"))])
            )

    def _obey(self, messages: Sequence[Message]) -> None:
        """Take operators' orders."""
        if messages:
            self._uncommitted, self._next_tick = True, 0.0
        for message in messages:
            try:
                order = orders.decode(message.value or b"")
            except orders.OrderError as error:
                self._metrics.ordered(readable=False)
                self._lines.bus.publish([dead_letter(message, str(error))], PUBLISH)
                continue
            self._metrics.ordered(readable=True)
            if order.cluster == self._cluster:
                name = order_id(message.position)
                self._unanswered.add(name)
                self._feed([Ordered(order, name)])

    def _commit(self) -> None:
        """Tell the group how far the orders are answered, once all answers are in the ledger."""
        self._unanswered -= self._book.state.durable.applied.keys()
        if self._uncommitted and not self._unanswered:
            self._lines.candidate.commit()
            self._uncommitted = False

    def _act(self) -> None:
        self._acting.prepare()
        self._expire()
        if self._view is None or not self._reconciled or not self._acting.free:
            return
        for intent in due(self._book.state, self.epoch, time.time()):
            if self._acting.begun(intent):
                continue
            until = begin_by()  # first: the answer is as old as the question
            if self._lines.ledger.superseded(self.epoch):
                raise SucceededError
            _log.info("%s of %r begins: %s", intent.act, intent.subject, intent.reason)
            self._acting.begin(
                errand_of(intent, self._book.incident(intent), self._view, self._book.policy, until)
            )
            return


def said(saying: Saying) -> Event:
    """A detector's word, for the controller."""
    return Said(saying) if isinstance(saying, Verdict) else JobSaid(saying)
