"""Prometheus Alertmanager, API v2, every member of its cluster.

The labels of an alert are its identity, so nothing that may change is one: a page's job does when its node gets
another, with it the team, and its instance may become known later. A page that stands is told again and again; one
that is over is told with its end.
"""

import base64
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import msgspec

from remediation.alerts.answer import Answer, iso, place
from remediation.alerts.credentials import Secret
from remediation.alerts.http import Sender, checked
from remediation.alerts.notice import Kind, Notice
from remediation.alerts.protocol import ChannelError, RefusedError, SetupError, UnavailableError
from remediation.alerts.settings import Alertmanager

_PATH = "/api/v2/alerts"
_REFUSALS = frozenset({400, 413, 422})
"""The alert is wrong. A password or a path (401, 403, 404) can be set right, and the alert must not be lost."""
_PATIENCE = 2.0
"""Seconds that the other members get once one has taken the alert: the next repeat reaches them."""
_SKEW = 60.0
"""Seconds by which an Alertmanager's clock may be behind ours.

An end that is in the future there is no end: it keeps the later one that it was told before.
"""
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_DESCRIPTION = 100_000


class AlertmanagerChannel:
    """Implements `remediation.alerts.protocol.Channel`. Taken is what one member took."""

    interval = 0.0
    wants_updates = True

    def __init__(
        self,
        name: str,
        choice: Alertmanager,
        environment: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """See `remediation.alerts.opening`; `clock` gives Unix seconds.

        Raises:
            SetupError: no file with a password, or a label that none can have.
        """
        for label in choice.labels:
            if not _LABEL.fullmatch(label):
                raise SetupError(f"page.channels.{name}.labels: {label!r} is no name of a label: {_LABEL.pattern}")
        self._choice, self._clock = choice, clock
        self._password = Secret(choice.password_file, environment) if choice.password_file else None
        self._members = [_Member(name, url) for url in choice.urls]

    @property
    def repeat(self) -> float | None:
        """As the configuration says."""
        return self._choice.repeat

    def send(self, notice: Notice, timeout: float) -> None:
        """See the protocol. A member that hangs does not hold the others up."""
        entry = alert(notice, self._choice, self._clock())
        body = msgspec.json.encode([entry])
        headers, secrets = self._authorization()
        end = _end(notice) if notice.kind is Kind.RESOLVE else None
        results: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        for member in self._members:
            member.start(partial(member.tell, body, headers, secrets, end, timeout), results)
        _judge(results, len(self._members), timeout)

    def close(self) -> None:
        """See the protocol."""
        for member in self._members:
            member.close()

    def _authorization(self) -> tuple[dict[str, str], tuple[str, ...]]:
        if self._password is None:
            return {}, ()
        pair = self._password.read()
        coded = base64.b64encode(pair.encode()).decode()
        return {"Authorization": f"Basic {coded}"}, (pair, coded, pair.partition(":")[2] or pair)


class _Member:
    """One Alertmanager, asked from a thread of its own."""

    def __init__(self, name: str, url: str) -> None:
        self._url = checked(url.rstrip("/") + _PATH, f"page.channels.{name}.urls", plain=True)
        self._who = f"Alertmanager {name} ({place(url)})"
        self._sender = Sender(self._who)

    def start(self, what: Callable[[], None], results: "queue.SimpleQueue[Exception | None]") -> None:
        """Ask. Where the last request still hangs, that is an error at once: nothing piles up."""
        # A daemon: whoever stops guard does not wait for what hangs.
        threading.Thread(target=self._run, args=(what, results), name="guard-alertmanager", daemon=True).start()

    def tell(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: tuple[str, ...],
        end: float | None,
        timeout: float,
    ) -> None:
        """Post one alert."""
        answer = self._sender.post(self._url, body, headers, timeout, secrets=secrets, refusals=_REFUSALS)
        if answer.body.strip():
            raise UnavailableError(f"{self._who}: it answered something else than Alertmanager does")
        behind = 0.0 if end is None else _behind(answer, end)
        if behind > 0:
            raise UnavailableError(f"{self._who}: its clock is behind ours by more than {_SKEW:.0f} s", behind + 1)

    def close(self) -> None:
        """Give back what the client holds."""
        self._sender.close()

    def _run(self, what: Callable[[], None], results: "queue.SimpleQueue[Exception | None]") -> None:
        outcome: Exception | None = None
        try:
            what()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            outcome = error
        results.put(outcome)


def alert(notice: Notice, choice: Alertmanager, now: float) -> dict[str, Any]:
    """One alert as the API has it; `now` in Unix seconds."""
    labels = {
        **choice.labels,
        "alertname": f"Guard{notice.about.value.capitalize()}",
        "cluster": notice.cluster,
        "node": notice.node,
        "page": notice.page,
        "severity": notice.first_severity.value,
    }
    annotations = {
        "summary": notice.summary,
        "description": "\n".join(f"{detail.name}: {detail.text}" for detail in notice.details)[:_DESCRIPTION],
        "severity": notice.severity.value,
        "instance": notice.instance,
        "job": notice.job,
        "team": notice.team,
        "approve": notice.approve,
        "look": notice.look,
        "runbook": f"guard runbook {notice.runbook}",
        "runbook_url": notice.runbook_url,
        "incident": notice.incident,
        "acknowledged": "yes" if notice.kind is Kind.ACKNOWLEDGE else None,
    }
    over = notice.kind is Kind.RESOLVE
    end = _end(notice) if over else max(now, notice.since) + choice.forget
    # One that is over before it began would be refused.
    start = min(notice.since, end - 0.001) if over else notice.since
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": iso(start),
        "endsAt": iso(end),
        **({"generatorURL": notice.runbook_url} if notice.runbook_url else {}),
    }


def _end(notice: Notice) -> float:
    """When a page ended: a little early, so that it is over by the clock of the receiver, too."""
    return notice.time - _SKEW


def _behind(answer: Answer, end: float) -> float:
    """Seconds until the end is over there, by the receiver's own clock, which it tells to the second."""
    try:
        return end - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return 0.0


def _judge(results: "queue.SimpleQueue[Exception | None]", count: int, timeout: float) -> None:
    """Wait until one has taken it, and a little for the others.

    Raises:
        ChannelError: none did.
    """
    end = time.monotonic() + timeout + 1
    taken = False
    errors: list[ChannelError] = []
    for _ in range(count):
        try:
            error = results.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        if error is None:
            end = end if taken else min(end, time.monotonic() + _PATIENCE)
            taken = True
        elif isinstance(error, ChannelError):
            errors.append(error)
        else:
            raise error
    if not taken:
        raise _worst(errors)


def _worst(errors: list[ChannelError]) -> ChannelError:
    """Refused if all refuse; else again when the first may take it."""
    text = "; ".join(sorted(str(error) for error in errors)) or "no Alertmanager answered in time"
    if errors and all(isinstance(error, RefusedError) for error in errors):
        return RefusedError(text)
    waits = [error.retry_after for error in errors if isinstance(error, UnavailableError)]
    known = [seconds for seconds in waits if seconds is not None]
    return UnavailableError(text, min(known) if known and len(known) == len(waits) else None)
