"""The bus on a secure cluster: who is let in, who is refused and told why, and what becomes of renewed files."""

import contextlib
import dataclasses
import logging
import re
import uuid
from pathlib import Path

import pytest

from guard.bus import BusError, BusUnavailableError, Outgoing, Topic
from guard.bus.kafka import KafkaBus
from guard.bus.kafka_settings import KafkaSettings, Security
from guard.topics.acls import Role, acls
from guard.topics.admin import Brokers
from guard.topics.plan import plan
from guard.topics.settings import Topics
from guard.topics.wanted import wanted
from tests.bus_contract import read, records, settle, values
from tools.kafka import Listener

pytestmark = pytest.mark.needs("kafka")


@pytest.fixture(scope="module")
def installation(secure_kafka):
    """The topics, with the permissions of agent and reader, by password and by certificate."""
    prefix = f"t{uuid.uuid4().hex[:8]}."
    options = secure_kafka.security.with_certificate("administrator")
    with Brokers(secure_kafka.addresses(Listener.MUTUAL), options) as brokers:
        topics = wanted(Topics(replication=1, telemetry_partitions=2, other_partitions=1), prefix)
        list(brokers.carry_out(plan(topics, {})))
        for role in (Role.AGENT, Role.READER):
            for principal in (f"User:{role}", secure_kafka.security.identities[role].principal):
                brokers.allow(acls(role, principal, prefix=prefix))
        brokers.settled(lambda: plan(topics, brokers.existing(topics)))
    return prefix


@dataclasses.dataclass
class Access:
    """Files of one client's certificate, key and password, and buses that use them."""

    cluster: object
    prefix: str
    path: Path

    @property
    def files(self):
        return self.path / "certificate.pem", self.path / "key.pem", self.path / "password"

    @property
    def security(self):
        return self.cluster.security

    def lay(self, certificate=None, password=None):
        """Put files in place of those that are there, as a rotation does: beside them, then renamed."""
        laid = [(certificate.certificate, self.files[0]), (certificate.key, self.files[1])] if certificate else []
        if password:
            (self.path / "plain").write_text(password + "\n")
            laid.append((self.path / "plain", self.files[2]))
        for source, file in laid:
            new = file.with_suffix(".new")
            new.write_bytes(Path(source).read_bytes())
            new.replace(file)

    def by_certificate(self, **other):
        own = {"certificate": str(self.files[0]), "key": str(self.files[1])}
        return self._bus(Listener.MUTUAL, {"security": Security.TLS} | own | other)

    def by_password(self, user="agent", **other):
        own = {"password_file": str(self.files[2]), "username": user}
        return self._bus(Listener.SCRAM, {"security": Security.SASL_TLS} | own | other)

    def _bus(self, listener, settings):
        settings = KafkaSettings(**{"ca": str(self.security.authority.certificate)} | settings)
        return KafkaBus(self.cluster.addresses(listener), settings, prefix=self.prefix)


@pytest.fixture
def access(secure_kafka, installation, tmp_path):
    return Access(secure_kafka, installation, tmp_path)


def send(bus, topic=Topic.TELEMETRY):
    return bus.publish([Outgoing(topic, "k", b"1")], 10.0)


def refused(bus, timeout=4.0):
    with bus, pytest.raises(BusUnavailableError) as caught:
        bus.publish([Outgoing(Topic.TELEMETRY, "k", b"1")], timeout)
    return str(caught.value)


def test_an_agent_is_let_in_by_certificate_and_by_password(access):
    access.lay(access.security.identities["agent"], access.security.passwords["agent"])
    for bus in (access.by_certificate(), access.by_password()):
        with bus:
            send(bus)


def test_a_client_without_credentials_is_refused_and_told_where(access):
    bus = access.by_certificate(certificate=None, key=None)
    assert access.cluster.addresses(Listener.MUTUAL) in refused(bus)


def test_a_client_that_speaks_no_tls_is_refused(access):
    bus = KafkaBus(access.cluster.addresses(Listener.SCRAM), KafkaSettings(), prefix=access.prefix)
    assert "security, certificates and password" in refused(bus)


def test_a_cluster_of_another_authority_is_not_believed(access):
    access.lay(access.security.identities["agent"])
    assert "CERTIFICATE_VERIFY_FAILED" in refused(
        access.by_certificate(ca=str(access.security.stranger.certificate))
    )


@pytest.mark.parametrize("which", ["expired", "stranger"])
def test_a_certificate_that_is_not_good_is_refused(access, which):
    security = access.security
    bad = {
        "expired": lambda: security.authority.issue("agent", expired=True, file="expired-agent"),
        "stranger": lambda: security.stranger.issue("agent"),
    }[which]()
    access.lay(bad)
    assert access.cluster.addresses(Listener.MUTUAL) in refused(access.by_certificate())


