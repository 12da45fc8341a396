"""Where the embedded bus may lie: on a local file system, where SQLite's locks hold."""

import os
import re
from pathlib import Path

from guard.bus import BusError

_NETWORK = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "lustre", "ceph", "beegfs", "gpfs", "afs", "ocfs2", "gfs2")
)
_LOCAL_FUSE = frozenset(("fuse.fuse-overlayfs", "fuse.lxcfs"))
"""The root of a rootless container is one. Others (sshfs, ceph, glusterfs, s3fs) reach other machines."""
_MOUNTINFO = Path("/proc/self/mountinfo")


def refuse_network(path: Path) -> None:
    """Refuse a file system of several machines (https://sqlite.org/faq.html, question 5).

    Raises:
        BusError: ``path`` lies on one.
    """
    try:
        mounts = _MOUNTINFO.read_text(errors="surrogateescape")
    except OSError:
        return  # no /proc: nothing is known against the place
    kind = file_system(os.path.realpath(path), mounts)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE):
        raise BusError(f"bus {path}: lies on {kind}; the embedded bus needs a local disk, so choose another path")


def file_system(place: str, mountinfo: str) -> str:
    """The type of file system that holds the absolute path ``place``, or ``""``.

    ``mountinfo`` is the text of proc_pid_mountinfo(5). The longest mount point wins, the last of equal ones: it
    hides those before it.
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, parted, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not parted or len(fields) < 5:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), rest[0]
    return kind
