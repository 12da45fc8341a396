"""The agent of this node, put together as the configuration says."""

import threading
import uuid
from pathlib import Path

from collectors.efa import Efa
from collectors.ena import Ena
from collectors.host import Host
from collectors.kernel_log import KernelLog
from collectors.neuron_monitor import NeuronMonitorCollector
from collectors.neuron_sysfs import NeuronSysfs
from collectors.reading import Collector
from collectors.steps import StepsCollector
from guard import exposition
from guard.agent.metrics import Metrics
from guard.agent.outbox import Outbox
from guard.agent.panel import Panel
from guard.agent.record import Identity
from guard.agent.service import Agent
from guard.agent.spool import Spool
from guard.bus import open_bus
from guard.config import Config
from guard.config_file import ConfigError
from guard.identity import instance_id, node_name
from guard.systemd import Notifier


def assemble(config: Config, stop: threading.Event) -> Agent:
    """The agent, with its metrics served already.

    Args:
        config: of this machine.
        stop: set when it is to end.

    Raises:
        ConfigError: a collector is disabled that there is not.
        OSError: the address of the metrics cannot be had.
    """
    collectors = _collectors(config)
    metrics = Metrics([collector.name for collector in collectors], config.agent.spool_bytes)
    if config.agent.metrics:
        exposition.serve(metrics.registry, config.agent.metrics, "agent.metrics")
    return Agent(
        identity=Identity(
            cluster=config.cluster,
            node=node_name(config),
            instance=instance_id(config),
            boot=uuid.uuid4().hex,
            period=config.agent.period,
            labels=config.node.labels,
        ),
        panel=Panel(collectors),
        outbox=Outbox(
            lambda: open_bus(config.bus, config.kafka),
            lambda: Spool(Path(config.agent.spool), config.agent.spool_bytes),
        ),
        metrics=metrics,
        notifier=Notifier(),
        stop=stop,
        starts=lambda: sum(one.starts for one in collectors if isinstance(one, NeuronMonitorCollector)),
    )


def _collectors(config: Config) -> list[Collector]:
    """Every collector that is not disabled."""
    agent = config.agent
    sys, proc, dev = (Path(root) for root in (agent.roots.sys, agent.roots.proc, agent.roots.dev))
    collectors: list[Collector] = [
        StepsCollector(Path(agent.rings), Path(agent.spool).with_name("positions.json")),
        NeuronMonitorCollector(agent.neuron_monitor.command, agent.neuron_monitor.period),
        NeuronSysfs(sys),
        KernelLog(dev / "kmsg"),
        Efa(sys),
        Ena(sys),
        Host(proc, sys),
    ]
    names = [collector.name for collector in collectors]
    unknown = sorted(set(agent.disabled) - set(names))
    if unknown:
        raise ConfigError(f"agent.disabled: {unknown[0]!r} is no collector; there are {', '.join(names)}")
    return [collector for collector in collectors if collector.name not in agent.disabled]
