"""Ports that nothing listens on, and that nothing gets by chance while a killed broker is away."""

import random
import socket

_LOWEST, _HIGHEST = 10_000, 32_000
"""Below Linux's range for outgoing connections (32,768 to 60,999): one of those could take a broker's port."""


def free(count: int, host: str = "127.0.0.1") -> list[int]:
    """``count`` different ports of ``host`` that are free now."""
    found: list[int] = []
    for port in random.sample(range(_LOWEST, _HIGHEST), 1000):
        if len(found) == count:
            return found
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            found.append(port)
    raise OSError(f"no {count} free ports on {host} between {_LOWEST} and {_HIGHEST}")
