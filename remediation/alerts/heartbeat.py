"""A sign of life to a dead man's switch."""

from remediation.alerts.answer import hidden
from remediation.alerts.http import Sender, checked


def beat(url: str, timeout: float) -> None:
    """Post nothing, once.

    Args:
        url: where to; it is not told in errors.
        timeout: seconds for all of it.

    Raises:
        RefusedError: the receiver knows no such switch.
        SetupError: it is no URL.
        UnavailableError: it did not answer in time, or not with a success.
    """
    sender = Sender("the heartbeat")
    try:
        sender.post(checked(url, "the heartbeat's URL", plain=True), b"", {}, timeout, secrets=hidden(url))
    finally:
        sender.close()
