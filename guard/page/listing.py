"""``guard page list``: what is open, who was told, and what waits, from the outbox alone."""

from dataclasses import dataclass

from msgspec import Struct

from guard.page.outbox import Contents, Waiting
from guard.page.outbox_file import OutboxError
from remediation.alerts.notice import Kind, Notice
from remediation.paging import pager
from remediation.paging.policy import Paging


class Heard(Struct, frozen=True):
    """What a channel was told last of a page, and when, Unix seconds."""

    channel: str
    kind: Kind
    number: int
    time: float


class Letter(Struct, frozen=True, omit_defaults=True):
    """What waits for a channel, or was refused by it (when, Unix seconds)."""

    channel: str
    page: str
    kind: Kind
    number: int
    since: float
    tries: int
    error: str = ""
    refused: float | None = None


class Open(Struct, frozen=True):
    """An open page as it stands."""

    notice: Notice
    told: tuple[Heard, ...]
    waits: tuple[Letter, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Open pages, the oldest first; all that waits, those of pages that are over too; and what was refused."""

    pages: tuple[Open, ...]
    waiting: tuple[Letter, ...]
    refused: tuple[Letter, ...]


def listing(held: Contents, policy: Paging, now: float) -> Listing:
    """Put together what an outbox holds.

    Raises:
        OutboxError: its state is of another version.
    """
    try:
        notices = () if held.state is None else pager.standing(pager.decode(held.state), policy, now)
    except pager.StateError as error:
        raise OutboxError(f"the outbox is of another version of guard than this command: {error}") from error
    letters = [_letter(one) for one in held.letters]
    waiting = tuple(one for one in letters if one.refused is None)
    pages = tuple(
        Open(
            notice,
            tuple(
                Heard(one.channel, one.notice.kind, one.notice.number, one.time)
                for one in held.told
                if one.notice.page == notice.page
            ),
            tuple(one for one in waiting if one.page == notice.page),
        )
        for notice in notices
    )
    return Listing(pages, waiting, tuple(one for one in letters if one.refused is not None))


def _letter(one: Waiting) -> Letter:
    notice = one.notice
    return Letter(
        one.channel, notice.page, notice.kind, notice.number, one.written, one.tries, one.error, one.refused
    )
