"""A remediator as a process of a test: on the cluster in a file, and ended at a named point if one is named.

The points stand between two steps of an act.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec

from guard.bus import Bus
from guard.bus.file import FileBus
from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings
from guard.remediate import acting, term
from guard.remediate.acting import Acting
from guard.remediate.leadership import Candidate
from guard.remediate.ledger import Ledger
from guard.remediate.service import RemediateService
from guard.systemd import Notifier
from remediation.ledger import Intent, Outcome
from remediation.policy import Policy
from tests.remediate_world import opener

CLUSTER = "c"
POINTS = (
    "before the intent",
    "after the intent",
    "intent read back",
    "before the act",
    "act handed over",
    "act over",
    "after the outcome",
    "outcome read back",
    "before the commit",
    "after the commit",
)
"""All of them, in order; within the act there are two more, which the cluster knows."""
SESSION, KAFKA_SESSION = 1.0, 6.0
BEGIN_WITHIN = 1.0

Method = Callable[..., Any]


def remediate(directory: str, point: str = "", act: str = "") -> None:
    """Serve until SIGTERM, or until the point is reached with that act."""
    logging.basicConfig(
        level=logging.INFO, filename=f"{directory}/log", format="%(process)d %(asctime)s %(message)s"
    )
    for module in (acting, term):
        module.BEGIN_WITHIN = BEGIN_WITHIN  # type: ignore[attr-defined]
    if point:
        _arm(directory, point, act)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    RemediateService(
        lambda: open_bus(Path(directory)),
        opener(Path(directory)),
        msgspec.json.decode(Path(directory, "policy.json").read_bytes(), type=Policy),
        Notifier(),
        stop,
        cluster=CLUSTER,
        look_within=1.0,
    ).run()


def open_bus(directory: Path) -> Bus:
    """The brokers that the file ``kafka`` names, with the prefix of the test; else the embedded bus."""
    named = directory / "kafka"
    if not named.exists():
        return FileBus(directory / "bus.sqlite", session_timeout=SESSION)
    address, prefix = named.read_text().split()
    return KafkaBus(address, KafkaSettings(session_timeout=KAFKA_SESSION), prefix=prefix)


def _die(directory: str) -> None:
    Path(directory, "killed").touch()
    os._exit(1)


def _arm(directory: str, point: str, act: str) -> None:
    """Die at the first time that the point is reached with that act."""
    intents: set[str] = set()

    def concerns(records: Any) -> bool:
        """Whether a record of the act is among them; remembers its intents, so that outcomes are known, too."""
        found = False
        for one in records:
            record = getattr(one, "record", one)
            if isinstance(record, Intent) and record.act == act:
                intents.add(record.id)
                found |= "intent" in point
            elif isinstance(record, Outcome) and record.intent in intents:
                found |= "outcome" in point
        return found

    def around(method: Method, *, before: bool, of: Callable[..., bool]) -> Method:
        @wraps(method)
        def dying(*arguments: Any, **options: Any) -> Any:
            if before and of(*arguments):
                _die(directory)
            result = method(*arguments, **options)
            if not before and of(*arguments, result):
                _die(directory)
            return result

        return dying

    where = {
        "before the intent": (Ledger, "append", True, lambda _, records: concerns(records)),
        "after the intent": (Ledger, "append", False, lambda _, records, __: concerns(records)),
        "intent read back": (Ledger, "read_to", False, lambda _, __, found: concerns(found)),
        "before the act": (Acting, "begin", True, lambda _, errand: errand.intent.act == act),
        "act handed over": (Acting, "begin", False, lambda _, errand, __: errand.intent.act == act),
        "act over": (Acting, "poll", False, lambda _, ended: ended is not None and ended.intent.act == act),
        "after the outcome": (Ledger, "append", False, lambda _, records, __: concerns(records)),
        "outcome read back": (Ledger, "read_to", False, lambda _, __, found: concerns(found)),
        "before the commit": (Candidate, "commit", True, lambda _: True),
        "after the commit": (Candidate, "commit", False, lambda _, __: True),
    }
    kind, name, before, of = where[point]
    setattr(kind, name, around(getattr(kind, name), before=before, of=of))
