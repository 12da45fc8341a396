"""Prometheus: what every process of guard shows about itself, and the one server of all their pages.

`prometheus_client`'s own server starts a thread for every connection and waits for ever for what its client sends;
here the connections are few, each has a deadline, and an address that cannot be had is named with its key.
"""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Info,
    MetricsHandler,
    ProcessCollector,
    disable_created_metrics,
)

_log = logging.getLogger(__name__)

DEADLINE = 10.0
"""Seconds that a connection may last, whatever its client does. Prometheus asks anew after as long, usually."""
MOST = 8
"""Connections at once; what comes then is closed unanswered. A page is made for one or two scrapers."""
_SILENCE = 5.0
"""Seconds until a client that sends or takes nothing is let go."""
_LARGEST_PORT = 65535
_LOOK = 1.0
"""Seconds between looks for connections that have lasted too long."""


disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, of which Prometheus makes nothing


class AddressError(OSError):
    """The address cannot be served. The text is made for people and names the key."""


def new_registry(process: str) -> CollectorRegistry:
    """A registry with what every process shows: its version, and its use of the machine.

    Args:
        process: agent, detect, remediate or page, as the command is called.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Info("guard_build", "The version that runs, and what it is", registry=registry)
    build.info({"version": _version(), "process": process})
    return registry


class Told:
    """A counter of what is counted elsewhere: its total is told now and then, and counted on where it begins anew.

    Args:
        counter: without labels.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter, self._total = counter, 0

    def tell(self, total: int) -> None:
        """So much has been counted until now."""
        self._counter.inc(total - self._total if total >= self._total else total)
        self._total = total


def serve(registry: CollectorRegistry, address: str, key: str) -> int:
    """Serve a registry over HTTP, from a daemon thread. The port is returned: that of ``0`` is any free one.

    Args:
        registry: what is shown.
        address: ``HOST:PORT``; an IPv6 address may stand in brackets.
        key: of the configuration, or the option, that says so.

    Raises:
        AddressError: nobody can listen there.
    """
    try:
        host, port = _parted(address)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, place = found[0]
        server = _Server(family, place, MetricsHandler.factory(registry))
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        advice = "does another process of guard run here? Choose another address there, or null for none"
        raise AddressError(getattr(error, "errno", None), f"{key}: {address}: {reason}; {advice}") from error
    threading.Thread(target=server.serve_forever, args=(_LOOK,), name="metrics", daemon=True).start()
    return int(server.server_address[1])


class _Server(ThreadingMixIn, TCPServer):
    """A thread for each connection, of which there are few, and none for long."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, family: socket.AddressFamily, place: Any, handler: type[MetricsHandler]) -> None:
        self.address_family = family
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(place, handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  (socketserver's signature)
        """Let a connection in, until it lasts too long."""
        with self._lock:
            if len(self._open) >= MOST:
                return False
            self._open[request] = time.monotonic() + DEADLINE
        request.settimeout(_SILENCE)
        return True

    def shutdown_request(self, request: Any) -> None:
        """A connection is over."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what has lasted too long: whoever waits in it for its client wakes up, and closes it."""
        with self._lock:
            for request in self._overdue():
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (socketserver's signature)
        """A scraper that went away is no trouble of ours."""
        _log.debug("a scrape failed", exc_info=True)

    def _overdue(self) -> Iterator[socket.socket]:
        now = time.monotonic()
        yield from (request for request, until in self._open.items() if now > until)


def _parted(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if int(port) > _LARGEST_PORT:  # the C library would take what is left of it
        raise ValueError(f"expected a port up to {_LARGEST_PORT}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _version() -> str:
    try:
        return metadata.version("trn-guard")
    except metadata.PackageNotFoundError:
        return "unknown"
