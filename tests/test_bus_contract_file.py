"""The embedded bus passes the contract of every bus."""

import pytest

from guard.bus.file import FileBus
from tests.bus_contract import SESSION, BusContract


@pytest.mark.alone
class TestFileBus(BusContract):
    @pytest.fixture
    def make_bus(self, tmp_path):
        return lambda: FileBus(tmp_path / "bus.sqlite", session_timeout=SESSION)
