"""The manifests of deploy/kubernetes, as a real API server takes them, and what their rights are good for."""

from pathlib import Path

import pytest
import yaml
from kubernetes import client, utils
from kubernetes.client.exceptions import ApiException

from guard.config_file import load
from remediation.clusters.kubernetes import KubernetesCluster
from remediation.clusters.protocol import RefusedError, Stamp
from tests.kube_world import until

DIRECTORY = Path(__file__).parents[1] / "deploy" / "kubernetes"
STAMP = Stamp("inc-0a1b2c", "compute")
needs_kubernetes = pytest.mark.needs("kubernetes")


def documents(file):
    return [document for document in yaml.safe_load_all((DIRECTORY / file).read_text()) if document]


def listed():
    return documents("kustomization.yaml")[0]["resources"]


def every(kind):
    return [document for file in listed() for document in documents(file) if document["kind"] == kind]


@pytest.fixture(scope="module")
def installed(kube):
    """Namespaces and rights, in earnest; the rest is only tried."""
    api = kube.client()
    for file in ("namespaces.yaml", "rbac.yaml"):
        for document in documents(file):
            utils.create_from_dict(api, document, field_validation="Strict")
    core = client.CoreV1Api(api)
    for namespace in ("guard", "guard-agents"):
        until(lambda n=namespace: core.list_namespaced_service_account(n).items, f"accounts of {namespace}")
    yield api
    api.close()


def remediator(kube, api, world):
    """Guard's adapter with the remediator's own token."""
    body = {"spec": {"audiences": None, "expirationSeconds": 600}}
    core = client.CoreV1Api(api)
    token = core.create_namespaced_service_account_token("remediator", "guard", body).status.token
    return kube.configuration(token), KubernetesCluster(kube.configuration(token), world.settings)


def test_every_manifest_is_listed():
    assert sorted(listed()) == sorted({path.name for path in DIRECTORY.glob("*.yaml")} - {"kustomization.yaml"})


@pytest.mark.parametrize("namespace", ["guard", "guard-agents"])
def test_the_configurations_are_such(namespace, tmp_path):
    [found] = [one for one in every("ConfigMap") if one["metadata"]["namespace"] == namespace]
    path = tmp_path / "guard.yaml"
    path.write_text(found["data"]["guard.yaml"])
    assert load(path).bus.startswith("kafka://")


@needs_kubernetes
@pytest.mark.parametrize("kind", ["ConfigMap", "DaemonSet", "Deployment", "PersistentVolumeClaim"])
def test_the_api_server_takes_each_to_the_letter(installed, kind):
    assert every(kind)
    for document in every(kind):
        utils.create_from_dict(installed, document, dry_run="All", field_validation="Strict")


@needs_kubernetes
@pytest.mark.parametrize("component", ["agent", "detector", "remediator", "pager"])
def test_the_security_standard_of_the_namespace_lets_the_pods_in(installed, component):
    [found] = [
        one for kind in ("DaemonSet", "Deployment") for one in every(kind) if one["metadata"]["name"] == component
    ]
    core, pod = (
        client.CoreV1Api(installed),
        {"metadata": {"name": "one"}, "spec": found["spec"]["template"]["spec"]},
    )
    core.create_namespaced_pod(found["metadata"]["namespace"], pod, dry_run="All")
    if component == "agent":
        pod["spec"]["serviceAccountName"] = "default"
        with pytest.raises(ApiException, match="restricted"):
            core.create_namespaced_pod("guard", pod, dry_run="All")


@needs_kubernetes
def test_the_remediators_rights_are_enough(kube, installed, kube_world):
    job = kube_world.start_job("train", kube_world.nodes[:2])
    _, cluster = remediator(kube, installed, kube_world)
    try:
        node = cluster.observe(10).nodes[kube_world.nodes[0]]
        cluster.cordon(node, STAMP, 10)
        view = cluster.observe(10)
        assert view.nodes[node.name].incident == STAMP.incident
        cluster.restart(view.jobs[job], node, 10)
        until(lambda: cluster.observe(10).jobs[job].restarts == 1, "the job was restarted")
        cluster.uncordon(node, STAMP.incident, 10)
        assert not cluster.observe(10).nodes[node.name].cordoned
    finally:
        cluster.close()
    selector = f"involvedObject.name={node.name}"
    assert len(kube_world.core.list_namespaced_event("default", field_selector=selector).items) == 2


@needs_kubernetes
def test_and_no_more_than_that(kube, installed, kube_world):
    configuration, cluster = remediator(kube, installed, kube_world)
    cluster.close()
    with client.ApiClient(configuration) as api:
        core, space = client.CoreV1Api(api), kube_world.namespace
        forbidden = (
            core.list_secret_for_all_namespaces,
            lambda: core.read_namespaced_secret("any", "guard"),
            lambda: core.delete_node(kube_world.nodes[0]),
            lambda: core.patch_node_status(kube_world.nodes[0], {}),
            lambda: core.delete_namespaced_pod("any", space),
            lambda: core.create_namespaced_pod(space, {"metadata": {"name": "any"}}),
            lambda: core.connect_get_namespaced_pod_exec("any", space, command=["true"]),
            lambda: client.BatchV1Api(api).create_namespaced_job(space, {"metadata": {"name": "any"}}),
            client.RbacAuthorizationV1Api(api).list_cluster_role,
            lambda: client.PolicyV1Api(api).delete_namespaced_pod_disruption_budget("any", space),
        )
        for act in forbidden:
            with pytest.raises(ApiException) as caught:
                act()
            assert caught.value.status == 403


@needs_kubernetes
def test_without_rights_an_act_is_refused_for_good(kube, installed, kube_world):
    """The detector's account has none."""
    core = client.CoreV1Api(installed)
    token = core.create_namespaced_service_account_token("detector", "guard", {"spec": {}}).status.token
    node = kube_world.cluster.observe(10).nodes[kube_world.nodes[0]]
    cluster = KubernetesCluster(kube.configuration(token), kube_world.settings)
    try:
        with pytest.raises(RefusedError, match="403"):
            cluster.cordon(node, STAMP, 10)
    finally:
        cluster.close()
