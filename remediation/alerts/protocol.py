"""What every channel can do, and how it says that it could not.

ChannelError
├── RefusedError      never again: the receiver says that the notice is wrong, or whose it is
├── UnavailableError  again later: away, hanging, too busy, or broken
└── SetupError        not before somebody sets it right: a library or a file is missing, or holds no secret
"""

from typing import Protocol

from remediation.alerts.notice import Notice


class ChannelError(Exception):
    """A notice was not taken. The text is printable, and holds no secret: no key, no URL with one."""


class RefusedError(ChannelError):
    """The receiver will never take it."""


class UnavailableError(ChannelError):
    """The receiver did not take it now.

    Attributes:
        retry_after: seconds that the receiver asks to wait; None: it did not say.
    """

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class SetupError(ChannelError):
    """A channel cannot be opened as it is configured. The text says what to do."""


class Channel(Protocol):
    """One way to people. One thread uses it; `send` is at least once, and the receiver's key makes it once."""

    @property
    def interval(self) -> float:
        """Seconds between two sends at least."""
        ...

    @property
    def repeat(self) -> float | None:
        """Seconds after which a page that stands must be told again, or the receiver forgets it; None: never."""
        ...

    @property
    def wants_updates(self) -> bool:
        """Whether updates between trigger and resolve are told."""
        ...

    def send(self, notice: Notice, timeout: float) -> None:
        """Tell. Ends within about ``timeout`` seconds, whatever the receiver does.

        Raises:
            RefusedError: it will never be taken.
            UnavailableError: it may be taken later.
        """
        ...

    def close(self) -> None:
        """Give back connections."""
        ...
