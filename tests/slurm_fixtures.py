"""A real Slurm cluster for tests: started when the first test asks, shared, and gone with the session."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm_cluster import SlurmCluster

_SECONDS = 300
"""For a test with the start of the cluster in it, on a machine with much to do."""


def pytest_itemcollected(item):
    if any("slurm" in marker.args for marker in item.iter_markers("needs")) and not item.get_closest_marker(
        "timeout"
    ):
        item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def slurm_session() -> Iterator[SlurmCluster]:
    """Four nodes, for all tests. Not below pytest's own directory: the path of munge's socket must be short."""
    with tempfile.TemporaryDirectory(prefix="guard-slurm-") as directory, SlurmCluster(Path(directory)) as cluster:
        yield cluster


@pytest.fixture
def slurm(slurm_session) -> Iterator[SlurmCluster]:
    """The cluster with all nodes idle and no jobs; what a test leaves is cleared away. Needs ``slurm``."""
    slurm_session.clear()
    yield slurm_session
    slurm_session.clear()
