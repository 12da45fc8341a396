"""``guard topics`` against real brokers: what it plans is what they take, and what they take is as planned."""

import json
import time
import uuid
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    ResourcePatternFilter,
)
from kafka.admin import ResourceType as KafkaResource

from guard.bus import BusError, BusUnavailableError, Outgoing, Topic
from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings, Security
from guard.commands.topics import command
from guard.topics.acls import DETECTOR_GROUP, Role, acls
from guard.topics.admin import Brokers
from guard.topics.plan import plan
from guard.topics.settings import Topics
from guard.topics.wanted import wanted
from tools.kafka import Listener

pytestmark = pytest.mark.needs("kafka")
ONE = Topics(replication=1, telemetry_partitions=3)


@pytest.fixture
def brokers(kafka):
    with Brokers(kafka.bootstrap, {}) as brokers:
        yield brokers


def carry_out(brokers, settings, prefix, **options):
    """Apply, and give what is left afterwards."""

    def look():
        topics = wanted(settings, prefix)
        return plan(topics, brokers.existing(topics), **options)

    said = list(brokers.carry_out(look()))
    return said, brokers.settled(look)


def test_topics_are_made_as_wanted_and_then_nothing_differs(brokers, prefix):
    said, left = carry_out(brokers, ONE, prefix)
    assert len(said) == len(Topic)
    assert not left.differs
    existing = brokers.existing(wanted(ONE, prefix))
    assert existing[f"{prefix}guard.telemetry"].partitions == existing[f"{prefix}guard.snapshots"].partitions == 3


def test_changes_are_carried_out_and_nothing_is_lost(brokers, prefix):
    carry_out(brokers, ONE, prefix)
    other = Topics(replication=1, telemetry_partitions=2, other_partitions=4, telemetry_seconds=7200)
    _, left = carry_out(brokers, other, prefix)
    assert {(refusal.name.removeprefix(prefix), refusal.what) for refusal in left.refusals} == {
        ("guard.telemetry", "partitions"),
        ("guard.telemetry", "retention.ms"),
        ("guard.state", "partitions"),
    }
    existing = brokers.existing(wanted(other, prefix))
    assert existing[f"{prefix}guard.deadletter"].partitions == 4
    assert existing[f"{prefix}guard.telemetry"].partitions == 3
    assert existing[f"{prefix}guard.telemetry"].configs["retention.ms"] == "21600000"
    _, left = carry_out(brokers, other, prefix, allow_loss=True)
    assert brokers.existing(wanted(other, prefix))[f"{prefix}guard.telemetry"].configs["retention.ms"] == "7200000"


def test_a_setting_of_others_survives(kafka, brokers, prefix):
    carry_out(brokers, ONE, prefix)
    with kafka.admin() as admin:
        name = f"{prefix}guard.state"
        ours = ConfigResource(ConfigResourceType.TOPIC, name, {"flush.ms": "1234", "segment.ms": "99999"})
        admin.alter_configs([ours])
        carry_out(brokers, ONE, prefix)
        ours = ConfigResource(ConfigResourceType.TOPIC, name, ["flush.ms", "segment.ms"])
        configs = admin.describe_configs([ours], config_filter="all")["topic"][name]
    assert {key: config["value"] for key, config in configs.items()} == {
        "flush.ms": "1234",
        "segment.ms": "600000",
    }


def test_too_few_brokers_are_told_with_the_remedy(brokers, prefix):
    with pytest.raises(BusError, match=r"InvalidReplicationFactorError; .*topics.replication: 1"):
        list(brokers.carry_out(plan(wanted(Topics(), prefix), {})))


def test_brokers_that_are_away_are_told_with_their_address():
    with pytest.raises(BusUnavailableError, match=r"no broker of 127.0.0.1:1 let us in"):
        Brokers("127.0.0.1:1", {"bootstrap_timeout_ms": 500})


