"""Real brokers for tests: started when the first test asks, shared, and gone with the session.

A test of an open cluster gets its own names by ``prefix``: topics and groups of another test are never seen.
"""

import gc
import uuid
from collections.abc import Iterator

import pytest

from tools.kafka import KafkaCluster
from tools.kafka.namespace import Network


def pytest_itemcollected(item):
    if any("kafka" in marker.args for marker in item.iter_markers("needs")):
        item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"))


@pytest.fixture(autouse=True)
def _leftovers_of_kafka_python(request, caplog) -> Iterator[None]:
    """kafka-python 3.0.12 leaves the sockets of a client that found no broker to the garbage collector.

    They are collected here, where that warning is allowed, and not in a later test, where it is an error. Its log
    holds them, too: errors with their frames.
    """
    yield
    if any("kafka" in marker.args for marker in request.node.iter_markers("needs")):
        for phase in ("setup", "call"):
            caplog.get_records(phase).clear()
        gc.collect()


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


@pytest.fixture(scope="module")
def secure_kafka(tmp_path_factory) -> Iterator[KafkaCluster]:
    """One node behind TLS, with doors for passwords and for certificates, that allows nothing without an ACL."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka") / "secure", secure=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Three network namespaces; after a test that cut one, all are healed by ``cut_kafka3``."""
    with Network(3) as network:
        yield network


@pytest.fixture(scope="module")
def _apart(tmp_path_factory, network) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path_factory.mktemp("kafka") / "apart", nodes=3, places=network.places) as cluster:
        yield cluster


@pytest.fixture
def cut_kafka3(_apart, network) -> Iterator[KafkaCluster]:
    """Three nodes, each in its namespace of ``network``; needs ``kafka`` and ``netns``."""
    yield _apart
    network.heal()


@pytest.fixture
def prefix() -> str:
    """The start of a test's topic and group names."""
    return f"t{uuid.uuid4().hex[:8]}."
