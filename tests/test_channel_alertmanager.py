"""Alertmanager: the contract against Debian's, its faults against a stand-in, and a cluster of several."""

import time

import pytest

from detectors.verdict import Severity
from remediation.alerts.alertmanager import AlertmanagerChannel, alert
from remediation.alerts.notice import Kind
from remediation.alerts.opening import open_channel
from remediation.alerts.protocol import RefusedError, SetupError, UnavailableError
from remediation.alerts.settings import Alertmanager
from tests import pager_schemas as schemas
from tests.channel_contract import PATIENCE, FaultContract, FaultWorld, LifeContract, World, example, fresh
from tests.pager_receivers import AlertmanagerReceiver, Fault

PASSWORD = "guard:alertmanagersecret"  # noqa: S105 - of a stand-in


class RealWorld(World):
    """People are notified of a page and of its end; its updates they see where they look at it."""

    story = ("firing", "resolved")

    def __init__(self, server):
        self.server = server
        self.channel = open_channel("alerts", Alertmanager(urls=[server.url], labels={"env": "test"}))

    def told(self, page, count):
        taken = self.server.people.wait(lambda taken: sum(one.key == page for one in taken) >= count)
        return tuple(one.action for one in taken if one.key == page)

    def incidents(self, page):
        told = [one.body["alerts"] for one in self.server.people.taken if one.key == page]
        names = {one["fingerprint"] for alerts in told for one in alerts}
        return len(names | {one["fingerprint"] for one in self.server.alerts(page)})


class StandInWorld(FaultWorld):
    story = ("alert", "alert", "alert", "resolve")
    secrets = (PASSWORD, "alertmanagersecret", "Z3VhcmQ6YWxlcnRtYW5hZ2Vyc2VjcmV0")

    def __init__(self, directory, receiver):
        self.receiver, self.file = receiver, directory / "password"
        self.file.write_text(PASSWORD)
        self.choice = Alertmanager(urls=[receiver.origin], password_file=str(self.file))
        self.channel = open_channel("alerts", self.choice)

    def told(self, page, count):
        taken = self.receiver.wait(lambda taken: sum(one.key == page for one in taken) >= count)
        return tuple(one.action for one in taken if one.key == page)

    def incidents(self, page):
        return len({str(one.body[0]["labels"]) for one in self.receiver.taken if one.key == page})

    def rotate(self):
        self.file.write_text("guard:second")

    def texts(self, body):
        return [*body[0]["labels"].values(), *body[0]["annotations"].values()]


@pytest.fixture
def real(alertmanager):
    world = RealWorld(alertmanager)
    yield world
    world.channel.close()


@pytest.fixture
def world(tmp_path):
    with AlertmanagerReceiver() as receiver:
        world = StandInWorld(tmp_path, receiver)
        yield world
        world.channel.close()


@pytest.mark.needs("alertmanager")
class TestLifeForReal(LifeContract):
    @pytest.fixture
    def world(self, real):
        return real


class TestLife(LifeContract):
    pass


class TestFaults(FaultContract):
    pass


@pytest.mark.needs("alertmanager")
def test_what_people_get_of_a_real_one(real):
    notice = example()
    real.channel.send(notice, PATIENCE)
    real.told(notice.page, 1)
    told = next(one.body for one in real.server.people.taken if one.key == notice.page)["alerts"][0]
    assert told["labels"] == {
        "alertname": "GuardStraggler",
        "cluster": "trn-a",
        "node": "node-17",
        "page": notice.page,
        "severity": "warning",
        "env": "test",
    }
    assert told["annotations"]["description"] == (
        "where: trn-a, node-17 (i-0abc)\ncost: 12 node-hours, 24 % of its speed"
    )
    assert told["annotations"]["job"] == "llama_7b"
    assert told["annotations"]["approve"] == "guard approve inc-0a1b2c"
    assert told["generatorURL"] == notice.runbook_url


@pytest.mark.needs("alertmanager")
@pytest.mark.parametrize("lasted", [0, 300])
def test_a_page_resolved_at_once_by_a_clock_half_a_minute_ahead_is_over(real, lasted):
    ahead = time.time() + 30
    page = fresh()
    real.channel.send(example(Kind.TRIGGER, page, time=ahead, since=ahead - lasted), PATIENCE)
    real.told(page, 1)
    real.channel.send(example(Kind.RESOLVE, page, 2, time=ahead, since=ahead - lasted), PATIENCE)
    assert real.told(page, 2) == ("firing", "resolved")
    assert real.server.alerts(page) == []


@pytest.mark.needs("alertmanager")
def test_a_clock_far_ahead_is_said_and_the_resolve_is_tried_again(real):
    page = fresh()
    real.channel.send(example(Kind.TRIGGER, page), PATIENCE)
    with pytest.raises(UnavailableError, match="its clock is behind ours") as caught:
        real.channel.send(example(Kind.RESOLVE, page, 2, time=time.time() + 300), PATIENCE)
    assert 235 < caught.value.retry_after < 245


