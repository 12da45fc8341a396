"""Driver statistics of a network interface, as ``ethtool -S`` shows them, through the SIOCETHTOOL ioctl.

Layouts: ``linux/ethtool.h``, ``linux/sockios.h``, ``net/if.h``. No privilege is needed.
"""

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_GSTRINGS = 0x1B
_GSTATS = 0x1D
_GSSET_INFO = 0x37
_SS_STATS = 1
_NAME_BYTES = 32
"""ETH_GSTRING_LEN"""
MOST_STATISTICS = 8192
"""An ENA adapter with 128 queues has about four thousand."""
_SPARE = 1024
"""The kernel writes as many as there are by then, whatever was asked for: room for queues that were just added."""


def read_statistics(interface: str) -> dict[str, int]:
    """Read the running totals that the driver of an interface counts.

    Raises:
        OSError: no such interface, or its driver has no statistics, or more than ``MOST_STATISTICS``.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        count = _count(channel, interface)
        room = count + _SPARE
        names = array.array("B", struct.pack("=III", _GSTRINGS, _SS_STATS, count) + bytes(room * _NAME_BYTES))
        _ask(channel, interface, names)
        totals = array.array("B", struct.pack("=II", _GSTATS, count) + bytes(room * 8))
        _ask(channel, interface, totals)
    answered = min(count, struct.unpack_from("=I", names, 8)[0], struct.unpack_from("=I", totals, 4)[0])
    text = names.tobytes()[12:]
    rows = (text[row * _NAME_BYTES : (row + 1) * _NAME_BYTES].split(b"\0", 1)[0] for row in range(answered))
    return dict(
        zip(
            (row.decode("ascii", "replace") for row in rows),
            struct.unpack_from(f"={answered}Q", totals, 8),
            strict=True,
        )
    )


def _count(channel: socket.socket, interface: str) -> int:
    # struct ethtool_sset_info: cmd, reserved, a 64 bit mask of sets, and a count for each set that the driver has.
    question = array.array("B", struct.pack("=IIQI", _GSSET_INFO, 0, 1 << _SS_STATS, 0))
    _ask(channel, interface, question)
    _, _, sets, count = struct.unpack("=IIQI", question)
    if not sets & 1 << _SS_STATS or not count:
        raise OSError(f"{interface}: its driver has no statistics")
    if count > MOST_STATISTICS:
        raise OSError(f"{interface}: {count} statistics, expected at most {MOST_STATISTICS}")
    return int(count)


def _ask(channel: socket.socket, interface: str, buffer: "array.array[int]") -> None:
    name = interface.encode()
    if not 0 < len(name) < 16:
        raise OSError(f"{interface!r} is no name of an interface: 1 to 15 bytes")
    # struct ifreq: the name, and a union of 24 bytes that holds the address of the buffer.
    fcntl.ioctl(channel, _SIOCETHTOOL, struct.pack("16sP16x", name, buffer.buffer_info()[0]))
