"""Talking to Kubernetes' API server: every request has a deadline, and every answer a size and a type."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from remediation.clusters.kubernetes_records import FIELD_MANAGER, Page
from remediation.clusters.protocol import (
    ClusterError,
    ClusterUnavailableError,
    GoneError,
    HeldBackError,
    RefusedError,
)

_PAGE = 500
"""Objects in one answer: about 10 KB each for nodes with their images, so some megabytes."""
_MOST_PAGES = 2000
_MOST_BYTES = 64 << 20
_CHUNK = 1 << 16
_MOST_TEXT = 300
_MERGE = "application/merge-patch+json"

Item = TypeVar("Item")


class ConflictError(ClusterError):
    """Somebody wrote to the object since it was read: read it again."""


class Deadline:
    """The moment until which a call may last."""

    def __init__(self, timeout: float) -> None:
        self._end = time.monotonic() + timeout

    def left(self) -> float:
        """Seconds left, above zero.

        Raises:
            ClusterUnavailableError: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise ClusterUnavailableError("Kubernetes' API server did not answer in time")
        return left

    def within(self, seconds: float) -> bool:
        """Whether no more than this is left."""
        return self._end - time.monotonic() <= seconds


class KubernetesApi:
    """Requests of the official client, with a deadline and with errors that say whose trouble it is."""

    def __init__(self, configuration: client.Configuration) -> None:
        # Whoever called tries again, with a look at the world before it. urllib3 would by itself, three times the
        # deadline, and follow redirects with our token.
        configuration.retries = False
        self._client = client.ApiClient(configuration)
        self.core = client.CoreV1Api(self._client)
        self.batch = client.BatchV1Api(self._client)
        self.custom = client.CustomObjectsApi(self._client)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()  # type: ignore[no-untyped-call]

    def all(
        self, method: Callable[..., Any], of: type[Item], deadline: Deadline, *names: str, **options: object
    ) -> list[Item]:
        """A whole list, page by page; each shows the moment at which the first was read."""
        found: list[Item] = []
        more = ""
        for _ in range(_MOST_PAGES):
            where = {**options, "limit": _PAGE, **({"_continue": more} if more else {})}
            page = self.one(method, Page[of], deadline, *names, **where)  # type: ignore[valid-type]
            found += page.items or []
            more = page.metadata.more
            if not more:
                return found
        raise ClusterUnavailableError(f"a list of Kubernetes does not end after {_MOST_PAGES * _PAGE} objects")

    def one(
        self, method: Callable[..., Any], of: type[Item], deadline: Deadline, *names: str, **options: object
    ) -> Item:
        """One answer.

        Raises:
            ClusterUnavailableError: there was none, or not of this type.
            GoneError, HeldBackError, RefusedError, ConflictError: the answer was a refusal.
        """
        body = self._ask(method, deadline, *names, **options)
        try:
            return msgspec.json.decode(body, type=of)
        except msgspec.DecodeError as error:
            raise ClusterUnavailableError(f"an answer of Kubernetes cannot be read: {error}") from error

    def change(
        self, method: Callable[..., Any], deadline: Deadline, *names: str, body: object, **options: object
    ) -> None:
        """Write. What comes back is not looked at: whoever wants to know how it is now, reads."""
        self._ask(method, deadline, *names, body=body, field_manager=FIELD_MANAGER, **options)

    def patch(
        self, method: Callable[..., Any], deadline: Deadline, *names: str, body: Mapping[str, object]
    ) -> None:
        """Merge `body` into an object. With a `resourceVersion` in it: only if nobody wrote in between."""
        self.change(method, deadline, *names, body=dict(body), _content_type=_MERGE)

    def delete(self, method: Callable[..., Any], deadline: Deadline, *names: str, body: object) -> None:
        """Delete an object."""
        self._ask(method, deadline, *names, body=body)

    def _ask(self, method: Callable[..., Any], deadline: Deadline, *names: str, **options: object) -> bytes:
        left = deadline.left()
        try:
            answer = method(*names, _preload_content=False, _request_timeout=(left, left), **options)
            return _read(answer, deadline)
        except ApiException as error:
            raise _meaning(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterUnavailableError(f"Kubernetes' API server: {str(error)[:_MOST_TEXT]}") from error


def _read(answer: urllib3.HTTPResponse, deadline: Deadline) -> bytes:
    """A body, unless it is too large, or comes so slowly that the time is over before it."""
    body = bytearray()
    try:
        while len(body) <= _MOST_BYTES:
            if (sock := getattr(answer.connection, "sock", None)) is not None:
                sock.settimeout(deadline.left())
            # What is there, without waiting for more: one byte now and then must not keep us beyond the deadline.
            chunk = answer.read1(_CHUNK)
            deadline.left()
            if not chunk:
                answer.release_conn()
                return bytes(body)
            body += chunk
    except BaseException:
        answer.close()
        raise
    answer.close()
    raise ClusterUnavailableError(f"an answer of Kubernetes is larger than {_MOST_BYTES} bytes")


class _Status(msgspec.Struct, frozen=True):
    message: str = ""


def _meaning(error: ApiException) -> ClusterError:
    text = f"Kubernetes' API server says {error.status}: {_message(error)}"
    match error.status:
        case 404:
            return GoneError(text)
        case 409:
            return ConflictError(text)
        case 429:
            return HeldBackError(text, _retry_after(error))
        case 400 | 403 | 405 | 413 | 415 | 422:
            return RefusedError(text)
        case 500 if "PodDisruptionBudget" in text:
            # Two budgets over one pod: eviction knows no answer to that, and says so with this status.
            return HeldBackError(text)
    # 401 too: where tokens are checked elsewhere, that may be what does not answer. 410: a list took too long.
    return ClusterUnavailableError(text)


def _message(error: ApiException) -> str:
    try:
        message = msgspec.json.decode(error.body or "", type=_Status).message
    except msgspec.DecodeError:
        message = ""
    return (message or str(error.reason))[:_MOST_TEXT]


def _retry_after(error: ApiException) -> float | None:
    value = error.headers.get("Retry-After") if error.headers else None
    return float(value) if value and value.isascii() and value.isdigit() and len(value) < 6 else None
