"""What receivers answer over HTTP, and what of it may be said."""

import email.utils
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from msgspec import Struct

from detectors.plain import harmless
from remediation.alerts.protocol import RefusedError, UnavailableError

LARGEST = 1 << 16
"""Bytes of an answer. Receivers say a line or two."""
_MOST_WORDS = 200
_LONGEST_WAIT = 3600.0
_SHORTEST_KEY = 6
_LATER = frozenset({408, 425, 429})
REFUSALS = frozenset(range(400, 500)) - _LATER
"""Statuses that say that the same again will not do."""
_WORDS = {
    "ConnectTimeout": "no connection in time",
    "ReadTimeout": "no answer in time",
    "WriteTimeout": "it took nothing in time",
    "RemoteProtocolError": "it closed the connection, or speaks no HTTP",
    "ReadError": "the connection broke",
    "WriteError": "the connection broke",
    "ProxyError": "the proxy would not",
}


class Answer(Struct, frozen=True):
    """A whole one. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def whole(status: int, headers: Mapping[str, str], chunks: Iterable[bytes]) -> Answer:
    """Read an answer to its end.

    Raises:
        UnavailableError: it is larger than any real one.
    """
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST:
            raise UnavailableError(f"an answer ({status}) of more than {LARGEST} bytes")
    return Answer(status, {name.lower(): value for name, value in headers.items()}, bytes(body))


def check(answer: Answer, secrets: Iterable[str], refusals: frozenset[int] = REFUSALS) -> None:
    """Go on if the answer says that the notice was taken.

    Args:
        answer: what came.
        secrets: what must not be said, should the receiver repeat it.
        refusals: statuses that mean: never again.

    Raises:
        RefusedError: as the status says.
        UnavailableError: every other status.
    """
    if 200 <= answer.status < 300:
        return
    said = words(answer.body, secrets)
    text = f"it answered {answer.status}{': ' if said else ''}{said}"
    if answer.status in refusals:
        raise RefusedError(text)
    raise UnavailableError(text, retry_after(answer.headers.get("retry-after"), time.time()))


def words(body: bytes, secrets: Iterable[str]) -> str:
    """The start of an answer as harmless text, without the secrets."""
    text = body.decode("utf-8", "replace")
    for secret in secrets:
        text = text.replace(secret, "(secret)")
    text = harmless(" ".join(text.split()))
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}…"


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from ``Retry-After``, a number or a date; at most an hour, None if it says nothing clear."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_WAIT)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    until = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return min(max(until, 0.0), _LONGEST_WAIT)


def trouble(error: BaseException | None) -> str:
    """Say what a library for HTTP ran into. Its own words may repeat a header or a URL, so most are not used."""
    name = type(error).__name__
    if name == "ConnectError":
        return f"no connection: {harmless(str(error))[:_MOST_WORDS]}"
    return _WORDS.get(name, f"the request failed ({name})")


def hidden(url: str) -> tuple[str, ...]:
    """What must not be said of a URL that is a secret: all of it, its path, and each part that could be a key."""
    parts = urlsplit(url)
    keys = [part for part in (*parts.path.split("/"), parts.query) if len(part) >= _SHORTEST_KEY]
    return tuple(dict.fromkeys((url, *([parts.path] if len(parts.path) > 1 else []), *keys)))


def place(url: str) -> str:
    """Scheme, host and port of a URL: what may be said of it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def iso(time: float) -> str:
    """Unix seconds in ISO 8601, UTC, to the millisecond; what is beyond all dates at their end."""
    within = min(max(0.0, time), datetime(9999, 12, 31, tzinfo=UTC).timestamp())
    return datetime.fromtimestamp(within, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
