"""Every rail's answer for a node now: the ledger and the state folded anew, and the cluster looked at."""

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from guard.bus import Bus
from guard.remediate.book import Book
from guard.remediate.clusters import NO_CLUSTER, opener
from guard.remediate.errands import look
from guard.remediate.hand import Hand
from guard.remediate.ledger import history
from guard.remediate.looking import event
from guard.remediate.sayings import Sayings
from guard.remediate.settings import Remediation
from guard.remediate.term import said
from remediation.controller import rails
from remediation.events import Observed, Unobserved
from remediation.rails import Ruling

_NAP = 0.05


def why_not(bus: Bus, cluster: str, settings: Remediation, node: str) -> Sequence[Ruling]:
    """Ask the rails.

    Raises:
        BusError: the bus does not answer.
    """
    book = Book(cluster, settings.policy)
    for entered in history(bus, cluster):
        book.take(entered)
    with closing(Sayings(bus, cluster)) as sayings:
        for saying in sayings.newest():
            book.take(said(saying))
    book.take(_seen(settings))
    return rails(book.state, node, settings.policy, time.time())


def _seen(settings: Remediation) -> Observed | Unobserved:
    if settings.cluster is None:
        return Unobserved(NO_CLUSTER)
    with closing(Hand(opener(settings.cluster), "looking at the cluster")) as eye:
        eye.begin(partial(look, timeout=settings.look_within), settings.look_within)
        while (answer := eye.answer()) is None:  # it ends by its deadline
            time.sleep(_NAP)
        return event(answer)
