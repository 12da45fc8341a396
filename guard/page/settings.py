"""The section ``page`` of the configuration: channels, and who is told of what."""

from typing import Annotated

from msgspec import Meta, Struct

from remediation.alerts.settings import ChannelChoice, File, Url
from remediation.paging.policy import Name, Paging

Address = Annotated[str, Meta(pattern=r"^\S+:\d{1,5}$")]


class Heartbeat(Struct, frozen=True, forbid_unknown_fields=True):
    """A request now and then while guard sees; whoever misses it (a dead man's switch) wakes somebody."""

    url_file: Annotated[File | None, Meta(description="file with the URL, where that is a secret")] = None
    url: Annotated[Url | None, Meta(description="the URL, where it is none")] = None
    every: Annotated[float, Meta(ge=5, le=3600, description="seconds between two")] = 60.0

    def __post_init__(self) -> None:
        """Refuse two places."""
        if self.url is not None and self.url_file is not None:
            raise ValueError("expected one of url and url_file")


class Page(Struct, frozen=True, forbid_unknown_fields=True):
    """`guard page`."""

    channels: Annotated[
        dict[Name, ChannelChoice],
        Meta(description="by a name of yours; kind: pagerduty, alertmanager, slack or webhook, and what it needs"),
    ] = {}
    policy: Paging = Paging()
    outbox: Annotated[
        str, Meta(min_length=1, max_length=1000, description="file for what is still to be sent")
    ] = "/var/lib/guard/page.sqlite"
    heartbeat: Heartbeat = Heartbeat()
    metrics: Annotated[Address | None, Meta(description="HOST:PORT for Prometheus; null: none")] = "127.0.0.1:9467"

    def __post_init__(self) -> None:
        """Refuse a route to a channel that is not there."""
        for route in self.policy.routes:
            for name in route.channels:
                if name not in self.channels:
                    raise ValueError(
                        f"policy.routes names the channel {name!r}, expected one of {sorted(self.channels)}"
                    )
