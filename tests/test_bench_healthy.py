"""The long run over healthy fleets: shards add up, a killed run loses no more than the one it was at."""

import pytest

from detectors.policy import Policy
from guard.bench.healthy import told, watch_day
from guard.bench.shards import Accusation, Shard, add, read, total

ACCUSED = Accusation("job-3", 7, 1200.0, "compute", 0.1, ("steps.own 1.2 against 1.0, score 9, 12 windows",))


def shard(seed=1, *accusations, commit="abc"):
    return Shard(seed, 4096, 4000.0, 0.01, commit, accusations)


def test_a_part_of_a_day_is_watched_and_told():
    watched = watch_day(3, 64, Policy(), "abc", windows=30)
    assert watched.node_days == pytest.approx(64 * 300 / 86400, rel=0.3)
    assert watched == watch_day(3, 64, Policy(), "abc", windows=30)
    assert watched.accusations == ()


def test_shards_add_up(tmp_path):
    path = tmp_path / "results" / "shards.ndjson"
    assert read(path) == []
    add(path, shard(1))
    add(path, shard(2, ACCUSED))
    assert read(path) == [shard(1), shard(2, ACCUSED)]
    assert (total(read(path)).events, total(read(path)).node_days) == (1, 8000)


@pytest.mark.parametrize("torn", [b'{"seed":9,"fl', b""])
def test_half_a_shard_is_none(tmp_path, torn):
    path = tmp_path / "shards.ndjson"
    add(path, shard(1))
    path.write_bytes(path.read_bytes() + torn)
    assert read(path) == [shard(1)]
    add(path, shard(2))
    assert read(path) == [shard(1), shard(2)]


def test_the_bound_stands_beside_the_budget():
    text = told([shard(1), shard(2, ACCUSED, commit="def")], Policy())
    assert "8,000 node-days in 2 shards: 1 false accusations" in text
    assert f"the budget is {Policy().budget:g}" in text
    assert "def: 4,000 node-days" in text
    assert "job-3, node 7" in text
    assert told([], Policy()) == "no shards are kept yet"
