"""Debian's Alertmanager on loopback, which notifies a stand-in: what an engineer on call would get from it."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec

from tests.pager_receivers import Receiver

PROGRAM = "prometheus-alertmanager"
_PATIENCE = 30.0
_CONFIGURATION = """
route:
  receiver: people
  group_by: [page]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
- name: people
  webhook_configs:
  - url: {url}
    send_resolved: true
"""


class Notifications(Receiver):
    """What Alertmanager sends to people: firing or resolved, by page."""

    path = "/people"

    def examine(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str, str]:
        told = msgspec.json.decode(body)
        return told["status"], told["groupLabels"].get("page", ""), body.decode()


class AlertmanagerServer:
    """One member, no cluster. `people` is what it notifies."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.people = Notifications()
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.people.__enter__()
        configuration = self._directory / "alertmanager.yml"
        configuration.write_text(_CONFIGURATION.format(url=self.people.url), "utf-8")
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM,
                    f"--config.file={configuration}",
                    f"--storage.path={self._directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._await()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self.people.__exit__()
        shutil.rmtree(self._directory / "data", ignore_errors=True)

    def alerts(self, page: str | None = None) -> list[dict[str, Any]]:
        """The alerts that stand, of one page if given."""
        alerts = httpx.get(f"{self.url}/api/v2/alerts", timeout=5).json()
        return [alert for alert in alerts if page in (None, alert["labels"].get("page"))]

    def _await(self) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/-/ready", timeout=2).is_success:
                    return
            time.sleep(0.05)
        raise AssertionError(f"Alertmanager did not start: {(self._directory / 'log').read_text('utf-8')[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
