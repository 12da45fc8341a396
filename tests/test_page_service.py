"""`guard page` as a process: each incident once at each receiver, in order, and resolved; blindness is told."""

import time

import pytest

from guard.bus import Outgoing, Topic
from guard.commands.root import run
from tests.page_scene import CLUSTER, SECRETS, accused, alive, incident, scene, well
from tests.pager_receivers import Fault
from tools.kafka.topics import make_topics


def told_all(it, pages, last="resolve"):
    """Whether each receiver has heard of so many pages, from beginning to end."""
    ends = [actions for actions in it.pages().values() if actions[-1] == last]
    hooks = [one for one in it.hook.once if one.action == last]
    return len(ends) == len(hooks) == pages and len(it.team.taken) >= 2 * pages


def goes_through(it):
    it.start()
    it.started()
    opened, over = incident("n2")
    it.say(accused("n1", time.time()))
    it.enter(opened)
    it.until(lambda: len(it.pages()) == 2 and len(it.hook.taken) == 2)
    it.say(well("n1"))
    it.enter(over)
    it.until(lambda: told_all(it, 2))
    assert sorted(it.pages().values()) == [["trigger", "resolve"]] * 2
    assert len(it.oncall.incidents()) == 2
    numbers = {}
    for one in it.hook.taken:
        numbers.setdefault(one.key, []).append(one.body["number"])
    assert all(order == sorted(set(order)) for order in numbers.values())
    assert set(numbers) == set(it.pages())
    assert all(receiver.problems == [] for receiver in it.receivers)
    assert it.stop() < 2.0
    assert it.processes[-1].returncode == 0


def test_each_incident_appears_once_at_each_receiver_in_order_and_is_resolved(tmp_path):
    with scene(tmp_path) as it:
        goes_through(it)


@pytest.mark.needs("kafka")
def test_the_same_on_real_brokers(tmp_path, kafka, prefix):
    make_topics(kafka.bootstrap, prefix)
    with scene(tmp_path, f"kafka://{kafka.bootstrap}", prefix) as it, alive(it, Topic.TELEMETRY, Topic.SNAPSHOTS):
        goes_through(it)
        it.say(accused("n3", time.time()))
        time.sleep(0.2)  # an incident that lasts
        it.say(well("n3"))
        it.start()
        it.say(accused("n4", time.time()))
        it.until(lambda: sorted(it.pages().values()) == [["trigger"], *[["trigger", "resolve"]] * 3])
        it.until(lambda: it.heart.taken != [])
        assert it.stop() < 2.0


def test_what_began_and_ended_while_no_pager_ran_is_told_from_beginning_to_end(tmp_path):
    with scene(tmp_path) as it:
        it.start()
        it.started()
        it.say(accused("n1", time.time()))
        it.until(lambda: len(it.pages()) == 1)
        it.kill()
        it.say(well("n1"), accused("n2", time.time()))
        time.sleep(0.2)  # an incident that lasts
        it.say(well("n2"))
        it.start()
        it.until(lambda: told_all(it, 2))
        assert sorted(it.pages().values()) == [["trigger", "resolve"]] * 2


def test_what_was_over_before_the_very_first_start_is_told_nobody_and_what_stands_is(tmp_path):
    with scene(tmp_path) as it:
        opened, over = incident("n1")
        it.enter(opened, over)
        it.say(accused("n2", time.time() - 3600))
        it.start()
        it.until(lambda: len(it.hook.taken) >= 1)
        it.say(well("n2"))
        it.until(lambda: told_all(it, 1))
        assert len(it.pages()) == len({one.key for one in it.hook.taken}) == 1


def test_a_record_that_cannot_be_read_stops_nothing(tmp_path):
    with scene(tmp_path) as it:
        it.start()
        it.started()
        it.publish(
            *(
                Outgoing(topic, f"{CLUSTER}/x", value)
                for topic in (Topic.VERDICTS, Topic.LEDGER, Topic.CONTROL)
                for value in (b"\xff\x00", b"[]", b'{"schema":"guard.next/9"}')
            )
        )
        it.say(accused("n1", time.time()))
        it.until(lambda: len(it.pages()) == 1)
        assert it.log().count(", offset ") == 9
        assert "Traceback" not in it.log()


