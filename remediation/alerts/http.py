"""Requests to receivers: one deadline, no redirects, bounded answers, and no word of what is secret.

TLS is verified. The environment's proxies and certificates (``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE``) are
used where they are set. A connection is not kept: pages are rare, and one that died meanwhile would cost a repeat.
"""

import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import httpx

from remediation.alerts.answer import REFUSALS, Answer, check, trouble, whole
from remediation.alerts.attempt import Attempt
from remediation.alerts.protocol import ChannelError, RefusedError, SetupError, UnavailableError

_CHATTY = ("httpx", "httpcore", "httpx2", "httpcore2", "pagerduty")
"""Loggers of libraries that write URLs and headers, which hold keys."""


_PORTS = 65535


def _agent() -> str:
    try:
        return f"guard/{version('trn-guard')}"
    except PackageNotFoundError:
        return "guard"


AGENT = _agent()


def hush() -> None:
    """Let the libraries for HTTP log nothing, whatever level is asked for: errors say what there is to say."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def named(who: str, error: ChannelError) -> ChannelError:
    """The same error, saying whose it is."""
    text = f"{who}: {error}"
    if isinstance(error, UnavailableError):
        return UnavailableError(text, error.retry_after)
    return RefusedError(text)


def checked(url: str, what: str, *, plain: bool = False) -> str:
    """A URL that can be asked, and that keeps what is secret in it.

    Args:
        url: maybe a secret itself.
        what: to name it by.
        plain: whether it may go without TLS to another machine.

    Raises:
        SetupError: it is none, or is of plain HTTP to another machine.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise SetupError(f"{what}: expected a URL") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or (parsed.port or 1) > _PORTS:
        raise SetupError(f"{what}: expected a URL, https://HOST/…, without a user or a password")
    if not plain and parsed.scheme == "http" and parsed.host not in ("127.0.0.1", "::1", "localhost"):
        raise SetupError(f"{what}: expected https://: over http:// others may read the secret on its way")
    return url


class Sender:
    """Posts to one receiver."""

    def __init__(self, who: str) -> None:
        """`who`: the receiver in texts of errors."""
        hush()
        self._who = who
        self._client = httpx.Client(
            headers={"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"},
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
        )
        self._attempt: Attempt[Answer] | None = None

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float,
        *,
        secrets: tuple[str, ...] = (),
        refusals: frozenset[int] = REFUSALS,
    ) -> Answer:
        """Post, and return the answer if it is a success.

        Args:
            url: where to.
            body: JSON, or nothing.
            headers: more of them.
            timeout: seconds for all of it.
            secrets: what must not be said.
            refusals: statuses that mean: never again.

        Raises:
            RefusedError: the receiver refused.
            UnavailableError: it did not answer in time, or not with a success.
        """
        try:
            if self._attempt is not None and self._attempt.running:
                raise UnavailableError("the last request to it has not ended yet")
            attempt = self._attempt = Attempt(lambda one: self._ask(one, url, body, headers, timeout))
            answer = attempt.result(timeout)
            check(answer, secrets, refusals)
        except ChannelError as error:
            raise named(self._who, error) from None
        return answer

    def _ask(
        self, attempt: Attempt[Answer], url: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        try:
            with self._client.stream(
                "POST",
                url,
                content=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=timeout,
                extensions={"trace": attempt.trace},
            ) as response:
                return whole(response.status_code, response.headers, response.iter_raw())
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise UnavailableError(trouble(error)) from None

    def close(self) -> None:
        """Give back what the client holds."""
        self._client.close()
