"""A long road to an API server: what a client asks takes a while to arrive, so that others come in between."""

import contextlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.kube_server import KubeServer

_CHUNK = 1 << 16


class LongRoad:
    """Passes connections on, unread; ``kubeconfig`` leads over it."""

    def __init__(self, server: KubeServer, directory: Path, seconds: float) -> None:
        self._there = ("127.0.0.1", urlsplit(server.url).port or 0)
        self._seconds = seconds
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open = [self._door]
        content = json.loads(server.kubeconfig.read_text())
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._door.getsockname()[1]}"
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(content))

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the door is closed
            while True:
                here, _ = self._door.accept()
                there = socket.create_connection(self._there)
                self._open += [here, there]
                threading.Thread(target=self._carry, args=(here, there, self._seconds), daemon=True).start()
                threading.Thread(target=self._carry, args=(there, here, 0.0), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, seconds: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                time.sleep(seconds)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