def test_a_wrong_password_is_refused_in_plain_words(access):
    access.lay(password="wrong")  # noqa: S106
    # kafka-python does not read the brokers' reason where they hang up at once: then all that it can be is named.
    assert re.search(
        "do not accept the user name and the password|are security.*and password in", refused(access.by_password())
    )


def test_another_roles_credentials_do_not_do(access):
    access.lay(password=access.security.passwords["reader"])
    with access.by_password("reader") as bus:
        with pytest.raises(BusUnavailableError, match=r"publishing to guard.telemetry: not allowed.*topics acls"):
            send(bus)
        assert isinstance(list(bus.scan(Topic.TELEMETRY)), list)  # it may read


def test_an_agent_reads_nothing(access):
    access.lay(password=access.security.passwords["agent"])
    with access.by_password() as bus:
        with pytest.raises(BusError, match="not allowed"):
            list(bus.scan(Topic.VERDICTS))
        with (
            pytest.raises(BusError, match="not allowed"),
            contextlib.closing(bus.consume([Topic.VERDICTS], "g")) as m,
        ):
            settle([m], lambda: False, 15.0)


def test_a_certificate_that_was_renewed_is_used_from_the_next_publishing_on(access):
    security = access.security
    access.lay(security.authority.issue("agent", file="first"))
    with access.by_certificate() as bus:
        send(bus)
        access.lay(security.authority.issue("agent", expired=True, file="over"))
        with pytest.raises(BusUnavailableError):
            bus.publish([Outgoing(Topic.TELEMETRY, "k", b"1")], 3.0)
        access.lay(security.authority.issue("agent", file="second"))
        send(bus)


def test_a_password_that_was_renewed_is_used_from_the_next_publishing_on(access):
    access.lay(password="old")  # noqa: S106
    with access.by_password() as bus:
        with pytest.raises(BusUnavailableError):
            send(bus)
        access.lay(password=access.security.passwords["agent"])
        send(bus)


def test_readers_go_on_over_a_rotation(access):
    security = access.security
    access.lay(security.identities["administrator"])
    with (
        access.by_certificate() as bus,
        contextlib.closing(bus.consume([Topic.LEDGER], "rotating")) as member,
        contextlib.closing(bus.follow([Topic.LEDGER], since=0)) as follower,
    ):
        bus.publish(records(Topic.LEDGER, 10), 10.0)
        read(member, 10)
        read(follower, 10)
        member.commit()
        before = member.claims()
        access.lay(security.authority.issue("administrator", file="renewed"))
        bus.publish(records(Topic.LEDGER, 10, start=10), 10.0)
        assert values(read(member, 10)) == list(range(10, 20))
        assert values(read(follower, 10)) == list(range(10, 20))
        assert member.claims() != before


def test_files_that_are_missing_or_half_written_are_named_and_waited_for(access):
    assert f"{access.files[2]}: No such file" in refused(access.by_password())
    access.files[2].write_text("\n")
    assert "must hold the password in one line" in refused(access.by_password())
    access.files[0].write_text("-----BEGIN CERT")
    access.files[1].write_text("")
    assert f"cannot use {access.security.authority.certificate}, {access.files[0]}" in refused(
        access.by_certificate()
    )


def test_the_environment_may_name_the_password_file(access, monkeypatch):
    monkeypatch.delenv("GUARD_KAFKA_PASSWORD_FILE", raising=False)
    with access.by_password(password_file=None) as bus, pytest.raises(BusError, match="GUARD_KAFKA_PASSWORD_FILE"):
        send(bus)
    access.lay(password=access.security.passwords["agent"])
    monkeypatch.setenv("GUARD_KAFKA_PASSWORD_FILE", str(access.files[2]))
    with access.by_password(password_file=None) as bus:
        send(bus)


def test_no_secret_is_in_any_log_or_error(access, caplog):
    caplog.set_level(logging.DEBUG)  # of all loggers, those of the client too: pytest listens to each
    told = []
    for password in ("hunter2-wrong", access.security.passwords["agent"]):
        access.lay(access.security.identities["agent"], password)
        for bus in (access.by_password(), access.by_certificate()):
            with bus, contextlib.suppress(BusError):
                send(bus)
            told += [repr(bus), str(vars(bus))]
    told.append(refused(access.by_password("nobody")))
    text = caplog.text + "\n".join(told)
    key = access.files[1].read_text().splitlines()[1]
    for secret in ("hunter2-wrong", access.security.passwords["agent"], key):
        assert secret not in text
