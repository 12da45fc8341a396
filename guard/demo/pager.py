"""A stand-in for whoever is on call: takes what `guard page` sends to a webhook, and checks its signature."""

import base64
import hmac
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from remediation.alerts.notice import Kind, Notice
from remediation.alerts.webhook import signature

_LARGEST = 1 << 20
_DEADLINE = 5.0
_KEY = 32
_decoder = msgspec.json.Decoder(Notice)


class Pager:
    """A receiver on loopback, and the notices that it took, each once. A context: the receiver is gone after it.

    Args:
        directory: where the file with the key of the signature goes.
    """

    def __init__(self, directory: Path) -> None:
        self._key = secrets.token_bytes(_KEY)
        self.secret = directory / "page.key"
        self.secret.touch(mode=0o600)
        self.secret.write_text(f"whsec_{base64.b64encode(self._key).decode()}\n")
        self._lock = threading.Lock()
        self._taken: dict[str, Notice] = {}
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, name="pager", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def notices(self) -> list[Notice]:
        """What it took, in order."""
        with self._lock:
            return list(self._taken.values())

    def pages(self) -> dict[str, list[Notice]]:
        """The same by page."""
        pages: dict[str, list[Notice]] = {}
        for notice in self.notices:
            pages.setdefault(notice.page, []).append(notice)
        return pages

    def resolved(self, node: str) -> bool:
        """Whether the page about a node was sent, and has ended."""
        return any(notice.node == node and notice.kind is Kind.RESOLVE for notice in self.notices)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Take one request; the HTTP status that answers it."""
        name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        expected = signature(self._key, name, stamp, body)
        if not hmac.compare_digest(headers.get("webhook-signature", "").encode(), expected.encode()):
            return 401
        try:
            notice = _decoder.decode(body)
        except msgspec.DecodeError:
            return 400
        with self._lock:
            self._taken.setdefault(notice.id, notice)
        return 204

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_DEADLINE)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pager: Pager) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pager = pager


class _Handler(BaseHTTPRequestHandler):
    timeout = _DEADLINE
    server: _Server

    def do_POST(self) -> None:
        """Take one notice."""
        try:
            length = int(self.headers.get("content-length", ""))
        except ValueError:
            length = -1
        status = 413
        if 0 <= length <= _LARGEST:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = self.server.pager.take(headers, self.rfile.read(length))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing: the demo shows what was taken."""
