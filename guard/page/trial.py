"""``guard page test``: a page without trouble, to each channel: its trigger, then its resolve."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from msgspec import Struct

from detectors.verdict import Severity, identify
from guard.page.senders import WITHIN
from remediation.alerts.notice import About, Detail, Kind, Notice
from remediation.alerts.protocol import Channel, ChannelError
from remediation.alerts.settings import ChannelChoice

_AT_ONCE = 8


class Outcome(Struct, frozen=True, omit_defaults=True):
    """How a channel took the page: seconds for both notices together, or why it did not."""

    channel: str
    kind: str
    taken: bool
    seconds: float
    error: str = ""


def tried(
    channels: Mapping[str, ChannelChoice],
    opener: Callable[[str, ChannelChoice], Channel],
    *,
    cluster: str,
    sender: str,
    runbooks: str | None,
) -> Iterator[Outcome]:
    """Try each, some at a time; in their order.

    Args:
        channels: which.
        opener: opens one.
        cluster: the page names it.
        sender: host or person that tries.
        runbooks: where they are published.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(
            lambda one: _try(one[0], one[1], opener, test_page(cluster, sender, one[0], runbooks, time.time())),
            channels.items(),
        )


def test_page(cluster: str, sender: str, channel: str, runbooks: str | None, now: float) -> tuple[Notice, Notice]:
    """The trigger and the resolve; ``now`` in Unix seconds."""
    page = f"guard-test-{identify('test', cluster, sender, channel, now)}"

    def notice(number: int, kind: Kind, summary: str) -> Notice:
        return Notice(
            id=identify(page, number),
            page=page,
            number=number,
            kind=kind,
            about=About.TEST,
            cluster=cluster,
            severity=Severity.INFO,
            first_severity=Severity.INFO,
            time=now,
            since=now,
            summary=summary,
            details=(Detail("sent by", f"guard page test on {sender}"),),
            look="guard page list",
            runbook=About.TEST.value,
            runbook_url=None if runbooks is None else f"{runbooks.rstrip('/')}/{About.TEST.value}.md",
        )

    return (
        notice(1, Kind.TRIGGER, f"Test of channel {channel}: nothing is wrong"),
        notice(2, Kind.RESOLVE, f"Test of channel {channel} is over: nothing was wrong"),
    )


def _try(
    name: str,
    choice: ChannelChoice,
    opener: Callable[[str, ChannelChoice], Channel],
    notices: tuple[Notice, Notice],
) -> Outcome:
    began = time.monotonic()
    error = ""
    try:
        with closing(opener(name, choice)) as channel:
            for notice in notices:
                channel.send(notice, WITHIN)
                time.sleep(channel.interval)
    except ChannelError as failed:
        error = str(failed)
    except Exception as failed:  # noqa: BLE001  (a library's mistake; its text might hold an address)
        error = f"{type(failed).__name__} in sending"
    kind = str(choice.__struct_config__.tag)
    return Outcome(name, kind, not error, time.monotonic() - began, error)
