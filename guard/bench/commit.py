"""Which code made a result."""

import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_DECIDES = ("detectors", "simulation", "guard/bench")
"""What a result depends on: other changes in the tree are no matter."""


def commit() -> str:
    """Short name of the commit, with a `+` if what decides has changed since; `unknown` outside a clone."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--", *_DECIDES) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=_ROOT, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()
