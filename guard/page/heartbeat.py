"""The dead man's switch: a sign of life, sent only while guard sees and can tell.

Whoever receives it wakes somebody when it stays away. So it stays away when guard is blind, when this process
hangs or is gone, and when the outbox takes nothing.
"""

import logging
import os
import threading
import time
from collections.abc import Callable

from guard.page.metrics import Metrics
from guard.page.settings import Heartbeat
from remediation.alerts.credentials import read_secret
from remediation.alerts.heartbeat import beat
from remediation.alerts.protocol import ChannelError

_log = logging.getLogger("guard.page")

_WITHIN = 10.0
_FIT = 10.0
"""Seconds for which the main loop's word that all is well holds: a loop that hangs ends it."""


class Switch:
    """Beats from a thread of its own, a daemon, while `fit` is called often enough.

    Args:
        settings: where to, and how often. Without a URL there is nothing to do.
        metrics: Prometheus.
        stop: ends the thread.
        send: asks the URL, within seconds.
    """

    def __init__(
        self,
        settings: Heartbeat,
        metrics: Metrics,
        stop: threading.Event,
        send: Callable[[str, float], None] = beat,
    ) -> None:
        self._settings, self._metrics, self._stop, self._send = settings, metrics, stop, send
        self._fit_until = 0.0
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def wanted(self) -> bool:
        """Whether there is anywhere to send to."""
        return self._settings.url is not None or self._settings.url_file is not None

    def start(self) -> None:
        """Begin, if there is anywhere to send to."""
        if self.wanted:
            self._metrics.beat()
            self._thread.start()

    def fit(self) -> None:
        """All is well now: guard sees, the loop turns, the outbox takes what it is given."""
        self._fit_until = time.monotonic() + _FIT

    def unfit(self) -> None:
        """Something is not: no beat from now on."""
        self._fit_until = 0.0

    def _run(self) -> None:
        next_at = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= next_at and now < self._fit_until:
                next_at = now + self._settings.every
                self._beat()
            self._stop.wait(min(1.0, max(next_at - time.monotonic(), 0.1)))

    def _beat(self) -> None:
        try:
            self._send(self._url(), _WITHIN)
        except ChannelError as error:
            if not self._failing:
                _log.warning("the heartbeat is not taken: %s", error)
            self._failing = True
        except Exception as error:  # noqa: BLE001  (its text might hold the URL)
            _log.error("the heartbeat: %s in sending", type(error).__name__)
            self._failing = True
        else:
            if self._failing:
                _log.info("the heartbeat is taken again")
            self._failing = False
            self._metrics.beat()

    def _url(self) -> str:
        if self._settings.url_file is not None:
            return read_secret(self._settings.url_file, os.environ)
        return self._settings.url or ""
