"""Causes from sections and signals, and the past of hardware."""

import pytest

from detectors.cause import cause_of_node
from detectors.lemons import Lemons
from detectors.verdict import VERDICT_SCHEMA, Cause, Evidence, Role, Severity, Status, Verdict

DAY = 86_400.0


def signal(name: str, score: float) -> Evidence:
    return Evidence(name, 2.0, 1.0, score, 5)


@pytest.mark.parametrize(
    ("excess", "signals", "cause"),
    [
        ({"compute": 0.2, "data": 0.01}, [], Cause.COMPUTE),
        ({"compute": 0.2}, [("neuron.device.power", -6), ("neuron.exec.latency.p50", 5)], Cause.COMPUTE),
        ({"compute": 0.2}, [("neuron.ecc.mem.corrected", 12)], Cause.MEMORY),
        ({"compute": 0.2}, [("neuron.ecc.mem.corrected", 3)], Cause.COMPUTE),
        ({"compute": 0.2}, [("host.pressure.cpu", 8), ("host.context_switches", 6)], Cause.HOST),
        ({"compute": 0.2}, [("host.cpu.frequency", -8)], Cause.HOST),
        ({"compute": 0.2}, [("host.pressure.io", 8)], Cause.COMPUTE),
        ({"compute": 0.2}, [("neuron.exec.latency.p50", 20), ("host.load1", 5)], Cause.COMPUTE),
        ({"compute": 0.2}, [("neuron.ecc.sram.uncorrected", 5)], Cause.DEVICE),
        ({"compute": 0.2}, [("neuron.ecc.mem.uncorrected", 5)], Cause.MEMORY),
        ({"compute": 0.2}, [("neuron.exec.errors", 5)], Cause.COMPUTE),
        ({"data": 0.3, "compute": 0.1}, [], Cause.INPUT),
        ({"host": 0.3}, [], Cause.HOST),
        ({"checkpoint": 0.3}, [], Cause.STORAGE),
        ({"compute": -0.1}, [], Cause.UNKNOWN),
        ({}, [], Cause.UNKNOWN),
        ({}, [("efa.retrans_pkts", 9), ("host.load1", 5)], Cause.NETWORK),
        ({}, [("host.clock.offset", 9)], Cause.UNKNOWN),
        ({}, [("host.pressure.io", 9), ("host.disk.busy_seconds", 7)], Cause.STORAGE),
        ({}, [("host.pressure.io", 9), ("host.cpu.iowait", 7), ("host.disk.busy_seconds", 3)], Cause.INPUT),
        ({"data": 0.3}, [("host.cpu.iowait", 9)], Cause.INPUT),
        ({"host": 0.3}, [("host.disk.busy_seconds", 9)], Cause.STORAGE),
        ({}, [("neuron.core.utilization:odd", 9), ("neuron.device.power", -5)], Cause.COMPUTE),
        ({}, [("neuron.device.power", -3)], Cause.COMPUTE),
        ({}, [("neuron.exec.latency.p99", 9), ("neuron.ecc.mem.corrected", 6)], Cause.MEMORY),
        ({}, [("neuron.device.power", -1.5)], Cause.UNKNOWN),
        ({}, [("neuron.exec.errors", 3)], Cause.COMPUTE),
    ],
)
def test_cause(excess, signals, cause):
    found = cause_of_node(excess, [signal(*one) for one in signals])
    assert found.cause is cause


def test_support_is_what_speaks_for_the_cause():
    against = [signal("host.pressure.cpu", 8), signal("neuron.exec.latency.p50", 6), signal("host.load1", 5)]
    found = cause_of_node({"compute": 0.2}, against)
    assert [one.signal for one in found.support] == ["host.pressure.cpu", "host.load1"]


def test_one_slow_device_is_explained_by_its_memory_but_not_by_the_host():
    excess, contended = {"compute": 0.2}, [signal("host.pressure.cpu", 8)]
    assert cause_of_node(excess, contended).cause is Cause.HOST
    assert cause_of_node(excess, contended, one_device=True).cause is Cause.COMPUTE
    memory = [signal("neuron.ecc.mem.corrected", 8)]
    assert cause_of_node(excess, memory, one_device=True).cause is Cause.MEMORY
    assert cause_of_node({"data": 0.2}, [], one_device=True).cause is Cause.INPUT


def verdict(instance: str, since: float, status: Status = Status.STRAGGLER) -> Verdict:
    return Verdict(
        schema=VERDICT_SCHEMA,
        id="1",
        cluster="c",
        node="n",
        instance=instance,
        job=None,
        time=since + 60,
        since=since,
        status=status,
        role=Role.CULPRIT,
        cause=Cause.COMPUTE,
        device=None,
        slowdown=0.2,
        severity=Severity.WARNING,
        confidence=0.9,
    )


def test_a_past_raises_the_prior_and_fades():
    lemons = Lemons()
    lemons.note(verdict("i-1", 0.0))
    lemons.note(verdict("i-1", 60.0))
    lemons.note(verdict("i-2", 0.0, Status.WATCH))
    assert lemons.prior("i-1", 0.0) == 2.0
    assert lemons.prior("i-1", 20 * DAY) < 1.3
    assert lemons.prior("i-1", 29 * DAY) == 1.0
    assert lemons.priors(["i-1", "i-2", "i-3"], 0.0) == [2.0, 1.0, 1.0]
    for day in range(10):
        lemons.add("i-1", day * DAY)
    assert lemons.prior("i-1", 10 * DAY) == 4.0
    lemons.forget(60 * DAY)
    assert lemons.past == {}
