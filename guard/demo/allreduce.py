"""Ring all-reduce between processes over stream sockets.

Each rank sends to the next and receives from the previous. A vector is cut into as many chunks as there are ranks:
``world - 1`` exchanges reduce one chunk on each rank, as many again hand the sums around. (Patarasuk and Yuan,
"Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009.) Each chunk is summed
in one order, on one rank, so that all ranks end with the same bits.
"""

import select
import socket
import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

TIMEOUT = 10.0
"""Seconds an exchange may take: far above a slowed peer's step, short enough that a dead one ends the job soon."""


class PeerError(Exception):
    """A neighbour in the ring went away or fell silent. The vector is left half summed."""


class RingAllReduce:
    """One rank's place in the ring. Owns both sockets."""

    def __init__(
        self,
        rank: int,
        world: int,
        to_next: socket.socket,
        from_previous: socket.socket,
        timeout: float = TIMEOUT,
    ) -> None:
        """Take a place in the ring.

        Args:
            rank: this process, counted from 0.
            world: how many there are.
            to_next: stream socket connected to rank + 1.
            from_previous: stream socket connected to rank - 1.
            timeout: seconds one exchange with the neighbours may take.
        """
        self._rank = rank
        self._world = world
        self._to_next = to_next
        self._from_previous = from_previous
        self._timeout = timeout
        self._received = np.empty(0, dtype=np.float32)
        to_next.setblocking(False)
        from_previous.setblocking(False)

    def sum(self, vector: Vector) -> None:
        """Replace ``vector`` by the sum over all ranks, in place. All ranks call it with the same length.

        Raises:
            PeerError: a neighbour is gone, or gave nothing within the timeout.
        """
        bounds = [len(vector) * part // self._world for part in range(self._world + 1)]
        chunks = [vector[start:end] for start, end in pairwise(bounds)]
        if len(self._received) < len(vector) // self._world + 1:
            self._received = np.empty(len(vector) // self._world + 1, dtype=np.float32)
        for turn in range(self._world - 1):
            outgoing = chunks[(self._rank - turn) % self._world]
            target = chunks[(self._rank - turn - 1) % self._world]
            incoming = self._received[: len(target)]
            self._exchange(outgoing, incoming)
            target += incoming
        for turn in range(self._world - 1):
            self._exchange(
                chunks[(self._rank + 1 - turn) % self._world], chunks[(self._rank - turn) % self._world]
            )

    def close(self) -> None:
        """Leave the ring; the neighbours see it at their next exchange."""
        self._to_next.close()
        self._from_previous.close()

    def _exchange(self, outgoing: Vector, incoming: Vector) -> None:
        """Send and receive at once: with all ranks only sending, full socket buffers would block them all."""
        unsent, missing = outgoing.view(np.uint8).data, incoming.view(np.uint8).data
        deadline = time.monotonic() + self._timeout
        while unsent or missing:
            writable, readable = self._wait(bool(unsent), bool(missing), deadline)
            try:
                if writable:
                    unsent = unsent[self._to_next.send(unsent) :]
                if readable:
                    count = self._from_previous.recv_into(missing)
                    if count == 0:
                        raise PeerError(f"rank {self._rank}: the rank before it closed the ring")
                    missing = missing[count:]
            except BlockingIOError:
                continue
            except OSError as error:
                raise PeerError(f"rank {self._rank}: {error.strerror or error}") from error

    def _wait(self, sending: bool, receiving: bool, deadline: float) -> tuple[bool, bool]:
        poll = select.poll()
        if sending:
            poll.register(self._to_next, select.POLLOUT)
        if receiving:
            poll.register(self._from_previous, select.POLLIN)
        remaining = max(0.0, deadline - time.monotonic())
        ready = {file for file, _ in poll.poll(remaining * 1000)}
        if not ready:
            raise PeerError(f"rank {self._rank}: no answer from its neighbours within {self._timeout:g} s")
        return self._to_next.fileno() in ready, self._from_previous.fileno() in ready
