"""A sign of life to a dead man's switch."""

from remediation.alerts.http import Sender


def beat(url: str, timeout: float) -> None:
    """Post nothing, once.

    Args:
        url: where to; it is not told in errors.
        timeout: seconds for all of it.

    Raises:
        RefusedError: the receiver knows no such switch.
        UnavailableError: it did not answer in time, or not with a success.
    """
    sender = Sender("the heartbeat")
    try:
        sender.post(url, b"", {}, timeout, secrets=(url,))
    finally:
        sender.close()
