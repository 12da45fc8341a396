"""What systemd wants to hear of a service of ``Type=notify`` (sd_notify(3)): a datagram, or nothing without it."""

import os
import socket


class Notifier:
    """Speaks to the socket of ``NOTIFY_SOCKET``. Without systemd every call does nothing."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]

    def ready(self) -> None:
        """The service is up."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """A line for ``systemctl status``."""
        self._send(f"STATUS={' '.join(text.split())}")

    def watchdog(self) -> None:
        """The main loop made real progress."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as speaker:
                speaker.sendto(message.encode(), self._address)
        except OSError:
            return  # systemd judges by silence; there is nobody else to tell
