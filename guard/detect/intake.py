"""What of the telemetry is let in: a record, or the reason for which it is set aside."""

import time
from enum import StrEnum

from collectors.telemetry import Compared, RecordError, UnknownVersionError, decode_compared
from guard.bus import Message

AHEAD = 3600.0
"""Seconds that a record may lie after the moment at which the bus took it: a clock so wrong is set aside."""

BEHIND = 86_400.0
"""Seconds that it may lie before: more than a spool holds, so it is an old record that somebody sends again."""

_UNDECODED = "\N{REPLACEMENT CHARACTER}"


class Reason(StrEnum):
    """Why a record is set aside, as the metrics count it. The letter says it in full."""

    UNREADABLE = "unreadable"
    VERSION = "version"
    EMPTY = "empty"
    KEY = "key"
    AHEAD = "ahead"
    REPLAYED = "replayed"


class SetAsideError(Exception):
    """A record that is not let in."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def admit(message: Message) -> Compared:
    """Read a record, and check that it can be one of now.

    Raises:
        SetAsideError: it is not let in.
    """
    if message.value is None:
        raise SetAsideError(Reason.EMPTY, "no value: telemetry is never deleted")
    if _UNDECODED in message.key:  # agents write UTF-8: who writes other keys may part a job's records
        raise SetAsideError(Reason.KEY, "the key is not UTF-8")
    try:
        record = decode_compared(message.value)
    except UnknownVersionError as error:
        raise SetAsideError(Reason.VERSION, str(error)) from error
    except RecordError as error:
        raise SetAsideError(Reason.UNREADABLE, str(error)) from error
    ahead = record.time - message.time
    if ahead > AHEAD:
        raise SetAsideError(Reason.AHEAD, f"{ahead:.0f} s ahead of the bus - at `$.time`")
    if -ahead > BEHIND:
        taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(message.time))
        text = f"{-ahead:.0f} s older than the bus took it ({taken}): an old record sent again - at `$.time`"
        raise SetAsideError(Reason.REPLAYED, text)
    return record
