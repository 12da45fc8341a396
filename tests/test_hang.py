"""Whom a job that has stopped waits for."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.hang import HangPolicy, find_hang
from detectors.hang_conclude import Hang, conclude_hang
from detectors.observed import NO_SECTION, SECTIONS, Latest
from detectors.verdict import Cause, Role, Severity, Status

NOW = 1_790_000_000.0
POLICY = HangPolicy()
NAMES = (*SECTIONS, "evaluation")


@dataclass
class Scene:
    """A job in which all ranks wait in a collective since `idle` seconds, until something is changed."""

    nodes: int = 8
    ranks: int = 2
    idle: float = 400.0
    changes: dict[str, Any] = field(default_factory=dict)
    active: Any = None

    def __post_init__(self) -> None:
        shape = (self.nodes, self.ranks)
        self.time = np.full(self.nodes, NOW)
        self.current = np.full(shape, NAMES.index("collective"))
        self.age = np.full(shape, self.idle - 5)
        self.alive = np.ones(shape, dtype=int)
        self.last_step = np.full(shape, 100)
        self.last_end = np.full(shape, NOW - self.idle)
        self.rank = np.arange(shape[0] * shape[1]).reshape(shape)
        self.active = np.ones(self.nodes, dtype=bool)

    def put(
        self, node: int, rank: int | slice = 0, *, section: str = "compute", age: float | None = None
    ) -> "Scene":
        self.current[node, rank] = NAMES.index(section)
        if age is not None:
            self.age[node, rank] = age
        return self

    @property
    def latest(self) -> Latest:
        return Latest(
            self.time, self.current, self.age, self.alive, self.last_step, self.last_end, self.rank, NAMES
        )

    def look(self, *, step: float | None = 5.0, longest: float | None = 20.0, now: float = NOW) -> Hang | None:
        return find_hang(self.latest, self.active, now=now, step_time=step, longest=longest, policy=POLICY)

    def found(self) -> Hang:
        hang = self.look()
        assert hang is not None
        return hang


def test_rank_that_never_came_to_the_collective_is_the_culprit() -> None:
    hang = Scene().put(3, 1).found()
    assert (hang.culprits, hang.suspects, hang.since) == ((3,), (), NOW - 400)
    assert hang.reason == "rank 7 is in compute for 395 s, and the others wait in a collective"
    assert (hang.of(3).ranks, hang.of(3).section, hang.of(3).dead) == ((7,), "compute", False)


@pytest.mark.parametrize(
    ("section", "cause"),
    [
        ("compute", Cause.COMPUTE),
        ("data", Cause.INPUT),
        ("host", Cause.HOST),
        ("checkpoint", Cause.STORAGE),
        ("evaluation", Cause.UNKNOWN),
    ],
)
def test_cause_is_the_section_that_it_is_stuck_in(section: str, cause: Cause) -> None:
    conclusion = conclude_hang(Scene().put(3, section=section).found(), 3)
    assert (conclusion.status, conclusion.role, conclusion.cause) == (Status.STRAGGLER, Role.CULPRIT, cause)
    assert (conclusion.slowdown, conclusion.severity, conclusion.device) == (1.0, Severity.CRITICAL, None)
    assert [(e.signal, e.value, e.typical) for e in conclusion.evidence] == [("steps.current_age", 395.0, 395.0)]


@pytest.mark.parametrize(
    ("idle", "step", "longest"),
    [(299, 5, 20), (400, 41, 20), (400, 5, 134), (400, None, 134), (59, None, None)],
)
def test_pause_that_the_job_has_known_is_no_hang(idle: float, step: float | None, longest: float | None) -> None:
    assert Scene(idle=idle).put(3).look(step=step, longest=longest) is None


def test_rank_that_still_steps_somewhere_means_no_hang() -> None:
    scene = Scene().put(3)
    scene.last_end[6, 1] = NOW - 4
    assert scene.look() is None


def test_job_before_its_first_step_compiles() -> None:
    scene = Scene().put(3)
    scene.last_end[:] = np.nan
    scene.last_step[:] = -1
    assert scene.look() is None


def test_nothing_heard_of_anybody_is_silence_and_not_a_hang() -> None:
    assert Scene().put(3).look(now=NOW + 100) is None
    scene = Scene().put(3)
    scene.active[:] = False
    assert scene.look() is None


def test_clock_that_is_off_neither_hides_a_hang_nor_makes_one() -> None:
    scene = Scene().put(3)
    for skew, node in ((50.0, 1), (-50.0, 2)):
        scene.time[node] += skew
        scene.last_end[node] += skew
    assert scene.found().culprits == (3,)
    scene.last_end[5] = NOW + 3600  # set back by an hour between the step and the record
    assert scene.found().culprits == (3,)


def test_rank_that_is_a_step_behind_in_the_collective_is_the_culprit() -> None:
    scene = Scene()
    scene.last_step[5, 0] = 99
    hang = scene.found()
    assert (hang.culprits, hang.of(5).behind) == ((5,), (99, 100))
    conclusion = conclude_hang(hang, 5)
    assert (conclusion.cause, conclusion.evidence[0].signal) == (Cause.NETWORK, "steps.last_step")
    assert (conclusion.evidence[0].value, conclusion.evidence[0].typical) == (99.0, 100.0)


def test_half_the_job_a_step_behind_is_nobody() -> None:
    scene = Scene()
    scene.last_step[4:] = 99
    assert not scene.found().stuck


def test_dead_process_is_found_within_a_minute() -> None:
    scene = Scene(idle=61)
    scene.alive[2, 1] = 0
    hang = scene.found()
    assert (hang.culprits, hang.reason) == ((2,), "the process of rank 5 is gone, and the others wait for it")
    conclusion = conclude_hang(hang, 2)
    assert (conclusion.role, conclusion.cause) == (Role.CULPRIT, Cause.UNKNOWN)
    assert [e.signal for e in conclusion.evidence] == ["steps.alive", "steps.current_age"]
    assert scene.look(step=40.0) is None


def test_processes_that_exit_while_others_write_are_the_end_of_a_job() -> None:
    scene = Scene(idle=61)
    scene.current[:] = NO_SECTION
    scene.alive[2] = 0
    assert scene.look() is None
    scene = Scene(idle=900)
    scene.alive[1:] = 0
    scene.put(0, section="checkpoint")
    assert not scene.found().culprits


def test_death_without_sections_counts_when_the_job_has_long_stopped() -> None:
    scene = Scene()
    scene.current[:] = NO_SECTION
    scene.alive[2] = 0
    assert scene.found().culprits == (2,)


def test_everybody_in_a_checkpoint_waits_for_storage() -> None:
    scene = Scene()
    scene.current[:] = NAMES.index("checkpoint")
    scene.put(3)
    assert not scene.found().stuck
    assert "storage" in scene.found().reason


def test_many_outside_the_collective_are_a_recompilation() -> None:
    scene = Scene(nodes=16)
    for node in (1, 4, 7):
        scene.put(node, slice(None))
    assert not scene.found().stuck
    assert scene.found().reason.startswith("6 of 32 ranks are in compute for 395 s")
    scene.current[:] = NAMES.index("evaluation")
    assert not scene.found().stuck


def test_everybody_at_the_same_collective_points_at_the_network() -> None:
    hang = Scene().found()
    assert (hang.stuck, hang.waited) == ((), 395.0)
    assert "network is suspected" in hang.reason


def test_large_job_may_have_a_few_culprits() -> None:
    scene = Scene(nodes=200, ranks=1)
    for node in (150, 9, 44):
        scene.put(node)
    assert scene.found().culprits == (9, 44, 150)


@pytest.mark.parametrize("gone", [True, False])
def test_node_whose_agent_died_is_suspected_and_not_accused(gone: bool) -> None:
    scene = Scene()
    scene.time[6] -= 300
    scene.active[6] = not gone
    hang = scene.found()
    assert (hang.culprits, hang.suspects) == ((), (6,))
    conclusion = conclude_hang(hang, 6)
    assert (conclusion.status, conclusion.role) == (Status.WATCH, Role.INCONCLUSIVE)
    scene.time[5] -= 300
    assert not scene.found().stuck


def test_rank_in_an_unknown_section_is_suspected_and_not_accused() -> None:
    scene = Scene(nodes=4, ranks=1)
    scene.current[1] = NO_SECTION
    hang = scene.found()
    assert (hang.culprits, hang.suspects) == ((), (1,))
    assert hang.reason == "the state of rank 1 is not known, and all others wait in a collective"


def test_rank_that_still_moves_is_suspected_and_not_accused() -> None:
    hang = Scene().put(3, age=2.0).found()
    assert (hang.culprits, hang.suspects) == ((), (3,))


def test_first_rank_that_writes_alone_is_suspected_and_not_accused() -> None:
    for section in ("checkpoint", "evaluation"):
        hang = Scene().put(0, section=section).found()
        assert (hang.culprits, hang.suspects) == ((), (0,))
    assert Scene().put(0, section="data").found().culprits == (0,)


def test_too_few_other_nodes_suspect_and_do_not_accuse() -> None:
    hang = Scene(nodes=3).put(1).found()
    assert (hang.culprits, hang.suspects) == ((), (1,))


def test_node_that_says_nothing_of_steps_is_left_out() -> None:
    scene = Scene().put(3)
    scene.rank[6:] = -1
    scene.time[7] = np.nan
    assert scene.found().culprits == (3,)


def test_nobody_is_named_that_is_not_known_of() -> None:
    with pytest.raises(KeyError):
        conclude_hang(Scene().put(3).found(), 4)


@given(
    nodes=st.integers(1, 40),
    ranks=st.integers(1, 4),
    section=st.sampled_from([*range(len(NAMES)), NO_SECTION]),
    alive=st.sampled_from([1, 0, -1]),
    age=st.sampled_from([399.0, 3.0, np.nan, np.inf, 1e308, -1.0]),
)
def test_nobody_is_named_where_all_stand_alike(
    nodes: int, ranks: int, section: int, alive: int, age: float
) -> None:
    scene = Scene(nodes, ranks)
    scene.current[:], scene.alive[:], scene.age[:] = section, alive, age
    hang = scene.look()
    assert hang is None or not hang.culprits


@given(
    nodes=st.integers(4, 80),
    ranks=st.integers(1, 4),
    data=st.data(),
    idle=st.floats(301, 1e6),
    section=st.sampled_from(["compute", "data", "host"]),
)
def test_single_stopped_rank_is_found_among_any_number(
    nodes: int, ranks: int, data: st.DataObject, idle: float, section: str
) -> None:
    node, rank = data.draw(st.integers(0, nodes - 1)), data.draw(st.integers(0, ranks - 1))
    hang = Scene(nodes, ranks, idle).put(node, rank, section=section).found()
    assert hang.culprits == (node,)
    assert hang.of(node).ranks == (node * ranks + rank,)


def scenes() -> st.SearchStrategy[Scene]:
    """Jobs of which each rank stands anyhow, most of them waiting."""

    def build(seed: int, nodes: int, ranks: int, odd: float) -> Scene:
        chance = np.random.default_rng(seed)
        scene = Scene(nodes, ranks)

        def some(values: Any, to: list[float]) -> None:
            values[...] = np.where(chance.random(values.shape) < odd, chance.choice(to, values.shape), values)

        some(scene.current, [*range(len(NAMES)), NO_SECTION])
        some(scene.age, [np.nan, np.inf, 0.0, 1.0, 390.0])
        some(scene.alive, [0, -1])
        some(scene.last_step, [-1, 99, 98])
        some(scene.last_end, [np.nan, np.inf, NOW - 400])
        some(scene.rank, [-1])
        some(scene.time, [np.nan, NOW - 300, NOW - 3])
        scene.active = chance.random(nodes) > odd
        return scene

    odd = st.sampled_from([0.02, 0.1, 0.4])
    return st.builds(build, st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 3), odd)


@given(scenes(), st.integers(0, 2**32))
@settings(max_examples=100)
def test_order_of_nodes_does_not_matter(scene: Scene, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(scene.nodes)
    latest = scene.latest
    arrays = {
        name: getattr(latest, name)[order]
        for name in ("time", "current", "age", "alive", "last_step", "last_end", "rank")
    }
    one = scene.look()
    other = find_hang(
        replace(latest, **arrays), scene.active[order], now=NOW, step_time=5.0, longest=20.0, policy=POLICY
    )
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert sorted(order[list(other.culprits)]) == list(one.culprits)
        assert sorted(order[list(other.suspects)]) == list(one.suspects)
        assert other.since == one.since


@given(scenes())
@settings(max_examples=100)
def test_only_what_is_known_accuses(scene: Scene) -> None:
    hang = scene.look()
    if hang is None:
        return
    assert len(hang.culprits) <= max(1, min(4, scene.nodes // 50))
    for slot in hang.culprits:
        stuck = hang.of(slot)
        columns = np.isin(scene.rank[slot], stuck.ranks) & (scene.rank[slot] >= 0)
        assert scene.active[slot]
        assert abs(scene.time[slot] - NOW) < 61
        if stuck.dead:
            assert (scene.alive[slot, columns] == 0).all()
        else:
            assert (scene.current[slot, columns] != NO_SECTION).all()
            assert np.isfinite(scene.age[slot, columns]).all()
        for evidence in conclude_hang(hang, slot).evidence:
            assert np.isfinite([evidence.value, evidence.typical, evidence.score]).all()
