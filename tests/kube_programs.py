"""Where Kubernetes' programs are, for tests."""

import shutil
import subprocess
from pathlib import Path

_BUILD = Path(__file__).parents[1] / "tools" / "kube" / "build"


def programs() -> Path | None:
    """Where the built programs lie, ``None`` when they were never built."""
    found = subprocess.run([str(_BUILD), "--present"], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def available() -> bool:
    """Whether a control plane can be started here."""
    return shutil.which("etcd") is not None and programs() is not None
