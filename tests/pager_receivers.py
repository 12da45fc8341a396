"""Stand-ins for PagerDuty, Slack, Alertmanager, a signed webhook and a dead man's switch, on loopback.

As strict as their documents (``pager_schemas``): what is wrong is answered as there, and kept in ``problems``.
What is right is ``taken``, in order. Each can be told how to fail, request by request. In a test::

    with PagerDutyReceiver() as receiver:
        receiver.fail(Fault.LIMIT, Fault.HANG)      # the next two requests
        …
        receiver.wait(lambda taken: len(taken) == 1)

and as a process, which writes one line of JSON for each request taken to FILE, and its URL to standard output::

    python -m tests.pager_receivers pagerduty --port 0 --log FILE [--fail limit,hang]
"""

import argparse
import contextlib
import itertools
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec
from msgspec import Struct

from tests import pager_schemas as schemas

ROUTING_KEY = "0123456789abcdefR0UT1NGKEY456789"
SLACK_PATH = "/services/T00000000/B00000000/slacksecretXXXXXXXXXXXXX"
SIGNING_KEY = "whsec_c2lnbmluZy1zZWNyZXQtb2YtdGVzdHMtMDEyMzQ1Njc4OQ=="
_LONGEST_HANG = 60.0
_DRIP = 0.05


class Fault(StrEnum):
    """What a receiver does instead of taking a request."""

    REFUSE = "refuse"
    """400."""
    ECHO = "echo"
    """400, and all that was sent comes back: path, headers and body."""
    GONE = "gone"
    """410."""
    LIMIT = "limit"
    """429, to be tried again after seven seconds."""
    LIMIT_DATE = "limit_date"
    """429 with a date two hours ahead."""
    FAIL = "fail"
    """500."""
    REDIRECT = "redirect"
    """302 to itself."""
    HANG = "hang"
    """No answer."""
    DRIP = "drip"
    """A header that comes byte by byte, without end."""
    DRIP_BODY = "drip_body"
    """A body that does."""
    DROP = "drop"
    """The connection is closed before the request is read."""
    LOSE = "lose"
    """The request is taken, and the connection closed before the answer."""
    GARBAGE = "garbage"
    """No HTTP."""
    OTHER = "other"
    """200 with somebody else's page."""
    HUGE = "huge"
    """200 with a body without end."""


class Taken(Struct, frozen=True):
    """A request that was right.

    `action` and `key` are as the receiver names them; `repeat`: it had the very same before.
    """

    number: int
    time: float
    action: str
    key: str
    repeat: bool
    body: Any