class Command:
    """``guard topics`` with a configuration."""

    def __init__(self, bus, settings, prefix=""):
        config = SimpleNamespace(bus=bus, topics=settings, kafka=KafkaSettings(prefix=prefix))
        self.session = SimpleNamespace(config=config)

    def __call__(self, *arguments):
        return CliRunner().invoke(command, arguments, obj=self.session)


def test_the_command_plans_asks_makes_and_plans_again(kafka, prefix):
    topics = Command(kafka.url, ONE, prefix)
    planned = topics("plan")
    assert planned.exit_code == 1
    assert "7 to create." in planned.stdout
    unasked = topics("apply")
    assert (unasked.exit_code, "add --yes" in unasked.stderr) == (1, True)
    assert json.loads(topics("plan", "--json").stdout)["differs"]
    applied = topics("apply", "--yes")
    assert applied.exit_code == 0, applied.output
    assert f"created {prefix}guard.ledger" in applied.stdout
    planned = topics("plan")
    assert (planned.exit_code, planned.stdout) == (0, "The topics are as they should be.\n")


def test_the_command_says_what_it_leaves_alone_and_ends_1(kafka, prefix):
    assert Command(kafka.url, ONE, prefix)("apply", "--yes").exit_code == 0
    told = Command(kafka.url, Topics(replication=1, telemetry_partitions=6), prefix)("apply", "--yes")
    assert told.exit_code == 1
    assert "[1] the records of a job would lie in two partitions; instead: set topics.telemetry_partitions: 3" in (
        told.stdout
    )
    (alone,) = json.loads(
        Command(kafka.url, Topics(replication=1, telemetry_partitions=6), prefix)("plan", "--json").stdout
    )["left_alone"]
    assert (alone["what"], alone["have"], alone["want"]) == ("partitions", "3", "6")


@pytest.mark.parametrize("arguments", [("plan",), ("apply", "--yes"), ("acls", "--role", "all")])
def test_a_file_has_no_topics_to_make(arguments):
    told = Command("file:bus.sqlite", ONE)(*arguments)
    assert isinstance(told.exception, BusError)


def test_permissions_are_for_the_names_that_the_configuration_gives():
    told = Command("kafka://localhost:9092", ONE, "east.")("acls", "--role", "detector")
    assert told.exit_code == 0
    assert "east.guard.telemetry" in told.stdout
    assert "east.guard-detect" in told.stdout
    assert " guard" not in told.stdout


def everything(principal):
    pattern = ResourcePatternFilter(KafkaResource.ANY, None, ACLResourcePatternType.ANY)
    return ACLFilter(principal, None, ACLOperation.ANY, ACLPermissionType.ANY, pattern)


@pytest.mark.parametrize("role", list(Role))
def test_permissions_are_added_as_they_are_shown(secure_kafka, prefix, role):
    allowed = acls(role, f"User:{prefix}{role}", prefix=prefix, idempotent_write=True)
    options = secure_kafka.security.with_certificate("administrator")
    with Brokers(secure_kafka.addresses(Listener.MUTUAL), options) as brokers:
        brokers.allow(allowed)
        brokers.allow(allowed)  # a second time is no mistake
    with secure_kafka.admin() as admin:
        found, _ = admin.describe_acls(everything(f"User:{prefix}{role}"))
    shown = {(acl.resource_pattern.resource_type.name, acl.resource_pattern.resource_name) for acl in found}
    assert len(found) == len(allowed)
    assert shown == {(acl.resource.name, acl.name) for acl in allowed}


def test_an_agent_may_neither_make_nor_configure_topics(secure_kafka, prefix):
    options = secure_kafka.security.with_password("agent")
    with Brokers(secure_kafka.addresses(Listener.SCRAM), options) as brokers:
        with pytest.raises(BusError, match="AuthorizationFailed"):
            list(brokers.carry_out(plan(wanted(ONE, prefix), {})))
        with pytest.raises(BusError, match=r"AuthorizationFailed.*Alter on the cluster"):
            brokers.allow(acls(Role.OPERATOR, "User:agent"))


