"""The section ``remediation`` of the configuration: which cluster is acted on, and how."""

from typing import Annotated, get_args

from msgspec import Meta, Struct, field

from remediation.policy import Policy
from remediation.views import Repair

Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Address = Annotated[str, Meta(pattern=r"^\S+:\d{1,5}$")]
Selector = Annotated[str, Meta(max_length=1000, description="label selector of the nodes to see; empty: all")]
Namespace = Annotated[Text | None, Meta(description="where the jobs are; null: everywhere")]
Kubeconfig = Annotated[Text | None, Meta(description="file; null: the pod's service account")]
Domains = Annotated[
    dict[str, str], Meta(description="fault domains by the label that tells each; none: the usual ones")
]


class Slurm(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="slurm"):
    """Slurm, by `scontrol` and `squeue`."""

    configuration: Annotated[Text | None, Meta(description="slurm.conf; null: in its usual place")] = None


class Kubernetes(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="kubernetes"):
    """Kubernetes, by the official client: pip install 'trn-guard[kubernetes]'."""

    kubeconfig: Kubeconfig = None
    nodes: Selector = ""
    namespace: Namespace = None
    domains: Domains = {}


class HyperPodSlurm(Slurm, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="hyperpod-slurm"):
    """SageMaker HyperPod with Slurm."""


class HyperPodKubernetes(
    Kubernetes, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="hyperpod-kubernetes"
):
    """SageMaker HyperPod with EKS."""


class Command(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="command"):
    """A program of yours, with JSON on stdin."""

    command: Annotated[list[Text], Meta(min_length=1, description="program and arguments")]
    repairs: Annotated[list[Repair], Meta(description="what it can do to a broken node: reboot, replace")] = []


ClusterChoice = Slurm | Kubernetes | HyperPodSlurm | HyperPodKubernetes | Command
KINDS = tuple(str(choice.__struct_config__.tag) for choice in get_args(ClusterChoice))


class Remediation(Struct, frozen=True, forbid_unknown_fields=True):
    """`guard remediate`."""

    cluster: Annotated[
        ClusterChoice | None,
        Meta(
            description="kind: slurm, kubernetes, hyperpod-slurm, hyperpod-kubernetes or command, and what it"
            " needs; null: nothing is seen or done"
        ),
    ] = None
    look_within: Annotated[
        float, Meta(gt=0, le=300, description="seconds that one look at the cluster may take")
    ] = 20.0
    metrics: Annotated[Address | None, Meta(description="HOST:PORT for Prometheus; null: none")] = "127.0.0.1:9466"
    policy: Policy = field(default_factory=Policy)
