"""A real Kubernetes control plane for tests: started when a test asks, shared, and gone with the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kube_server import KubeServer
    from tests.kube_world import KubeWorld


_SECONDS = 300
"""For a test with the start of the control plane in it: 6 s, and many times that on a machine with much to do."""


def pytest_itemcollected(item):
    if any("kubernetes" in marker.args for marker in item.iter_markers("needs")):
        item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def kube(tmp_path_factory) -> Iterator[KubeServer]:
    """One for all tests: whoever pauses it resumes it. Needs ``kubernetes``."""
    from tests.kube_server import KubeServer  # noqa: PLC0415 - the client takes half a second to import

    with KubeServer(tmp_path_factory.mktemp("kubernetes") / "one") as server:
        yield server


@pytest.fixture
def kube_world(kube) -> Iterator[KubeWorld]:
    """A namespace and four nodes of the test's own, with kubelets, and guard's adapter over them."""
    from tests.kube_world import KubeWorld  # noqa: PLC0415

    with KubeWorld(kube) as world:
        yield world
