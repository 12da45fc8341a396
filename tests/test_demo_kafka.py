"""The demo on real brokers: to the right name, in topics of its own, and with clear words where it may not."""

import json
import subprocess
import sys

import pytest

from guard.bus.kafka_settings import KafkaSettings, Security
from guard.demo.topics import TopicsMissingError, ready
from tools.kafka import Listener

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.timeout(200)]


def names(cluster) -> tuple[set[str], set[str]]:
    """The topics and the groups on a cluster."""
    admin = cluster.admin()
    try:
        return set(admin.list_topics()), {group["group_id"] for group in admin.list_groups()}
    finally:
        admin.close()


def test_the_slowed_node_is_named_and_the_demo_keeps_to_its_own_topics(kafka):
    before = names(kafka)
    done = subprocess.run(
        [sys.executable, "-m", "guard.commands", "demo", "--bus", kafka.url, "--healthy-seconds", "3", "--json"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["right"]
    assert result["accused"] == [result["slowed"]]
    topics, groups = (after - old for old, after in zip(before, names(kafka), strict=True))
    assert {name for name in topics if not name.startswith("demo.guard.")} <= {"__consumer_offsets"}
    assert groups == {"demo.guard-detect", "demo.guard-remediate"}
    assert [notice["kind"] for notice in result["pages"]][:: len(result["pages"]) - 1] == ["trigger", "resolve"]


def test_missing_topics_are_made_once(kafka, prefix):
    settings = KafkaSettings(prefix=prefix)
    assert ready(kafka.url, settings)
    assert not ready(kafka.url, settings)


def test_who_may_not_make_topics_is_told_who_does(secure_kafka, prefix):
    identity = secure_kafka.security.identities["agent"]
    settings = KafkaSettings(
        security=Security.TLS,
        ca=str(secure_kafka.security.authority.certificate),
        certificate=str(identity.certificate),
        key=str(identity.key),
        prefix=prefix,
    )
    with pytest.raises(TopicsMissingError, match=rf"guard topics apply.*prefix: {prefix}"):
        ready(f"kafka://{secure_kafka.addresses(Listener.MUTUAL)}", settings)
