"""The state as bytes and back. Sorted: the same state has the same bytes however it came about."""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from remediation.paging.events import Source
from remediation.paging.state import Cluster, Ended, Mute, Page, SeenJob, State, Trouble
from remediation.table import Table

_Value = TypeVar("_Value")

_VERSION = 1


class StateError(ValueError):
    """A saved state that this version cannot read."""


class _Cluster(Struct, frozen=True, omit_defaults=True):
    epoch: int
    tripped: bool
    turned: float
    storm: str | None
    silence: str | None
    lately: tuple[float, ...]
    mute: dict[str, Mute]
    look: float | None


class _Saved(Struct, frozen=True, kw_only=True, omit_defaults=True):
    version: int
    pages: dict[str, Page] = {}
    restless: dict[str, bool] = {}
    nodes: dict[str, str] = {}
    incidents: dict[str, str] = {}
    alerts: dict[str, str] = {}
    jobs: dict[str, SeenJob] = {}
    ended: dict[str, Ended] = {}
    late: tuple[str, ...] = ()
    clusters: dict[str, _Cluster] = {}
    sources: dict[Source, float] = {}
    sources_paged: dict[Source, str] = {}
    channels: dict[str, Trouble] = {}
    channels_paged: dict[str, str] = {}
    recent: tuple[str, ...] = ()
    regime: str = ""
    lost: int = 0
    lost_page: str | None = None


class _Head(Struct):
    version: int


_TABLES = ("pages", "restless", "nodes", "incidents", "alerts", "jobs", "ended")
_AS_THEY_ARE = (
    "late", "sources", "sources_paged", "channels", "channels_paged", "recent", "regime", "lost", "lost_page",
)  # fmt: skip
_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(_Saved)
_head = msgspec.json.Decoder(_Head)


def encode(state: State) -> bytes:
    """The state as JSON: the same state gives the same bytes."""
    values: dict[str, Any] = {name: dict(getattr(state, name).items()) for name in _TABLES}
    values |= {name: getattr(state, name) for name in _AS_THEY_ARE}
    clusters = {
        name: _Cluster(
            cluster.epoch, cluster.tripped, cluster.turned, cluster.storm, cluster.silence, cluster.lately,
            dict(cluster.mute.items()), cluster.look,
        )
        for name, cluster in state.clusters.items()
    }  # fmt: skip
    return _encoder.encode(_Saved(version=_VERSION, clusters=clusters, **values))


def decode(saved: bytes) -> State:
    """Read a state.

    Raises:
        StateError: it is none, or of another version.
    """
    try:
        version = _head.decode(saved).version
        if version != _VERSION:
            raise StateError(f"version {version} of the pager's state, this program knows {_VERSION}")
        read = _decoder.decode(saved)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"no state of the pager: {error}") from error
    clusters = {
        name: Cluster(
            cluster.epoch, cluster.tripped, cluster.turned, cluster.storm, cluster.silence, cluster.lately,
            _table(cluster.mute), cluster.look,
        )
        for name, cluster in read.clusters.items()
    }  # fmt: skip
    values: dict[str, Any] = {name: _table(getattr(read, name)) for name in _TABLES}
    values |= {name: getattr(read, name) for name in _AS_THEY_ARE}
    return State(clusters=clusters, **values)


def _table(entries: dict[str, _Value]) -> Table[_Value]:
    table: Table[_Value] = Table()
    return table.changed(entries)
