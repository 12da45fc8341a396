"""From the configuration to a cluster. Adapters are imported in the child, where they are used."""

from functools import partial
from pathlib import Path

from guard.remediate.child import Opener
from guard.remediate.settings import ClusterChoice, Command, HyperPodKubernetes, HyperPodSlurm, Kubernetes, Slurm
from remediation.clusters.protocol import Cluster, ClusterUnavailableError, RefusedError

NO_CLUSTER = "no cluster is set: remediation.cluster, kind: slurm, kubernetes, … (guard config --schema)"


def opener(choice: ClusterChoice | None) -> Opener:
    """What opens the chosen cluster, in whichever process calls it."""
    return partial(open_cluster, choice)


def open_cluster(choice: ClusterChoice | None) -> Cluster:
    """Open the chosen cluster.

    Raises:
        ClusterUnavailableError: none is chosen.
        RefusedError: it needs a library that is not installed, or cannot be reached as it is set.
    """
    if choice is None:
        raise ClusterUnavailableError(NO_CLUSTER)
    try:
        return _open(choice)
    except ModuleNotFoundError as error:
        extra = "[kubernetes]" if isinstance(choice, Kubernetes) else ""
        raise RefusedError(
            f"remediation.cluster needs more ({error.name}): pip install 'trn-guard{extra}'"
        ) from error


def _open(choice: ClusterChoice) -> Cluster:
    match choice:
        case Kubernetes():
            return _kubernetes(choice)
        case Slurm():
            return _slurm(choice)
        case Command():
            return _command(choice)


def _kubernetes(choice: Kubernetes) -> Cluster:
    from remediation.clusters.hyperpod_kubernetes import HyperPodKubernetesCluster  # noqa: PLC0415
    from remediation.clusters.kubernetes import KubernetesCluster, KubernetesSettings, connect  # noqa: PLC0415

    path = Path(choice.kubeconfig) if choice.kubeconfig else None
    usual = KubernetesSettings()
    settings = KubernetesSettings(choice.nodes, choice.namespace, choice.domains or usual.domains)
    kind = HyperPodKubernetesCluster if isinstance(choice, HyperPodKubernetes) else KubernetesCluster
    return kind(connect(path), settings)


def _slurm(choice: Slurm) -> Cluster:
    from remediation.clusters.hyperpod import HyperPodSlurmCluster  # noqa: PLC0415
    from remediation.clusters.slurm import SlurmCluster  # noqa: PLC0415

    path = Path(choice.configuration) if choice.configuration else None
    return HyperPodSlurmCluster(path) if isinstance(choice, HyperPodSlurm) else SlurmCluster(path)


def _command(choice: Command) -> Cluster:
    from remediation.clusters.command import CommandCluster  # noqa: PLC0415

    return CommandCluster(choice.command, frozenset(choice.repairs))
