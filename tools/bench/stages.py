"""Where the time of a record goes, stage by stage, without a broker."""

import statistics
import time
from collections.abc import Callable, Sequence

import zstandard

from collectors.telemetry import Telemetry, decode, decode_compared, encode
from detectors.arrival import Arrival
from detectors.detector import Detector
from detectors.held import Held, Packer
from detectors.policy import Policy
from detectors.window import Window
from guard.bus import Message, Position, Topic
from guard.detect.memory import collect_rarely
from tools.bench.page import Figure, Section
from tools.bench.records import FleetRecords

_NODES, _ROUNDS = 1000, 15


def measure() -> Section:
    """Each stage over one period of a thousand nodes; the rounds are interleaved."""
    collect_rarely()
    fleet = FleetRecords(_NODES)
    records = list(fleet.period(0))
    values = [encode(record) for record in records]
    packed = [zstandard.ZstdCompressor().compress(value) for value in values]
    packer = Packer()
    held = [packer.pack(record, number) for number, record in enumerate(records)]
    stages: dict[str, Callable[[], object]] = {
        "decompress (zstd)": lambda: [zstandard.ZstdDecompressor().decompress(value) for value in packed],
        "make messages": lambda: [_message(number, value) for number, value in enumerate(values)],
        "decode all of it": lambda: [decode(value) for value in values],
        "decode what is compared": lambda: [decode_compared(value) for value in values],
        "pack": lambda: [packer.pack(record, 0) for record in records],
        "put in order": lambda: _arrive(records, held),
        "add to the window": lambda: Window().add(range(_NODES), held),
        "all of the fold (pack, order, members, window)": lambda: Detector(Policy()).fold(records),
    }
    seconds: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(_ROUNDS):
        for name, stage in stages.items():
            start = time.perf_counter()
            stage()
            seconds[name].append((time.perf_counter() - start) / _NODES)
    figures = [
        Figure(name, f"{statistics.median(found) * 1e6:.1f} µs (least {min(found) * 1e6:.1f})")
        for name, found in seconds.items()
    ]
    how = f"Per record of 64 ranks ({len(values[0]):,} bytes); medians of {_ROUNDS} interleaved rounds."
    return Section("Where the time of a record goes", how, figures)


def _message(number: int, value: bytes) -> Message:
    return Message(Position(Topic.TELEMETRY, 0, number), "use1-prod/81723", value, 0.0)


def _arrive(records: Sequence[Telemetry], held: Sequence[Held]) -> None:
    arrival = Arrival(Policy(), Detector(Policy()).counts)
    for record, one in zip(records, held, strict=True):
        if arrival.push(record, one) and arrival.due():
            arrival.ready()