@pytest.mark.alone
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.FAIL])
def test_a_channel_that_is_down_delays_no_other_and_hears_everything_in_order_when_it_is_back(tmp_path, fault):
    with scene(tmp_path) as it:
        it.oncall.fail_always(fault)
        it.start()
        it.started()
        for node in ("n1", "n2"):
            began = time.monotonic()
            it.say(accused(node, time.time()))
            it.hook.wait(lambda taken, node=node: any(one.body["node"] == node for one in taken))
            assert time.monotonic() - began < 2.5  # 2 s of the sender and what publishing takes
            it.say(well(node))
        it.hook.wait(lambda taken: len(taken) == 4)
        assert it.oncall.taken == []
        it.oncall.fail_always(None)
        it.until(lambda: told_all(it, 2), 40)
        assert sorted(it.pages().values()) == [["trigger", "resolve"]] * 2


def test_a_refusal_is_not_tried_again_and_other_channels_say_so(tmp_path):
    with scene(tmp_path) as it:
        it.oncall.fail_always(Fault.REFUSE)
        it.start()
        it.started()
        it.say(accused("n1", time.time()))
        it.until(lambda: any(one.body["about"] == "channel" for one in it.hook.taken))
        assert it.oncall.requests == 2  # the straggler, and that it itself refuses
        assert any("oncall" in one.body["summary"] for one in it.hook.taken)


def blind(it, action):
    return [one.body["summary"] for one in it.hook.once if one.body["about"] == "blind" and one.action == action]


def goes_blind_and_sees_again(it, source, away, back):
    """A page says so, and no heart beats meanwhile; both end."""
    it.start()
    it.started()
    it.heart.wait(lambda taken: len(taken) >= 2)  # an idle fleet: no job, and nothing said of any
    away()
    it.until(lambda: len(blind(it, "trigger")) == 1)
    assert source in blind(it, "trigger")[0], it.told()
    beats = len(it.heart.taken)
    time.sleep(6)  # longer than from one beat to the next
    assert len(it.heart.taken) == beats
    back()
    it.until(lambda: len(blind(it, "resolve")) == 1)
    it.heart.wait(lambda taken: len(taken) > beats)
    assert len(blind(it, "trigger")) == 1
    it.until(lambda: it.pages() == {key: ["trigger", "resolve"] for key in {one.key for one in it.hook.taken}})
    assert all(receiver.problems == [] for receiver in it.receivers)


@pytest.mark.parametrize(
    ("source", "topics"), [("detector", {Topic.SNAPSHOTS}), ("telemetry", {Topic.TELEMETRY, Topic.SNAPSHOTS})]
)
def test_without_a_detector_or_telemetry_guard_says_that_it_is_blind_and_beats_no_heart(tmp_path, source, topics):
    with scene(tmp_path) as it, alive(it, Topic.TELEMETRY, Topic.SNAPSHOTS) as living:
        goes_blind_and_sees_again(
            it, source, lambda: living.difference_update(topics), lambda: living.update(topics)
        )


def test_without_the_bus_guard_says_that_it_is_blind_and_beats_no_heart(tmp_path):
    bus, aside = tmp_path / "bus.sqlite", tmp_path / "aside.sqlite"

    def away():
        bus.rename(aside)
        bus.mkdir()

    def back():
        bus.rmdir()
        aside.rename(bus)

    with scene(tmp_path) as it, alive(it, Topic.TELEMETRY, Topic.SNAPSHOTS):
        goes_blind_and_sees_again(it, "bus", away, back)
        it.say(accused("n1", time.time()))
        it.hook.wait(lambda taken: taken[-1].body["node"] == "n1")  # and it reads on


def test_no_secret_is_in_a_log_an_error_the_configuration_or_the_list_of_processes(tmp_path, capsys):
    with scene(tmp_path) as it:
        for receiver, fault in zip(it.receivers, (Fault.ECHO, Fault.FAIL, Fault.DROP), strict=True):
            receiver.fail(fault)
        it.heart.fail_always(Fault.ECHO)
        with alive(it, Topic.TELEMETRY, Topic.SNAPSHOTS):
            process = it.start()
            it.started()
            it.say(accused("n1", time.time()))
            it.until(lambda: "the heartbeat is not taken" in it.log() and len(it.hook.taken) == 1)
        proc = f"/proc/{process.pid}"
        shown = [it.log()]
        for name in ("cmdline", "environ"):
            with open(f"{proc}/{name}", "rb") as file:  # noqa: PTH123
                shown.append(file.read().decode(errors="replace"))
        for arguments in (["config"], ["page", "list"], ["page", "list", "--json"]):
            assert run(["--config", str(it.config), *arguments]) == 0
        shown.append(capsys.readouterr().out)
        assert "refused" in shown[-1]
        for secret in SECRETS:
            assert all(secret not in text for text in shown)
        assert "channel oncall refused" in shown[0]
