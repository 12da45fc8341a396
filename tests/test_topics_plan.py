"""The plan for the topics: it ends where nothing differs, and takes nothing away."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.bus import COMPACTED, Topic
from guard.topics.plan import Existing, Plan, plan
from guard.topics.settings import Topics
from guard.topics.wanted import LARGEST_BATCH, wanted

DEFAULT = wanted(Topics())
ONE_BROKER = Topics(replication=1)
RETENTIONS = ("retention.ms", "retention.bytes")


def done(found: Plan, existing: dict[str, Existing]) -> dict[str, Existing]:
    """What the brokers have once a plan is carried out."""
    after = dict(existing)
    for topic in found.creations:
        after[topic.name] = Existing(topic.name, topic.partitions, topic.replication, dict(topic.configs))
    for growth in found.growths:
        after[growth.name] = replace(after[growth.name], partitions=growth.want)
    for change in found.changes:
        have = after[change.name]
        after[change.name] = replace(have, configs=dict(have.configs) | {change.key: change.want})
    return after


def as_made(settings: Topics = Topics(), **changes) -> dict[str, Existing]:  # noqa: B008  (it is frozen)
    existing = done(plan(wanted(settings), {}), {})
    for topic, fields in changes.items():
        name = f"guard.{topic}"
        configs = dict(existing[name].configs) | fields.pop("configs", {})
        existing[name] = replace(existing[name], configs=configs, **fields)
    return existing


def bound(value: str) -> float:
    return float("inf") if value == "-1" else float(value)


settings = st.builds(
    Topics,
    replication=st.integers(1, 4),
    telemetry_partitions=st.integers(1, 20),
    other_partitions=st.integers(1, 6),
    telemetry_seconds=st.floats(60, 1e6),
    telemetry_bytes=st.integers(1 << 20, 1 << 40),
    verdicts_seconds=st.floats(60, 1e7),
    deadletter_seconds=st.floats(60, 1e7),
)
values = {
    "min.insync.replicas": st.integers(1, 4).map(str),
    "unclean.leader.election.enable": st.sampled_from(["true", "false"]),
    "message.timestamp.type": st.sampled_from(["CreateTime", "LogAppendTime"]),
    "compression.type": st.sampled_from(["producer", "zstd"]),
    "max.message.bytes": st.sampled_from(["1000", str(LARGEST_BATCH), "1048588", "10485880"]),
    "cleanup.policy": st.sampled_from(["delete", "compact", "compact,delete"]),
    "retention.ms": st.sampled_from(["-1", "60000", "21600000", "9999999999"]),
    "retention.bytes": st.sampled_from(["-1", "1048576", "99999999999"]),
    "segment.ms": st.sampled_from(["600000", "604800000"]),
    "segment.bytes": st.sampled_from(["1073741824", "16777216"]),
    "min.cleanable.dirty.ratio": st.sampled_from(["0.5", "0.1", "0.10"]),
    "delete.retention.ms": st.sampled_from(["86400000", "1"]),
}


@st.composite
def worlds(draw):
    """Any topics that somebody may have made, by hand or with another configuration."""
    names = draw(st.sets(st.sampled_from(list(Topic))))
    return {
        name.value: Existing(
            name.value,
            draw(st.integers(1, 24)),
            draw(st.integers(1, 4)),
            draw(st.fixed_dictionaries({}, optional=values)),
        )
        for name in names
    }


@given(settings, worlds(), st.booleans())
def test_what_a_plan_does_leaves_nothing_to_do(chosen, existing, allow_loss):
    found = plan(wanted(chosen), existing, allow_loss=allow_loss)
    again = plan(wanted(chosen), done(found, existing), allow_loss=allow_loss)
    assert again.acts == 0
    assert set(again.refusals) == set(found.refusals)


@given(settings, worlds(), st.booleans())
def test_a_plan_takes_nothing_away(chosen, existing, allow_loss):
    after = done(plan(wanted(chosen), existing, allow_loss=allow_loss), existing)
    for name, before in existing.items():
        now = after[name]
        assert now.partitions >= before.partitions
        assert now.replication == before.replication
        assert int(now.configs.get("max.message.bytes", 0)) >= int(before.configs.get("max.message.bytes", 0))
        if name not in (Topic.VERDICTS, Topic.DEADLETTER):
            assert now.partitions == before.partitions
        for key in RETENTIONS:
            if key in before.configs and not allow_loss:
                assert bound(now.configs[key]) >= bound(before.configs[key])
        if not allow_loss:
            assert now.configs.get("cleanup.policy") == before.configs.get("cleanup.policy")


@given(settings, worlds(), st.booleans())
def test_no_plan_makes_a_topic_that_cannot_be_written(chosen, existing, allow_loss):
    found = plan(wanted(chosen), existing, allow_loss=allow_loss)
    for change in found.changes:
        if change.key == "min.insync.replicas":
            assert int(change.want) <= existing[change.name].replication
    for topic in found.creations:
        assert int(topic.configs["min.insync.replicas"]) <= topic.replication


@given(settings, worlds())
def test_new_snapshots_lie_beside_the_telemetry_that_there_is(chosen, existing):
    after = done(plan(wanted(chosen), existing), existing)
    if Topic.SNAPSHOTS not in existing:
        assert after[Topic.SNAPSHOTS].partitions == after[Topic.TELEMETRY].partitions


@given(settings, worlds())
def test_every_difference_that_is_left_alone_says_why_and_what_to_do(chosen, existing):
    for refusal in plan(wanted(chosen), existing).refusals:
        assert refusal.reason
        assert refusal.remedy


def test_topics_are_as_the_design_has_them():
    topics = {topic.topic: topic for topic in DEFAULT}
    assert set(topics) == set(Topic)
    assert {topic.partitions for name, topic in topics.items() if name in (Topic.LEDGER, Topic.CONTROL)} == {1}
    assert topics[Topic.SNAPSHOTS].partitions == topics[Topic.TELEMETRY].partitions == 12
    for topic in DEFAULT:
        assert topic.configs["message.timestamp.type"] == "LogAppendTime"
        assert topic.configs["min.insync.replicas"] == "2"
        assert topic.replication == 3
        assert int(topic.configs["max.message.bytes"]) > 1_000_000 + 1024 + 100
    for name in COMPACTED:
        assert topics[name].configs["cleanup.policy"] == "compact"
        assert topics[name].configs["segment.ms"] == "600000"
    kept = {name: topic.configs.get("retention.ms") for name, topic in topics.items()}
    assert kept[Topic.TELEMETRY] == str(6 * 3_600_000)
    assert topics[Topic.TELEMETRY].configs["retention.bytes"] != "-1"
    assert kept[Topic.LEDGER] == "-1"
    assert kept[Topic.VERDICTS] == kept[Topic.CONTROL] == str(90 * 86_400_000)
    assert kept[Topic.DEADLETTER] == str(30 * 86_400_000)


def test_names_stand_behind_the_prefix():
    assert {topic.name for topic in wanted(ONE_BROKER, "t1.")} == {f"t1.{topic}" for topic in Topic}


@pytest.mark.parametrize(("replication", "insync"), [(1, 1), (2, 1), (3, 2), (4, 3)])
def test_a_broker_may_be_away(replication, insync):
    assert Topics(replication=replication).insync == insync


def test_more_copies_in_sync_than_there_are_is_a_mistake_in_the_configuration():
    with pytest.raises(msgspec.ValidationError, match="min_insync is 3, expected at most replication, 2"):
        msgspec.convert({"replication": 2, "min_insync": 3}, Topics)


def test_telemetry_gets_no_partitions_and_loses_none():
    for want in (24, 6):
        found = plan(wanted(Topics(telemetry_partitions=want)), as_made())
        (refusal,) = found.refusals
        assert (refusal.name, refusal.what, refusal.have) == ("guard.telemetry", "partitions", "12")
        assert refusal.remedy.startswith("set topics.telemetry_partitions: 12")


def test_snapshots_beside_other_telemetry_are_told_to_go():
    (refusal,) = plan(DEFAULT, as_made(snapshots={"partitions": 8})).refusals
    assert (refusal.name, refusal.want) == ("guard.snapshots", "12")
    assert "delete guard.snapshots" in refusal.remedy


@pytest.mark.parametrize(
    ("have", "loses"), [("-1", True), ("99999999999", True), ("60000", False), ("21600000", None)]
)
def test_a_shorter_retention_waits_for_the_flag(have, loses):
    existing = as_made(telemetry={"configs": {"retention.ms": have}})
    careful, bold = plan(DEFAULT, existing), plan(DEFAULT, existing, allow_loss=True)
    assert [refusal.what for refusal in careful.refusals] == (["retention.ms"] if loses else [])
    assert [change.loses for change in bold.changes] == ([] if loses is None else [loses])


def test_larger_messages_than_wanted_are_left_alone():
    assert not plan(DEFAULT, as_made(state={"configs": {"max.message.bytes": "9999999"}})).differs


def test_a_setting_that_the_brokers_do_not_know_is_told():
    existing = as_made()
    configs = {key: value for key, value in existing["guard.state"].configs.items() if key != "compression.type"}
    existing["guard.state"] = replace(existing["guard.state"], configs=configs)
    (refusal,) = plan(DEFAULT, existing).refusals
    assert (refusal.what, refusal.reason) == ("compression.type", "these brokers do not know it")


def test_topics_of_others_are_nobodys_business():
    existing = as_made() | {"orders": Existing("orders", 3, 1, {})}
    assert not plan(DEFAULT, existing).differs
