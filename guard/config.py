"""The configuration of one machine: the types are the schema, the defaults and the documentation."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from detectors.policy import Policy
from guard.bus.kafka_settings import KafkaSettings
from guard.page.settings import Page
from guard.remediate.settings import Remediation
from guard.topics.settings import Topics

Text = Annotated[str, Meta(min_length=1, max_length=253)]
Address = Annotated[str, Meta(pattern=r"^\S+:\d{1,5}$")]
_BROKER = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"
"""Host or bracketed IPv6 address, and port. No user or password fits in."""


class NeuronMonitor(Struct, frozen=True, forbid_unknown_fields=True):
    """The child that reads the Neuron devices."""

    command: Annotated[
        list[Text], Meta(min_length=1, description="program and arguments; under systemd PATH does not hold it")
    ] = msgspec.field(default_factory=lambda: ["/opt/aws/neuron/bin/neuron-monitor"])
    period: Annotated[float, Meta(ge=1, le=3600, description="seconds between its reports, whole ones")] = 5.0


class Roots(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the kernel's file systems are mounted; other places in containers."""

    sys: Annotated[Text, Meta(description="sysfs")] = "/sys"
    proc: Annotated[Text, Meta(description="procfs")] = "/proc"
    dev: Annotated[Text, Meta(description="devices")] = "/dev"


class Node(Struct, frozen=True, forbid_unknown_fields=True):
    """Who this machine is."""

    name: Annotated[Text | None, Meta(description="the scheduler's name for it; else the host name")] = None
    instance: Annotated[Text | None, Meta(description="the hardware; else EC2 instance id or machine id")] = None
    labels: Annotated[dict[str, str], Meta(description="where it sits: rack, ultraserver, instance_type, …")] = {}


class Agent(Struct, frozen=True, forbid_unknown_fields=True):
    """`guard agent`."""

    period: Annotated[float, Meta(ge=0.1, le=3600, description="seconds between records")] = 10.0
    rings: Annotated[Text, Meta(description="directory of the step rings")] = "/run/guard-rings"
    spool: Annotated[Text, Meta(description="file for records while the bus is away")] = (
        "/var/lib/guard/spool.sqlite"
    )
    spool_bytes: Annotated[int, Meta(ge=65536, description="bound of the spool; the oldest give way")] = 64 << 20
    metrics: Annotated[Address | None, Meta(description="HOST:PORT for Prometheus; null: none")] = "127.0.0.1:9464"
    disabled: Annotated[list[Text], Meta(description="collectors to leave out, by name")] = []
    neuron_monitor: NeuronMonitor = NeuronMonitor()
    roots: Roots = Roots()

    def __post_init__(self) -> None:
        """Refuse a port that there cannot be."""
        if self.metrics and int(self.metrics.rpartition(":")[2]) > 65535:
            raise ValueError(f"metrics is {self.metrics}, expected a port up to 65535")


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """`guard detect` as a process; what it decides by is in `detect`."""

    metrics: Annotated[Address | None, Meta(description="HOST:PORT for Prometheus; null: none")] = "127.0.0.1:9465"


class Report(Struct, frozen=True, forbid_unknown_fields=True):
    """`guard report`."""

    stale_after: Annotated[
        float, Meta(gt=0, description="seconds without a word from the detector until a report has no answer")
    ] = 180.0


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One machine: a YAML file, /etc/guard/guard.yaml."""

    cluster: Annotated[Text, Meta(description="the fleet; node names are unique inside it")] = "default"
    bus: Annotated[
        str,
        Meta(
            # file://host/… would be read as a path, and has room for a password, which no configuration holds.
            pattern=rf"^(file:(?!//[^/]).+|kafka://{_BROKER}(,{_BROKER})*)$",
            description="file:PATH (whoever may write the file is an operator) or kafka://HOST:PORT,HOST:PORT,…",
        ),
    ] = "file:/var/lib/guard/bus.sqlite"
    node: Node = Node()
    agent: Agent = Agent()
    detect: Policy = Policy()
    detector: Service = Service()
    remediation: Remediation = Remediation()
    page: Page = Page()
    report: Report = Report()
    kafka: KafkaSettings = KafkaSettings()
    topics: Topics = Topics()
