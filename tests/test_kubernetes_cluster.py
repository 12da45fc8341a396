"""The contract of all clusters, against a real API server with its scheduler and controllers."""

import pytest

from tests.cluster_contract import ClusterContract

pytestmark = pytest.mark.needs("kubernetes")


class TestKubernetesCluster(ClusterContract):
    @pytest.fixture
    def world(self, kube_world):
        return kube_world
