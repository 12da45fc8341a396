"""Slurm's adapter keeps the contract of clusters, on a real Slurm."""

import pytest

from tests.cluster_contract import ClusterContract
from tests.slurm_world import SlurmWorld

pytestmark = pytest.mark.needs("slurm")


class TestSlurm(ClusterContract):
    @pytest.fixture
    def world(self, slurm, tmp_path):
        world = SlurmWorld(slurm, tmp_path)
        yield world
        world.restore()
