"""``guard check`` on Kafka: is it there, has it the topics, and for which role do this client's permissions do."""

import pytest

from guard.bus import BusUnavailableError
from guard.bus.kafka_settings import KafkaSettings, Security
from guard.checks import State, run_checks
from guard.checks_kafka import look
from guard.config import Config
from guard.topics.acls import Role, acls
from guard.topics.admin import Brokers
from guard.topics.plan import plan
from guard.topics.settings import Topics
from guard.topics.wanted import wanted
from tools.kafka import Listener

pytestmark = pytest.mark.needs("kafka")
TOPICS = Topics(replication=1, telemetry_partitions=2, other_partitions=1)


@pytest.fixture(scope="module")
def client(secure_kafka):
    """The configuration of a user of the secure cluster, by certificate."""

    def _client(user, topics=TOPICS):
        identity = secure_kafka.security.identities[user]
        settings = KafkaSettings(
            security=Security.TLS,
            ca=str(secure_kafka.security.authority.certificate),
            certificate=str(identity.certificate),
            key=str(identity.key),
        )
        return Config(bus=f"kafka://{secure_kafka.addresses(Listener.MUTUAL)}", kafka=settings, topics=topics)

    return _client


@pytest.fixture(scope="module")
def before(client):
    """What is told while there are no topics."""
    return look(client("administrator"))


@pytest.fixture(scope="module")
def made(secure_kafka, before):
    """The topics, and the permissions of agent and detector."""
    security = secure_kafka.security
    with Brokers(secure_kafka.addresses(Listener.MUTUAL), security.with_certificate("administrator")) as brokers:
        list(brokers.carry_out(plan(wanted(TOPICS), {})))
        for role in (Role.AGENT, Role.DETECTOR):
            brokers.allow(acls(role, security.identities[role].principal))
        brokers.settled(lambda: plan(wanted(TOPICS), brokers.existing(wanted(TOPICS))))


def test_without_topics_it_says_how_to_make_them(before):
    assert "of 7 topics 0 are to be seen" in before.detail
    assert before.remedy.startswith("make the topics: guard topics apply")


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("user", "roles"),
    [("agent", "agent"), ("detector", "detector"), ("administrator", "agent and detector and remediator")],
)
def test_it_says_for_which_roles_the_permissions_do(client, user, roles):
    found = look(client(user))
    assert f"lets us do what {roles}" in found.detail
    assert not found.remedy


@pytest.mark.usefixtures("made")
def test_who_may_do_nothing_is_told_what_to_permit(client):
    assert look(client("reader")).remedy.endswith("make the topics: guard topics apply") is False
    assert "guard topics acls" in look(client("reader")).remedy


@pytest.mark.usefixtures("made")
def test_too_few_partitions_fail(client):
    found = look(client("administrator", Topics(replication=1, telemetry_partitions=24, other_partitions=1)))
    assert "guard.telemetry has 2 partitions, not 24" in found.detail
    assert found.remedy == "see guard topics plan"


def test_without_an_authorizer_everything_is_allowed(kafka, tmp_path):
    bus = next(c for c in run_checks(Config(bus=kafka.url), None) if c.name == "bus")
    assert bus.state is State.FAIL  # the topics are not there, under their plain names
    assert "guard topics apply" in bus.remedy


def test_brokers_that_are_away_fail_with_the_reason(monkeypatch):
    monkeypatch.setattr("guard.checks_kafka._WITHIN", 0.5)
    with pytest.raises(BusUnavailableError, match=r"127\.0\.0\.1:1 .*ECONNREFUSED"):
        look(Config(bus="kafka://127.0.0.1:1"))
    bus = next(c for c in run_checks(Config(bus="kafka://127.0.0.1:1"), None) if c.name == "bus")
    assert bus.state is State.FAIL
