"""One request with one deadline for all of it: the name, the connection, TLS, what is sent and what comes back.

The libraries for HTTP bound each wait, not their sum: a receiver that sends a byte now and then, even of a header,
holds them for good, and so does a name server. So the request runs beside its caller, and is cut off from here.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from remediation.alerts.protocol import UnavailableError

_GRACE = 0.5
"""Seconds for a request that was cut off to close its connection."""

Result = TypeVar("Result")


class _CutOffError(Exception):
    """Nobody waits for this request any more: it must not reach its receiver now."""


class Attempt(Generic[Result]):
    """A request that runs once, in a thread of its own, and can be cut off."""

    def __init__(self, request: Callable[["Attempt[Result]"], Result]) -> None:
        """`request` gives `trace` to its library, and does not keep connections for later."""
        self._lock = threading.Lock()
        self._over = False
        self._socket: socket.socket | None = None
        self._result: Result | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(request,), name="guard-request", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still runs. After `result` it waits for a name or a connection, and sends nothing."""
        return self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long; whether it has."""
        self._thread.join(max(0.0, seconds))
        return not self.running

    def result(self, timeout: float) -> Result:
        """What came of it, within about ``timeout`` seconds.

        Raises:
            UnavailableError: it did not end in time.
            Exception: what the request raised.
        """
        if not self.wait(timeout):
            self._cut()
            self.wait(_GRACE)
            raise UnavailableError(f"no whole answer within {timeout:.3g} s")
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # which may be None itself

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Follow the connection: httpcore's extension `trace`."""
        if not event.endswith("connect_tcp.complete"):
            return
        stream = info["return_value"]
        with self._lock:
            if self._over:
                stream.close()
                raise _CutOffError
            # A second handle on the same connection, which stays when TLS takes the first one over.
            self._socket = stream.get_extra_info("socket").dup()

    def _run(self, request: Callable[["Attempt[Result]"], Result]) -> None:
        try:
            self._result = request(self)
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error
        finally:
            with self._lock:
                if self._socket is not None:
                    self._socket.close()

    def _cut(self) -> None:
        with self._lock:
            self._over = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