@pytest.mark.needs("alertmanager")
def test_a_page_that_is_told_no_more_is_forgotten_only_after_that_long(alertmanager):
    page = fresh()
    choice = Alertmanager(urls=[alertmanager.url], forget=300)
    channel = AlertmanagerChannel("alerts", choice, {}, clock=lambda: time.time() - 298)
    channel.send(example(Kind.TRIGGER, page, since=time.time() - 1000), PATIENCE)
    taken = alertmanager.people.wait(lambda taken: sum(one.key == page for one in taken) >= 2)
    assert [one.action for one in taken if one.key == page] == ["firing", "resolved"]
    channel.close()


def test_labels_and_start_never_change_and_the_end_moves():
    page = fresh()
    choice = Alertmanager(urls=["http://a:9093"], labels={"node": "not this", "env": "prod"}, forget=600)
    since = time.time() - 600
    first = alert(example(Kind.TRIGGER, page, since=since), choice, now=1000.0 + since)
    then = alert(
        example(Kind.UPDATE, page, 2, since=since, severity=Severity.CRITICAL, summary="worse"),
        choice,
        1060.0 + since,
    )
    assert (first["labels"], first["startsAt"]) == (then["labels"], then["startsAt"])
    assert (first["labels"]["node"], first["labels"]["env"]) == ("node-17", "prod")
    assert (first["annotations"]["severity"], then["annotations"]["severity"]) == ("warning", "critical")
    assert first["endsAt"] < then["endsAt"]


def test_one_member_that_takes_it_is_enough_and_hangs_of_others_do_not_hold_it_up(tmp_path):
    with AlertmanagerReceiver() as well, AlertmanagerReceiver() as hung, AlertmanagerReceiver() as broken:
        hung.fail_always(Fault.HANG)
        broken.fail_always(Fault.FAIL)
        channel = open_channel("alerts", Alertmanager(urls=[hung.origin, well.origin, broken.origin]))
        began = time.monotonic()
        for _ in range(2):
            channel.send(example(), timeout=PATIENCE)
        assert time.monotonic() - began < 2 * 3
        assert (len(well.taken), hung.requests, broken.requests) == (2, 1, 2)
        began = time.monotonic()
        channel.close()
        assert time.monotonic() - began < 1
        hung.__exit__()


def test_notices_right_after_each_other_are_all_taken(world):
    for _ in range(50):
        world.channel.send(example(), PATIENCE)
    assert len(world.receiver.taken) == 50


def test_all_members_are_told(tmp_path):
    with AlertmanagerReceiver() as one, AlertmanagerReceiver() as other:
        channel = open_channel("alerts", Alertmanager(urls=[one.origin, other.origin]))
        channel.send(example(), PATIENCE)
        assert len(one.taken) == len(other.taken) == 1
        channel.close()


def test_refused_is_only_what_all_refuse(tmp_path):
    with AlertmanagerReceiver() as one, AlertmanagerReceiver() as other:
        channel = open_channel("alerts", Alertmanager(urls=[one.origin, other.origin]))
        one.fail_always(Fault.REFUSE)
        other.fail_always(Fault.LIMIT)
        with pytest.raises(UnavailableError):
            channel.send(example(), PATIENCE)
        other.fail_always(Fault.REFUSE)
        first, then = sorted((one.origin, other.origin))
        with pytest.raises(RefusedError, match=f"{first}.*{then}"):
            channel.send(example(), PATIENCE)
        channel.close()


def test_the_password_is_sent_and_the_new_one_after_a_rotation(world):
    for _ in range(2):
        world.channel.send(example(), PATIENCE)
        sent = world.receiver.headers["authorization"]
        world.rotate()
    assert sent == "Basic Z3VhcmQ6c2Vjb25k"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_somebody_can_set_right_there_is_tried_again(world, status):
    def refuse(headers, body):
        raise schemas.WrongError(status, f"not {PASSWORD}")

    world.receiver.examine = refuse
    with pytest.raises(UnavailableError, match=rf"it answered {status}: not \(secret\)$"):
        world.channel.send(example(), PATIENCE)


def test_a_page_of_somebody_else_is_no_success(world):
    world.receiver.fail(Fault.OTHER)
    with pytest.raises(UnavailableError, match="something else"):
        world.channel.send(example(), PATIENCE)


def test_a_label_that_alertmanager_would_refuse_is_said_at_once():
    with pytest.raises(SetupError, match=r"page\.channels\.alerts\.labels: 'a-b' is no name"):
        open_channel("alerts", Alertmanager(urls=["http://a:9093"], labels={"a-b": "c"}))


def test_repeats_and_updates_are_wanted():
    channel = open_channel("alerts", Alertmanager(urls=["http://a:9093"], repeat=30))
    assert (channel.repeat, channel.wants_updates) == (30, True)
    channel.close()
