"""The ring all-reduce over real sockets: the sum, the same bits everywhere, and an end when a peer is gone."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.demo.allreduce import PeerError, RingAllReduce, Vector


def ring(world: int, timeout: float = 10.0) -> list[RingAllReduce]:
    pairs = [socket.socketpair() for _ in range(world)]
    return [
        RingAllReduce(rank, world, pairs[rank][0], pairs[rank - 1][1], timeout=timeout) for rank in range(world)
    ]


def sum_all(members: list[RingAllReduce], vectors: list[Vector]) -> None:
    with ThreadPoolExecutor(len(members)) as pool:
        for done in [pool.submit(member.sum, vector) for member, vector in zip(members, vectors, strict=True)]:
            done.result(timeout=30)


@settings(max_examples=40, deadline=None)
@given(world=st.integers(1, 7), length=st.integers(0, 40), seed=st.integers(0, 2**32 - 1))
def test_every_rank_ends_with_the_sum_and_with_the_same_bits(world: int, length: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = [random.standard_normal(length, dtype=np.float32) for _ in range(world)]
    expected = np.sum(vectors, axis=0, dtype=np.float64)
    members = ring(world)
    try:
        sum_all(members, vectors)
    finally:
        for member in members:
            member.close()
    np.testing.assert_allclose(vectors[0], expected, rtol=1e-5, atol=1e-5)
    assert len({vector.tobytes() for vector in vectors}) == 1


def test_vectors_far_larger_than_the_socket_buffers_do_not_block_the_ring() -> None:
    members = ring(4)
    vectors = [np.full(2_000_000, rank, dtype=np.float32) for rank in range(4)]
    try:
        sum_all(members, vectors)
        sum_all(members, vectors)
    finally:
        for member in members:
            member.close()
    assert all((vector == 24).all() for vector in vectors)


def test_a_peer_that_closed_is_an_error_at_once_for_all_others() -> None:
    members = ring(3)
    members[0].close()
    errors = _errors(members[1:])
    assert [type(error) for error in errors] == [PeerError, PeerError]


def test_a_silent_peer_is_an_error_after_the_timeout_and_not_a_hang() -> None:
    members = ring(3, timeout=0.2)
    start = time.monotonic()
    errors = _errors(members[1:])
    elapsed = time.monotonic() - start
    members[0].close()
    assert [type(error) for error in errors] == [PeerError, PeerError]
    assert 0.2 <= elapsed < 5


def _errors(members: list[RingAllReduce]) -> list[Exception | None]:
    """What the sum of each raises, each leaving the ring as a worker does when it ends."""
    errors: list[Exception | None] = [None] * len(members)

    def run(index: int) -> None:
        try:
            members[index].sum(np.ones(100, dtype=np.float32))
        except PeerError as error:
            errors[index] = error
        finally:
            members[index].close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(members))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return errors


@pytest.mark.parametrize("value", [np.float32("nan"), np.float32("inf")])
def test_what_is_not_finite_reaches_every_rank(value: np.float32) -> None:
    members = ring(2)
    vectors = [np.ones(3, dtype=np.float32), np.array([1, value, 1], dtype=np.float32)]
    try:
        sum_all(members, vectors)
    finally:
        for member in members:
            member.close()
    assert not any(np.isfinite(vector[1]) for vector in vectors)
