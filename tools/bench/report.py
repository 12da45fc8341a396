"""``guard report fleet`` for the largest fleet, each time as a new process, from both buses."""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from detectors.verdict import encode
from guard.bus import Outgoing, Topic, open_bus
from tools.bench import child
from tools.bench.fleet_state import FleetState
from tools.bench.page import Figure, Section
from tools.kafka import KafkaCluster
from tools.kafka.topics import make_topics

_NODES = int(os.environ.get("GUARD_BENCH_NODES", "62500"))
_RUNS = int(os.environ.get("GUARD_BENCH_RUNS", "7"))
_PARTITIONS = 3
_BATCH = 500
_SECONDS, _MEMORY = 3.0, 200.0


def measure() -> Section:
    """Fill a broker and a file, then ask each for text and for JSON, by turns."""
    with tempfile.TemporaryDirectory() as name, KafkaCluster(Path(name) / "kafka") as cluster:
        make_topics(cluster.bootstrap, partitions=_PARTITIONS)
        buses = {"Kafka": cluster.url, "the file bus": f"file:{name}/bus.sqlite"}
        records = [fill(address) for address in buses.values()]
        figures = list(_measured(Path(name), buses))
    how = (
        f"{_NODES:,} nodes in 60 jobs, {records[0]:,} records of `guard.state` in {_PARTITIONS} partitions; a new "
        f"process each time, imports included, {_RUNS} times each, by turns; least, median and most, of seconds "
        "and of the peak of resident memory. Two cores, with the broker."
    )
    return Section("A report on the largest fleet", how, figures)


def fill(address: str) -> int:
    """Put a fleet's state on a bus; how many records that is."""
    sayings = FleetState(_NODES).sayings()
    count = 0
    with open_bus(address) as bus:
        while batch := [Outgoing(Topic.STATE, said.key, encode(said)) for said in islice(sayings, _BATCH)]:
            bus.publish(batch, 30.0)
            count += len(batch)
    return count


def _measured(directory: Path, buses: dict[str, str]) -> Iterator[Figure]:
    ways = {"text": (), "--json": ("--json",)}
    runs: dict[tuple[str, str], list[child.Ended]] = {}
    for _ in range(_RUNS):
        for bus, address in buses.items():
            config = directory / f"{bus.split()[-1]}.yaml"
            config.write_text(json.dumps({"cluster": "use1-prod", "bus": address}))
            for way, words in ways.items():
                command = (
                    sys.executable,
                    "-m",
                    "guard.commands",
                    "--config",
                    str(config),
                    "report",
                    "fleet",
                    *words,
                )
                ended = child.run(command)
                if ended.code != 1:
                    raise RuntimeError(f"guard report ended {ended.code}, expected 1: {ended.output[-500:]!r}")
                runs.setdefault((bus, way), []).append(ended)
    for (bus, way), found in runs.items():
        seconds, memory = [one.seconds for one in found], [one.memory for one in found]
        yield Figure(
            f"{way} from {bus}: time", _three(seconds, "s", 2), f"≤ {_SECONDS:g} s", max(seconds) <= _SECONDS
        )
        yield Figure(
            f"{way} from {bus}: memory", _three(memory, "MB", 0), f"≤ {_MEMORY:g} MB", max(memory) <= _MEMORY
        )
        yield Figure(f"{way} from {bus}: processor", _three([one.processor for one in found], "s", 2))


def _three(values: list[float], unit: str, digits: int) -> str:
    """Least, median, most."""
    shown = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return " / ".join(shown) + f" {unit}"
