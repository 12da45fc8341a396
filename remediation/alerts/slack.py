"""Slack, an incoming webhook. A message cannot be changed later: each notice is one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from detectors.plain import harmless
from detectors.verdict import Severity
from remediation.alerts.answer import hidden, words
from remediation.alerts.credentials import Secret
from remediation.alerts.http import Sender, checked
from remediation.alerts.notice import Kind, Notice
from remediation.alerts.protocol import SetupError, UnavailableError
from remediation.alerts.settings import Slack

_HEADER = 150
_TEXT = 3000
_BLOCKS = 50
"""The limits that Slack documents: characters of a header and of a text, blocks of a message."""
_SECTIONS = _BLOCKS - 3
"""Beside the header, the commands and the last line."""
_DETAIL = 500
"""Characters of one detail: enough for a phone, and below the limit when each is escaped."""
_MARKS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
_RESOLVED = "🟢"
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "ˋ"})  # noqa: RUF001 - looks alike
_LOOK_ALIKE = str.maketrans({"*": "∗", "~": "∼", "@": "＠"})  # noqa: RUF001 - as above
_EDGE = re.compile(r"(?<!\w)_+|_+(?!\w)|(?<=_)_+")


class SlackChannel:
    """Implements `remediation.alerts.protocol.Channel`."""

    interval = 1.0
    repeat = None

    def __init__(self, name: str, choice: Slack, environment: Mapping[str, str]) -> None:
        """See `remediation.alerts.opening`.

        Raises:
            SetupError: no file with a URL.
        """
        self._url = Secret(choice.url_file, environment)
        self._updates = choice.updates
        checked(self._url.read(), str(self._url.path))
        self._sender = Sender(f"Slack {name}")

    @property
    def wants_updates(self) -> bool:
        """As the configuration says."""
        return self._updates

    def send(self, notice: Notice, timeout: float) -> None:
        """See the protocol."""
        try:
            url = checked(self._url.read(), str(self._url.path))
        except SetupError as error:
            raise UnavailableError(str(error)) from None
        body = msgspec.json.encode(message(notice))
        secrets = hidden(url)
        answer = self._sender.post(url, body, {}, timeout, secrets=secrets)
        if answer.body.strip() != b"ok":
            raise UnavailableError(f"Slack: it answered something else than ok: {words(answer.body, secrets)}")

    def close(self) -> None:
        """See the protocol."""
        self._sender.close()


def message(notice: Notice) -> dict[str, Any]:
    """The message: nothing in it is a mention, and nothing from outside a link or a format."""
    header = _header(notice)
    lines = [f"*{inert(_title(detail.name))}*: {inert(_short(detail.text))}" for detail in notice.details]
    commands = [
        f"*{name}*: `{harmless(_short(command)).translate(_ESCAPED)}`"
        for name, command in (("Approve", notice.approve), ("Look", notice.look))
        if command
    ]
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}},
        *(_section(text) for text in _texts(lines)),
        *([_section("\n".join(commands))] if commands else []),
        {"type": "context", "elements": [_mrkdwn(_last(notice))]},
    ]
    return {"text": inert(header), "blocks": blocks}


def inert(text: str) -> str:
    """Text from outside for Slack's markup: what would format, link or mention is replaced by what looks alike."""
    plain = harmless(" ".join(text.split())).translate(_ESCAPED).translate(_LOOK_ALIKE)
    return _EDGE.sub(lambda found: "ˍ" * len(found[0]), plain).replace("://", "∶//")  # noqa: RUF001


def _title(name: str) -> str:
    return name[:1].upper() + name[1:_DETAIL]


def _header(notice: Notice) -> str:
    state = {
        Kind.TRIGGER: notice.severity.value.capitalize(),
        Kind.UPDATE: f"Update, {notice.severity.value}",
        Kind.ACKNOWLEDGE: "Acknowledged",
        Kind.RESOLVE: "Resolved",
    }[notice.kind]
    mark = _RESOLVED if notice.kind is Kind.RESOLVE else _MARKS[notice.severity]
    text = f"{mark} {state}: {harmless(' '.join(notice.summary.split()))}"
    return text if len(text) <= _HEADER else f"{text[: _HEADER - 1]}…"


def _last(notice: Notice) -> str:
    where = f"guard on {inert(notice.cluster[:_DETAIL])}, page {inert(notice.page)}"
    if notice.runbook_url and notice.runbook_url.startswith(("https://", "http://")):
        url = harmless(notice.runbook_url[:1000]).replace("|", "%7C").translate(_ESCAPED)
        return f"{where}, <{url}|runbook {inert(notice.runbook)}>"
    return f"{where}, `guard runbook {harmless(notice.runbook).translate(_ESCAPED)}`"


def _texts(lines: list[str]) -> Iterator[str]:
    """Lines in as few texts as the limit allows; what is beyond the last is counted."""
    texts: list[str] = []
    for number, line in enumerate(lines):
        if texts and len(texts[-1]) + len(line) < _TEXT:
            texts[-1] += f"\n{line}"
        elif len(texts) < _SECTIONS - 1:
            texts.append(line[:_TEXT])
        else:
            texts.append(f"… and {len(lines) - number} more lines")
            break
    yield from texts


def _short(text: str) -> str:
    return text if len(text) <= _DETAIL else f"{text[:_DETAIL]}…"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: Slack looks for no links, channels or people in it by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}
