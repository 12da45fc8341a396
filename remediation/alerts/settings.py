"""Channels in the configuration: `page.channels`, by names of the user's own.

Secrets (keys, and URLs that hold one) are never in the configuration: files hold them, one line each. A relative
name is looked for in systemd's `$CREDENTIALS_DIRECTORY` (`LoadCredential=`), else in the current directory.
"""

from typing import Annotated, get_args

from msgspec import Meta, Struct

File = Annotated[str, Meta(min_length=1, max_length=1000)]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s@]+$", max_length=1000)]
"""Without a user or a password."""


class PagerDuty(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pagerduty"):
    """PagerDuty, Events API v2."""

    key_file: Annotated[File, Meta(description="file with the integration's routing key")]
    url: Annotated[Url, Meta(description="of the Events API; the EU has another")] = "https://events.pagerduty.com"


class Alertmanager(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="alertmanager"):
    """Prometheus Alertmanager, API v2."""

    urls: Annotated[list[Url], Meta(min_length=1, max_length=10, description="of each member of the cluster")]
    password_file: Annotated[File | None, Meta(description="file with USER:PASSWORD for HTTP; null: none")] = None
    labels: Annotated[dict[str, str], Meta(description="more labels, the same for all pages")] = {}
    repeat: Annotated[float, Meta(ge=5, le=3600, description="seconds between repeats of what stands")] = 60.0
    forget: Annotated[
        float,
        Meta(ge=300, le=604800, description="seconds after which a page ends there if guard page is gone"),
    ] = 14400.0


class Slack(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="slack"):
    """Slack, an incoming webhook."""

    url_file: Annotated[File, Meta(description="file with the webhook's URL, which is a secret")]
    updates: Annotated[bool, Meta(description="whether updates are told, or trigger and resolve alone")] = True


class Webhook(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="webhook"):
    """A program of yours: the notice as JSON, signed as standardwebhooks.com says."""

    url: Annotated[Url | None, Meta(description="where to; null: url_file says")] = None
    url_file: Annotated[File | None, Meta(description="file with the URL, where that is a secret")] = None
    secret_file: Annotated[File, Meta(description="file with the key of the signature: whsec_ and base64")]
    updates: Annotated[bool, Meta(description="whether updates are told, or trigger and resolve alone")] = True

    def __post_init__(self) -> None:
        """Refuse two places, or none."""
        if (self.url is None) == (self.url_file is None):
            raise ValueError("expected one of url and url_file")


ChannelChoice = PagerDuty | Alertmanager | Slack | Webhook
KINDS = tuple(str(choice.__struct_config__.tag) for choice in get_args(ChannelChoice))
