"""PagerDuty, Events API v2, by the official client.

The client would try again by itself, for minutes and without end where it is told to slow down. Here it asks once,
within one deadline, and every refusal is an error at once.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import pagerduty
from pagerduty.events_api_v2_client import RoutingKeyAuthMethod

from remediation.alerts.answer import check, iso, place, trouble, whole
from remediation.alerts.attempt import Attempt
from remediation.alerts.credentials import Secret
from remediation.alerts.http import AGENT, checked, hush, named
from remediation.alerts.notice import Kind, Notice
from remediation.alerts.protocol import ChannelError, UnavailableError
from remediation.alerts.settings import PagerDuty

_SUMMARY = 1024
_DETAIL = 20_000
_DETAILS = 400_000
"""Bytes of all details, where the receiver allows 512,000 for the whole event."""


class PagerDutyChannel:
    """Implements `remediation.alerts.protocol.Channel`. An update is a trigger with the key of its page."""

    interval = 0.0
    repeat = None
    wants_updates = True

    def __init__(self, name: str, choice: PagerDuty, environment: Mapping[str, str]) -> None:
        """See `remediation.alerts.opening`.

        Raises:
            SetupError: no file with a key, or a URL that would tell it to others.
        """
        hush()
        self._who = f"PagerDuty {name} ({place(choice.url)})"
        self._key = Secret(choice.key_file, environment)
        self._client = _Events(checked(choice.url, f"page.channels.{name}.url").rstrip("/"), self._key.read())
        self._attempt: Attempt[str] | None = None

    def send(self, notice: Notice, timeout: float) -> None:
        """See the protocol."""
        try:
            if self._attempt is not None and self._attempt.running:
                raise UnavailableError("the last request to it has not ended yet")
            self._client.prepare(self._key.read(), timeout)
            action, properties = event(notice)
            self._attempt = Attempt(lambda attempt: self._client.ask(attempt, action, notice.page, properties))
            answered = self._attempt.result(timeout)
            if answered != notice.page:
                raise UnavailableError("it answered for another key: is this PagerDuty?")
        except ChannelError as error:
            raise named(self._who, error) from None

    def close(self) -> None:
        """See the protocol."""
        self._client.close()


class _Events(pagerduty.EventsApiV2Client):
    """The official client, asking once."""

    max_network_attempts = 0

    def __init__(self, url: str, key: str) -> None:
        self._trace: Any = None
        self._secret = key
        self._base = url
        super().__init__(key, base_url=url)
        # It keeps connections, and one that died meanwhile would cost a repeat.
        self.headers["Connection"] = "close"

    @property
    def url(self) -> str:
        """Where to. The client's own insists on TLS; what goes without is checked before."""
        return self._base

    @url.setter
    def url(self, url: str) -> None:
        self._base = url

    @property
    def user_agent(self) -> str:
        """Ours."""
        return AGENT

    def prepare(self, key: str, timeout: float) -> None:
        """Use this key, and this many seconds for each step at most."""
        self._secret = key
        self.auth_method = RoutingKeyAuthMethod(key)  # type: ignore[no-untyped-call]
        self.timeout = math.ceil(timeout)

    def ask(self, attempt: Attempt[str], action: str, key: str, properties: dict[str, Any]) -> str:
        """Send one event; the key that the answer names.

        Raises:
            ChannelError: it was not taken.
        """
        self._trace = attempt.trace
        try:
            return self.send_event(action, dedup_key=key, **properties)
        except pagerduty.ServerHttpError:
            raise UnavailableError("it answered something else than PagerDuty does") from None
        except (pagerduty.Error, OSError, ValueError) as error:
            raise UnavailableError(trouble(error.__cause__ or error)) from None

    def send(self, request: Any, **options: Any) -> Any:
        """Send a request of the client: cut off when its time is over, read with a bound, and judged here."""
        request.extensions["trace"] = self._trace
        request.headers["Accept-Encoding"] = "identity"
        response = super().send(request, **{**options, "stream": True, "follow_redirects": False})
        try:
            answer = whole(response.status_code, response.headers, response.iter_raw())
        finally:
            response.close()
        check(answer, (self._secret,))
        return type(response)(answer.status, content=answer.body, request=request)


def event(notice: Notice) -> tuple[str, dict[str, Any]]:
    """The action of an event, and what else is in it beside the keys."""
    match notice.kind:
        case Kind.ACKNOWLEDGE:
            return "acknowledge", {}
        case Kind.RESOLVE:
            return "resolve", {}
    payload = {
        "summary": notice.summary[:_SUMMARY],
        # A page about guard itself, that it is blind say, is of no cluster; and a source must be named.
        "source": notice.instance or notice.node or notice.job or notice.cluster or "guard",
        "severity": notice.severity.value,
        "timestamp": iso(notice.time),
        "component": notice.node or notice.job or notice.cluster or "guard",
        "group": notice.cluster,
        "class": notice.about.value,
        "custom_details": _details(notice),
    }
    links = [{"href": notice.runbook_url, "text": f"Runbook: {notice.runbook}"}] if notice.runbook_url else []
    return "trigger", {"payload": payload, **({"links": links} if links else {})}


def _details(notice: Notice) -> dict[str, str]:
    told: dict[str, str] = {}
    commands = (("approve", notice.approve), ("look", notice.look), ("runbook", f"guard runbook {notice.runbook}"))
    left = _DETAILS
    for name, text in (
        *((name, text) for name, text in commands if text),
        *((detail.name, detail.text) for detail in notice.details),
    ):
        fitting = _fitting(text, min(left, _DETAIL))
        left -= len(json.dumps(fitting)) + len(json.dumps(name)) + 2
        if left < 0:
            break
        told[name] = f"{told[name]}\n{fitting}" if name in told else fitting
    return told


def _fitting(text: str, most: int) -> str:
    # A character takes at most 12 bytes in JSON: an escaped pair of surrogates.
    return text if len(json.dumps(text)) <= most else text[: max(0, most // 12 - 1)] + "…"
