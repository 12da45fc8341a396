"""What the receivers of pages document, as types: an unknown field is as wrong as a missing one."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from remediation.alerts.notice import Notice

LARGEST_EVENT = 512_000
"""Bytes, as PagerDuty documents it."""
_TOLERANCE = 300
"""Seconds between the stamp of a signed message and now, as the libraries of Standard Webhooks have it."""

Http = Annotated[str, Meta(pattern=r"^https?://[^\s<>]+$")]


class WrongError(Exception):
    """A request that the receiver refuses: status and what it says."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


# PagerDuty: developer documentation of the Events API v2, "Send an event".


class Link(Struct, forbid_unknown_fields=True):
    href: Http
    text: str | None = None


class Payload(Struct, forbid_unknown_fields=True, rename={"class_": "class"}):
    summary: Annotated[str, Meta(min_length=1, max_length=1024)]
    source: Annotated[str, Meta(min_length=1)]
    severity: Literal["critical", "error", "warning", "info"]
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    component: str | None = None
    group: str | None = None
    class_: str | None = None
    custom_details: dict[str, Any] | None = None


class Event(Struct, forbid_unknown_fields=True):
    routing_key: Annotated[str, Meta(pattern="^[a-zA-Z0-9]{32}$")]
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    payload: Payload | None = None
    links: list[Link] = []
    client: str | None = None
    client_url: Http | None = None


def pagerduty(body: bytes, key: str) -> Event:
    if len(body) > LARGEST_EVENT:
        raise WrongError(413, "Event is too large")
    event = _decoded(body, Event)
    if event.routing_key != key:
        raise WrongError(400, "Invalid routing key")
    if event.event_action == "trigger" and event.payload is None:
        raise WrongError(400, "payload is missing")
    if event.event_action != "trigger" and event.dedup_key is None:
        raise WrongError(400, "dedup_key is missing")
    return event


# Slack: its documentation of incoming webhooks and of Block Kit.


class PlainText(Struct, forbid_unknown_fields=True, tag_field="type", tag="plain_text"):
    text: Annotated[str, Meta(min_length=1, max_length=3000)]
    emoji: bool = True


class Mrkdwn(Struct, forbid_unknown_fields=True, tag_field="type", tag="mrkdwn"):
    text: Annotated[str, Meta(min_length=1, max_length=3000)]
    verbatim: bool = False


class Header(Struct, forbid_unknown_fields=True, tag_field="type", tag="header"):
    text: PlainText

    def __post_init__(self) -> None:
        if len(self.text.text) > 150:
            raise ValueError("must be less than 151 characters")


class Section(Struct, forbid_unknown_fields=True, tag_field="type", tag="section"):
    text: PlainText | Mrkdwn


class Context(Struct, forbid_unknown_fields=True, tag_field="type", tag="context"):
    elements: Annotated[list[PlainText | Mrkdwn], Meta(min_length=1, max_length=10)]


class Message(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=40_000)]
    blocks: Annotated[list[Header | Section | Context], Meta(max_length=50)] = []

    def markup(self) -> list[str]:
        """Every text that Slack reads as markup."""
        sections = [block.text for block in self.blocks if isinstance(block, Section)]
        elements = [element for block in self.blocks if isinstance(block, Context) for element in block.elements]
        return [self.text, *(part.text for part in (*sections, *elements) if isinstance(part, Mrkdwn))]


def slack(body: bytes) -> Message:
    return _decoded(body, Message)


def special(text: str) -> list[str]:
    """What Slack would act on in markup: all between < and >, that is mentions and links."""
    return re.findall(r"<[^>]*>?", text)


# Standard Webhooks, version 1.


def webhook(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Notice:
    message, stamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not message or "." in message or not stamp.isdigit():
        raise WrongError(400, "webhook-id or webhook-timestamp is missing or wrong")
    if abs(now - int(stamp)) > _TOLERANCE:
        raise WrongError(400, "webhook-timestamp is too old or too new")
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = b".".join((message.encode(), stamp.encode(), body))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(expected, one) for one in given.split(" ")):
        raise WrongError(401, "webhook-signature is wrong")
    notice = _decoded(body, Notice)
    if message != notice.id:
        raise WrongError(400, "webhook-id is not the notice's")
    if msgspec.json.encode(notice) != body:
        raise WrongError(400, "unknown fields")
    return notice


# Alertmanager: its OpenAPI document, `postableAlerts`.


class Alert(Struct, forbid_unknown_fields=True):
    labels: dict[Annotated[str, Meta(pattern="^[a-zA-Z_][a-zA-Z0-9_]*$")], Annotated[str, Meta(min_length=1)]]
    startsAt: Annotated[datetime, Meta(tz=True)]  # noqa: N815
    annotations: dict[str, str] = {}
    endsAt: Annotated[datetime, Meta(tz=True)] | None = None  # noqa: N815
    generatorURL: Http | None = None  # noqa: N815


def alertmanager(body: bytes) -> Alert:
    alerts = _decoded(body, Annotated[list[Alert], Meta(min_length=1, max_length=1)])
    alert: Alert = alerts[0]
    if alert.endsAt is not None and alert.endsAt < alert.startsAt:
        raise WrongError(400, "start time must be before end time")
    return alert


def _decoded(body: bytes, wanted: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.MsgspecError as error:
        raise WrongError(400, str(error)) from None