class Receiver:
    """A server. Subclasses say what it takes: `examine` gives action, key and the identity of a request."""

    path = "/"
    success = (200, b"")

    def __init__(self, *, port: int = 0, log: Path | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.problems: list[str] = []
        self.requests = 0
        self.headers: dict[str, str] = {}
        self._taken: list[Taken] = []
        self._seen: set[str] = set()
        self._faults: deque[Fault] = deque()
        self._always: Fault | None = None
        self._changed = threading.Condition()
        self.stopping = threading.Event()
        self._log = log.open("ab", buffering=0) if log is not None else None
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        self.port: int = self._server.server_address[1]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, True, do_handshake_on_connect=False)
        self.origin = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
        if self._log is not None:
            self._log.close()

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}"

    @property
    def taken(self) -> list[Taken]:
        with self._changed:
            return list(self._taken)

    @property
    def once(self) -> list[Taken]:
        """What was taken, without repeats."""
        return [one for one in self.taken if not one.repeat]

    def fail(self, *faults: Fault) -> None:
        """So do the next requests; those after them are taken."""
        with self._changed:
            self._faults.extend(faults)

    def fail_always(self, fault: Fault | None) -> None:
        """So do all requests from now on; None: they are taken."""
        with self._changed:
            self._always = fault

    def wait(self, condition: Callable[[list[Taken]], bool], seconds: float = 20.0) -> list[Taken]:
        """Wait until this holds of what was taken."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self._taken), seconds):
                raise AssertionError(f"after {seconds} s: {self._taken}, refused: {self.problems}")
            return list(self._taken)

    def examine(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str, str]:
        raise NotImplementedError

    def next_fault(self) -> Fault | None:
        with self._changed:
            self.requests += 1
            return self._faults.popleft() if self._faults else self._always

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        with self._changed:
            try:
                action, key, identity = self.examine(headers, body)
            except schemas.WrongError as error:
                self.problems.append(str(error))
                raise
            decoded = msgspec.json.decode(body) if body else None
            number = len(self._taken) + 1
            one = Taken(number, time.time(), action, key, identity in self._seen, decoded)
            self._seen.add(identity)
            if self._log is not None:
                self._log.write(msgspec.json.encode(one) + b"\n")
            self._taken.append(one)
            self._changed.notify_all()

    def answer(self, key: str) -> bytes:
        return self.success[1]


class PagerDutyReceiver(Receiver):
    """One incident for each key: from a trigger on, until it is resolved; a trigger after that is another one."""

    path = "/v2/enqueue"
    success = (202, b"")

    def __init__(
        self, *, key: str = ROUTING_KEY, port: int = 0, log: Path | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.key = key
        super().__init__(port=port, log=log, tls=tls)

    def examine(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str, str]:
        event = schemas.pagerduty(body, self.key)
        return event.event_action, event.dedup_key or "", body.decode()

    def answer(self, key: str) -> bytes:
        return msgspec.json.encode({"status": "success", "message": "Event processed", "dedup_key": key})

    def incidents(self) -> list[tuple[str, list[str]]]:
        """Key and actions of each incident, in order. What is for none is dropped, as there."""
        incidents: list[tuple[str, list[str]]] = []
        for one in self.taken:
            found = next((each for each in incidents if each[0] == one.key and each[1][-1] != "resolve"), None)
            if found is not None:
                found[1].append(one.action)
            elif one.action == "trigger":
                incidents.append((one.key, [one.action]))
        return incidents


class SlackReceiver(Receiver):
    """It knows no repeats: each message is another."""

    path = SLACK_PATH
    success = (200, b"ok")
    _numbers = itertools.count()

    def examine(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str, str]:
        message = schemas.slack(body)
        return message.text, "", str(next(self._numbers))


class WebhookReceiver(Receiver):
    """It takes a message once, by its id."""

    path = "/guard"

    def __init__(
        self, *, key: str = SIGNING_KEY, port: int = 0, log: Path | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.key = key
        super().__init__(port=port, log=log, tls=tls)

    def examine(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str, str]:
        notice = schemas.webhook(headers, body, self.key, time.time())
        return notice.kind.value, notice.page, notice.id


class AlertmanagerReceiver(Receiver):
    """For its faults; what it does with alerts the real one shows."""

    path = "/api/v2/alerts"

    def examine(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str, str]:
        alert = schemas.alertmanager(body)
        over = alert.endsAt is not None and alert.endsAt.timestamp() <= time.time()
        return "resolve" if over else "alert", alert.labels.get("page", ""), body.decode()


class HeartbeatReceiver(Receiver):
    """It takes anything."""

    path = "/ping/heartbeatsecret0123"

    def examine(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str, str]:
        return "beat", "", str(time.monotonic_ns())


class _Server(ThreadingHTTPServer):
    receiver: Receiver
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that has hung up is what tests are about
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _LONGEST_HANG
    wfile: BinaryIO

    def do_POST(self) -> None:
        receiver, fault = self.server.receiver, self.server.receiver.next_fault()
        self.close_connection = True
        if fault is Fault.DROP:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.headers = headers
        body = self.rfile.read(int(headers.get("content-length", "0")))
        if fault is None or fault is Fault.LOSE:
            self._take(headers, body, lose=fault is not None)
        elif fault in _ANSWERS:
            status, text, more = _ANSWERS[fault]
            self._answer(status, text or f"{self.path} {headers} ".encode() + body, more())
        elif fault is Fault.HANG:
            receiver.stopping.wait(_LONGEST_HANG)
        else:
            self._stream(*_STREAMS[fault])

    def _take(self, headers: dict[str, str], body: bytes, *, lose: bool) -> None:
        receiver = self.server.receiver
        try:
            self._admit(headers, body)
            receiver.take(headers, body)
        except schemas.WrongError as error:
            self._answer(error.status, str(error).encode(), {})
            return
        if lose:
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._answer(receiver.success[0], receiver.answer(receiver.taken[-1].key), {})

    def _admit(self, headers: dict[str, str], body: bytes) -> None:
        if self.path != self.server.receiver.path:
            raise schemas.WrongError(404, "no_service")
        if body and headers.get("content-type", "").partition(";")[0] != "application/json":
            raise schemas.WrongError(400, "no JSON")

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, start: bytes, piece: bytes, pause: float) -> None:
        """Send the start, and then pieces until the client hangs up."""
        with contextlib.suppress(OSError):
            self.wfile.write(start)
            while not self.server.receiver.stopping.wait(pause):
                self.wfile.write(piece)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        pass


_ANSWERS: dict[Fault, tuple[int, bytes, Callable[[], dict[str, str]]]] = {
    Fault.REFUSE: (400, b"invalid_payload", dict),
    Fault.ECHO: (400, b"", dict),
    Fault.GONE: (410, b"channel_is_archived", dict),
    Fault.LIMIT: (429, b"rate_limited", lambda: {"Retry-After": "7"}),
    Fault.LIMIT_DATE: (429, b"rate_limited", lambda: {"Retry-After": _date(time.time() + 7200)}),
    Fault.FAIL: (500, b"fatal_error", dict),
    Fault.REDIRECT: (302, b"elsewhere", lambda: {"Location": "/elsewhere"}),
    Fault.OTHER: (200, b"<html>Please accept the terms of this network</html>", dict),
}
_STREAMS = {
    Fault.DRIP: (b"HTTP/1.1 200 OK\r\nX-Drip: ", b"a", _DRIP),
    Fault.DRIP_BODY: (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"a", _DRIP),
    Fault.HUGE: (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", b"a" * 65536, 0.0),
    Fault.GARBAGE: (b"\x16\x03\x01 what? \r\n\r\n" * 100, b"\xff", _DRIP),
}


def _date(when: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(when))


KINDS: dict[str, type[Receiver]] = {
    "pagerduty": PagerDutyReceiver,
    "slack": SlackReceiver,
    "webhook": WebhookReceiver,
    "alertmanager": AlertmanagerReceiver,
    "heartbeat": HeartbeatReceiver,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for a receiver of pages.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--fail", default="", help="what the first requests meet: " + ", ".join(Fault))
    options = parser.parse_args()
    with KINDS[options.kind](port=options.port, log=options.log) as receiver:
        receiver.fail(*(Fault(name) for name in options.fail.split(",") if name))
        print(receiver.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
