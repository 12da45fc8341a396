"""Who this machine is: the scheduler's name of the node, and the hardware under it."""

import re
import socket
from pathlib import Path

from guard.config import Config

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_MACHINE = re.compile(r"[0-9a-f]{32}")
"""machine-id(5). An image that has not booted yet says ``uninitialized``, and so would all of its copies."""
_MACHINE_ID = Path("/etc/machine-id")


def node_name(config: Config) -> str:
    """The configured name, else the host name up to its first dot, as schedulers have it."""
    return config.node.name or socket.gethostname().partition(".")[0] or "localhost"


def instance_id(config: Config) -> str:
    """The configured instance, else the EC2 instance id that the firmware shows, else the machine id."""
    if config.node.instance:
        return config.node.instance
    asset = _line(Path(config.agent.roots.sys) / "class/dmi/id/board_asset_tag")
    if _INSTANCE.fullmatch(asset):
        return asset
    machine = _line(_MACHINE_ID)
    return machine if _MACHINE.fullmatch(machine) else f"host-{node_name(config)}"


def _line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(256).decode("ascii", "ignore").strip()
    except OSError:
        return ""
