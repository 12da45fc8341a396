"""The secure cluster that other tests stand on lets in whom it should, and nobody else."""

import pytest
from kafka import KafkaProducer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, NewTopic, ResourcePattern, ResourceType
from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from tools.kafka import Listener

pytestmark = pytest.mark.needs("kafka")
PATIENCE_MS = 2000


def write(cluster, listener, options, topic):
    servers = cluster.addresses(listener).split(",")
    producer = KafkaProducer(
        bootstrap_servers=servers, bootstrap_timeout_ms=PATIENCE_MS, max_block_ms=10_000, **options
    )
    try:
        return producer.send(topic, b"record").get(10)
    finally:
        producer.close(1)


@pytest.fixture(scope="module")
def admin(secure_kafka):
    admin = secure_kafka.admin()
    yield admin
    admin.close()


@pytest.fixture
def topic(admin, prefix):
    admin.create_topics([NewTopic(prefix + "topic", 1, 1)])
    return prefix + "topic"


def allow_writing(admin, principal, topic):
    pattern = ResourcePattern(ResourceType.TOPIC, topic)
    admin.create_acls([ACL(principal, "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, pattern)])


def nobody(_):
    return {}


def anonymous(security):
    return security.anonymous()


def expired(security):
    return security.with_certificate(security.authority.issue("agent", expired=True, file="expired"))


def another_authority(security):
    return security.with_certificate(security.stranger.issue("agent"))


def wrong_password(security):
    return security.with_password("agent", "wrong")


@pytest.mark.parametrize(
    ("listener", "credentials"),
    [
        (Listener.TLS, nobody),
        (Listener.SCRAM, nobody),
        (Listener.MUTUAL, nobody),
        (Listener.MUTUAL, anonymous),
        (Listener.MUTUAL, expired),
        (Listener.MUTUAL, another_authority),
        (Listener.SCRAM, wrong_password),
    ],
)
def test_no_door_opens_without_what_it_asks_for(secure_kafka, topic, listener, credentials):
    with pytest.raises(KafkaTimeoutError):
        write(secure_kafka, listener, credentials(secure_kafka.security), topic)


def test_who_is_let_in_may_nothing_without_an_acl(secure_kafka, topic):
    security = secure_kafka.security
    for listener, options in (
        (Listener.TLS, security.anonymous()),
        (Listener.SCRAM, security.with_password("agent")),
        (Listener.MUTUAL, security.with_certificate("agent")),
    ):
        with pytest.raises(TopicAuthorizationFailedError):
            write(secure_kafka, listener, options, topic)


def test_an_acl_lets_one_write_and_no_other(secure_kafka, admin, topic):
    security = secure_kafka.security
    allow_writing(admin, "User:agent", topic)
    allow_writing(admin, security.identities["agent"].principal, topic)
    assert write(secure_kafka, Listener.SCRAM, security.with_password("agent"), topic).offset == 0
    assert write(secure_kafka, Listener.MUTUAL, security.with_certificate("agent"), topic).offset == 1
    with pytest.raises(TopicAuthorizationFailedError):
        write(secure_kafka, Listener.SCRAM, security.with_password("reader"), topic)