def test_brokers_without_an_authorizer_say_so(brokers):
    with pytest.raises(BusError, match="SecurityDisabled"):
        brokers.allow(acls(Role.AGENT, "User:a"))


class Roles:
    """Each role's client of one installation on the secure cluster, with no more than its permissions."""

    def __init__(self, cluster, prefix, path):
        self._cluster, self._prefix, self._path = cluster, prefix, path
        options = cluster.security.with_certificate("administrator")
        with Brokers(cluster.addresses(Listener.MUTUAL), options) as brokers:
            carry_out(brokers, Topics(replication=1, telemetry_partitions=1, other_partitions=1), prefix)
            for role in Role:
                brokers.allow(acls(role, f"User:{role}", prefix=prefix))

    def bus(self, role):
        password = self._path / role
        password.write_text(self._cluster.security.passwords[role])
        settings = KafkaSettings(
            security=Security.SASL_TLS,
            ca=str(self._cluster.security.authority.certificate),
            username=str(role),
            password_file=str(password),
        )
        return KafkaBus(self._cluster.addresses(Listener.SCRAM), settings, prefix=self._prefix)

    def may_write(self, role):
        """Topics that the role can write."""
        with self.bus(role) as bus:
            return {topic for topic in Topic if allowed(bus.publish, [Outgoing(topic, "k", b"x")], 10)}

    def may_read(self, role):
        """Topics that the role can read."""
        with self.bus(role) as bus:
            return {topic for topic in Topic if allowed(lambda topic: list(bus.scan(topic)), topic)}


def allowed(act, *arguments):
    try:
        act(*arguments)
    except BusUnavailableError as error:
        if "AuthorizationFailed" not in str(error) and "not allowed" not in str(error):
            raise  # no refusal
        return False
    return True


@pytest.fixture(scope="module")
def roles(secure_kafka, tmp_path_factory):
    return Roles(secure_kafka, f"t{uuid.uuid4().hex[:8]}.", tmp_path_factory.mktemp("roles"))


ALL = set(Topic)


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        (Role.AGENT, set(), {Topic.TELEMETRY}),
        (
            Role.DETECTOR,
            {Topic.TELEMETRY, Topic.STATE, Topic.SNAPSHOTS, Topic.LEDGER},
            {Topic.VERDICTS, Topic.STATE, Topic.SNAPSHOTS, Topic.DEADLETTER},
        ),
        (
            Role.REMEDIATOR,
            {Topic.TELEMETRY, Topic.VERDICTS, Topic.STATE, Topic.CONTROL, Topic.LEDGER},
            {Topic.LEDGER, Topic.DEADLETTER},
        ),
        (Role.PAGER, {Topic.VERDICTS, Topic.STATE, Topic.CONTROL, Topic.LEDGER}, set()),
        (Role.READER, ALL, set()),
        (Role.OPERATOR, ALL, {Topic.CONTROL}),
    ],
)
def test_each_role_does_what_it_must_and_is_refused_the_rest(roles, role, reads, writes):
    assert roles.may_write(role) == writes
    assert roles.may_read(role) == reads


def test_the_detector_joins_its_group_and_an_agent_does_not(roles):
    def joins(role):
        with roles.bus(role) as bus:
            member = bus.consume([Topic.TELEMETRY], DETECTOR_GROUP)
            try:
                deadline = time.monotonic() + 30
                while not member.assigned() and time.monotonic() < deadline:
                    member.poll(0.5)
                return bool(member.assigned())
            finally:
                member.close()

    assert joins(Role.DETECTOR)
    with pytest.raises(BusError, match="not allowed"):
        joins(Role.AGENT)


def test_the_pager_may_ask_whether_telemetry_and_snapshots_come_that_it_may_not_read(roles):
    with roles.bus(Role.AGENT) as bus:
        bus.publish([Outgoing(Topic.TELEMETRY, "k", b"x")], 10)
    with roles.bus(Role.PAGER) as bus:
        assert Topic.TELEMETRY in bus.taken([Topic.TELEMETRY, Topic.SNAPSHOTS], 0.0)
