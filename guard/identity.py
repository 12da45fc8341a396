"""Who this machine is: the scheduler's name of the node, and the hardware under it."""

import re
import socket
from pathlib import Path

from guard.config import Config

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")


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
    return _line(Path("/etc/machine-id")) or f"host-{node_name(config)}"


def _line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(256).decode("ascii", "ignore").strip()
    except OSError:
        return ""
