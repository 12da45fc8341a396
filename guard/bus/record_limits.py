"""What a record may be, on every bus: limits that a broker has, so that the embedded bus has no larger ones."""

from guard.bus import BusError, Outgoing

LARGEST_VALUE = 1_000_000
"""Bytes, as Kafka's default for a batch (``message.max.bytes``) allows."""
LONGEST_KEY = 1024


def require_fit(record: Outgoing) -> bytes:
    """The key in UTF-8, of a record that the bus can take.

    Raises:
        BusError: it never will.
    """
    if record.value is not None and len(record.value) > LARGEST_VALUE:
        raise BusError(f"a value of {len(record.value)} bytes for {record.topic}: at most {LARGEST_VALUE} fit")
    try:
        key = record.key.encode()
    except UnicodeEncodeError as error:
        raise BusError(f"the key {record.key[:50]!r} for {record.topic} cannot be written in UTF-8") from error
    if len(key) > LONGEST_KEY:
        raise BusError(f"a key of {len(key)} bytes for {record.topic}: at most {LONGEST_KEY} fit")
    return key


def require_partition(record: Outgoing, there: int) -> None:
    """Refuse a partition that a topic of ``there`` partitions does not have.

    Raises:
        BusError: the record names one.
    """
    if record.partition is not None and not 0 <= record.partition < there:
        raise BusError(f"partition {record.partition} of {record.topic}: it has {there}")
