"""Real brokers for tests: started when the first test asks, shared, and gone with the session.

A test of an open cluster gets its own names by ``prefix``: topics and groups of another test are never seen.
"""

import uuid
from collections.abc import Iterator

import pytest

from tools.kafka import KafkaCluster


@pytest.fixture(scope="session")
def kafka(tmp_path_factory) -> Iterator[KafkaCluster]:
    """One node, for all tests: nobody stops it."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka") / "one") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def kafka3(tmp_path_factory) -> Iterator[KafkaCluster]:
    """Three nodes, for one module: what a test kills it restarts."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka") / "three", nodes=3) as cluster:
        yield cluster


@pytest.fixture
def prefix() -> str:
    """The start of a test's topic and group names."""
    return f"t{uuid.uuid4().hex[:8]}."
