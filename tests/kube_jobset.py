"""JobSets for tests: the kind, as far as guard reads it, and what their controller does about missing Jobs."""

import contextlib
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tests.kube_world import KubeWorld, job_spec, until

GROUP, VERSION, PLURAL = "jobset.x-k8s.io", "v1alpha2", "jobsets"


class JobSets:
    """JobSets of a world. Their controller is not here: ``reconcile`` does its part, when a test wants it to."""

    def __init__(self, world: KubeWorld) -> None:
        self._world = world
        self._custom = client.CustomObjectsApi(world.api)
        self._define()

    def make(self, name: str, nodes: tuple[str, ...]) -> str:
        """A JobSet with one Job for each node; its name in views. Back when all run."""
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "JobSet",
            "metadata": {"name": name},
            "spec": {"nodes": list(nodes)},
        }
        self._custom.create_namespaced_custom_object(GROUP, VERSION, self._world.namespace, PLURAL, body)
        self.reconcile(name)
        until(lambda: len(self._world.running_of(self.label(name))) == len(nodes), f"JobSet {name} runs")
        return f"{self._world.namespace}/{name}"

    def reconcile(self, name: str) -> None:
        """Make the Jobs that are not there, as the controller does."""
        jobset = self.read(name)
        for number, node in enumerate(jobset["spec"]["nodes"]):
            with contextlib.suppress(ApiException):  # it is there
                self._world.batch.create_namespaced_job(
                    self._world.namespace, self._child(jobset, f"{name}-{number}", node)
                )

    def read(self, name: str) -> dict[str, Any]:
        return self._custom.get_namespaced_custom_object(GROUP, VERSION, self._world.namespace, PLURAL, name)

    def count_restart(self, name: str, restarts: int) -> None:
        """As the controller writes after a failure."""
        self._custom.patch_namespaced_custom_object(
            GROUP,
            VERSION,
            self._world.namespace,
            PLURAL,
            name,
            {"status": {"restarts": restarts}},
            _content_type="application/merge-patch+json",
        )

    def children(self, name: str) -> dict[str, str]:
        """UIDs of its Jobs, by name."""
        jobs = self._world.batch.list_namespaced_job(self._world.namespace, label_selector=self.label(name)).items
        return {job.metadata.name: job.metadata.uid for job in jobs}

    @staticmethod
    def label(name: str) -> str:
        return f"jobset.sigs.k8s.io/jobset-name={name}"

    def _child(self, jobset: dict[str, Any], name: str, node: str) -> dict[str, Any]:
        key, _, value = self.label(jobset["metadata"]["name"]).partition("=")
        spec = job_spec(self._world.namespace, (node,)) | {"backoffLimit": 0}
        spec["template"]["metadata"]["labels"][key] = value
        owner = {
            "apiVersion": jobset["apiVersion"],
            "kind": "JobSet",
            "name": jobset["metadata"]["name"],
            "uid": jobset["metadata"]["uid"],
            "controller": True,
        }
        return {"metadata": {"name": name, "labels": {key: value}, "ownerReferences": [owner]}, "spec": spec}

    def _define(self) -> None:
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
        names = {"kind": "JobSet", "listKind": "JobSetList", "plural": PLURAL, "singular": "jobset"}
        spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]}
        kinds = client.ApiextensionsV1Api(self._world.api)
        with contextlib.suppress(ApiException):  # another test defined it
            kinds.create_custom_resource_definition({"metadata": {"name": f"{PLURAL}.{GROUP}"}, "spec": spec})
        until(self._served, "the kind JobSet is served")

    def _served(self) -> bool:
        try:
            self._custom.list_namespaced_custom_object(GROUP, VERSION, self._world.namespace, PLURAL)
        except ApiException:
            return False
        return True
