"""Frozen mappings, and their changed copies; `Table` is for many keys: a copy costs a bucket, not the whole."""

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

# 62,500 nodes make 244 a bucket; copying both levels is then a few microseconds.
_BUCKETS = 256


@dataclass(frozen=True, slots=True)
class Table(Generic[_Value]):
    """Names and what is known of them."""

    _buckets: tuple[dict[str, _Value], ...] = ({},) * _BUCKETS
    size: int = 0

    def get(self, name: str) -> _Value | None:
        """What is known of `name`; None: nothing."""
        return self._buckets[_bucket(name)].get(name)

    def put(self, name: str, value: _Value) -> "Table[_Value]":
        """The table with `value` for `name`."""
        index = _bucket(name)
        bucket = self._buckets[index].copy()
        grown = self.size + (name not in bucket)
        bucket[name] = value
        return Table(self._with(index, bucket), grown)

    def drop(self, name: str) -> "Table[_Value]":
        """The table without `name`."""
        index = _bucket(name)
        bucket = self._buckets[index]
        if name not in bucket:
            return self
        left = bucket.copy()
        del left[name]
        return Table(self._with(index, left), self.size - 1)

    def changed(self, put: Mapping[str, _Value], drop: Collection[str] = ()) -> "Table[_Value]":
        """The table with and without many at once: no bucket is copied twice."""
        buckets = [dict(bucket) for bucket in self._buckets]
        for name in drop:
            buckets[_bucket(name)].pop(name, None)
        for name, value in put.items():
            buckets[_bucket(name)][name] = value
        return Table(tuple(buckets), sum(len(bucket) for bucket in buckets))

    def names(self) -> Iterator[str]:
        """All names, in an order that depends on them and on nothing else."""
        return (name for name, _ in self.items())

    def items(self) -> Iterator[tuple[str, _Value]]:
        """All pairs, in an order that depends on the names and on nothing else."""
        for bucket in self._buckets:
            yield from sorted(bucket.items(), key=lambda pair: pair[0]) if bucket else ()

    def _with(self, index: int, bucket: dict[str, _Value]) -> tuple[dict[str, _Value], ...]:
        buckets = list(self._buckets)
        buckets[index] = bucket
        return tuple(buckets)


def _bucket(name: str) -> int:
    # Not `hash`: it differs from process to process, and the same events must give the same decisions.
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % _BUCKETS


def added(mapping: Mapping[_Key, _Value], key: _Key, value: _Value) -> Mapping[_Key, _Value]:
    """The mapping with `value` for `key`."""
    return MappingProxyType({**mapping, key: value})


def dropped(mapping: Mapping[_Key, _Value], key: _Key) -> Mapping[_Key, _Value]:
    """The mapping without `key`."""
    return kept(mapping, lambda other: other != key) if key in mapping else mapping


def kept(mapping: Mapping[_Key, _Value], wanted: Callable[[_Key], bool]) -> Mapping[_Key, _Value]:
    """The mapping with only the keys that are wanted."""
    return MappingProxyType({key: value for key, value in mapping.items() if wanted(key)})


def newest(mapping: Mapping[_Key, _Value], count: int) -> Mapping[_Key, _Value]:
    """The `count` entries that were added last."""
    return MappingProxyType(dict(list(mapping.items())[-count:])) if len(mapping) > count else mapping
