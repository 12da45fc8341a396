"""What the topics on Kafka are to be like: the section ``topics`` of the configuration."""

from typing import Annotated

from msgspec import Meta, Struct

_HOUR, _DAY = 3600.0, 86_400.0

Seconds = Annotated[float, Meta(ge=60, le=10 * 365 * _DAY)]
Copies = Annotated[int, Meta(ge=1, le=15)]
Partitions = Annotated[int, Meta(ge=1, le=1000)]


class Topics(Struct, frozen=True, forbid_unknown_fields=True):
    """`guard topics`. A cluster of one broker needs `replication: 1` alone."""

    replication: Annotated[Copies, Meta(description="copies of every record, each on another broker")] = 3
    min_insync: Annotated[
        Copies | None,
        Meta(description="copies that a record is on before it counts; null: one less than replication"),
    ] = None
    telemetry_partitions: Annotated[
        Partitions,
        # The most detectors that can share the work. 12 divides evenly among 2, 3, 4 or 6 of them and 3 brokers.
        Meta(description="of guard.telemetry and guard.snapshots; fixed once they exist, so plan for growth"),
    ] = 12
    other_partitions: Annotated[
        Partitions, Meta(description="of guard.verdicts, guard.state and guard.deadletter")
    ] = 3
    telemetry_seconds: Annotated[Seconds, Meta(description="how long telemetry is kept: 6 h")] = 6 * _HOUR
    telemetry_bytes: Annotated[
        int,
        # Some 4 KB a record of 64 ranks once compressed: 6 h of 1,900 nodes in one partition.
        Meta(ge=1 << 20, le=1 << 50, description="of telemetry in each partition, on each of its brokers; 16 GiB"),
    ] = 16 << 30
    verdicts_seconds: Annotated[Seconds, Meta(description="how long verdicts are kept: 90 days")] = 90 * _DAY
    control_seconds: Annotated[Seconds, Meta(description="how long operators' orders are kept: 90 days")] = (
        90 * _DAY
    )
    deadletter_seconds: Annotated[Seconds, Meta(description="how long dead letters are kept: 30 days")] = 30 * _DAY

    def __post_init__(self) -> None:
        """Refuse what no write could ever satisfy."""
        if self.min_insync is not None and self.min_insync > self.replication:
            raise ValueError(f"min_insync is {self.min_insync}, expected at most replication, {self.replication}")

    @property
    def insync(self) -> int:
        """`min_insync`, worked out: with three copies two, so that one broker may be away."""
        return max(self.replication - 1, 1) if self.min_insync is None else self.min_insync
