"""A real Alertmanager for tests: started when the first test asks, shared, and gone with the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.alertmanager_server import AlertmanagerServer


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory) -> Iterator[AlertmanagerServer]:
    """One for all tests, which use pages of their own; needs ``alertmanager``."""
    from tests.alertmanager_server import AlertmanagerServer  # noqa: PLC0415 - loads httpx

    with AlertmanagerServer(tmp_path_factory.mktemp("alertmanager") / "one") as server:
        yield server
