"""The simulated month: what each regime does about each kind of fault, and what that costs."""

import pytest

from guard.simulate.assumptions import HOUR, Assumptions
from guard.simulate.faults import Kind
from guard.simulate.month import Phase
from guard.simulate.regimes import AUTO, Regime, policy_of
from remediation.policy import Checkpoint, Mode, Modes, Policy
from tests.loop_months import NEVER, SMALL, fault, lost, month

A_TURN = 15.0
"""Seconds that guard takes at most from what it waits for until it acts: its turns are five seconds apart."""


@pytest.mark.parametrize("regime", Regime)
def test_a_month_without_faults_loses_nothing(regime):
    quiet = month(regime)
    assert quiet.training.work == pytest.approx(SMALL.seconds)
    assert (quiet.tally.starts, quiet.tally.faults, quiet.tally.people, quiet.tally.cordons) == (0, 0, 0, 0)


@pytest.mark.parametrize("regime", Regime)
def test_a_node_that_makes_steps_half_as_long_again_costs_a_third_for_as_long_as_it_stays(regime):
    assert lost(regime, fault(factor=1.5)) == pytest.approx((SMALL.seconds - 6 * HOUR) / 3)


@pytest.mark.parametrize("regime", Regime)
def test_of_two_slow_nodes_the_slower_sets_the_pace(regime):
    both = lost(regime, fault(factor=1.5), fault(node=4, number=1, factor=1.2))
    assert both == pytest.approx(lost(regime, fault(factor=1.5)))


@pytest.mark.parametrize("regime", [Regime.NOTHING, Regime.CHECKS])
def test_people_who_find_it_wait_for_a_checkpoint_and_lose_a_restart(regime):
    found = month(regime, fault(noticed=2 * HOUR))
    slow = 2 * HOUR + (SMALL.every - (2 * HOUR / 1.5) % SMALL.every) * 1.5
    assert SMALL.seconds - found.training.work == pytest.approx(slow / 3 + SMALL.restart, abs=1)
    assert (found.tally.people, found.tally.cordons, found.tally.starts) == (1, 1, 1)


def test_guard_asks_for_a_checkpoint_takes_the_node_out_and_loses_no_work():
    given = SMALL
    acted = month(Regime.GUARD, fault(accused=60.0))
    waiting = 60.0 + 60.0 + 60.0  # accused, confirmed, and until the step of the checkpoint
    cost = given.seconds - acted.training.work
    least = 120.0 / 3 + given.write + given.restart
    assert least < cost < waiting / 3 + given.write + given.restart + 3 * A_TURN
    assert (acted.tally.cordons, acted.tally.wrong, acted.tally.people, acted.tally.starts) == (1, 0, 0, 1)


def test_a_mended_node_is_given_back_and_may_work_again():
    acted = month(Regime.GUARD, fault(accused=60.0, repair=HOUR))
    assert not acted.fleet.node(3).cordoned
    away = month(Regime.GUARD, fault(accused=60.0, repair=NEVER))
    assert away.fleet.node(3).cordoned


def test_a_slow_node_that_is_well_again_before_it_is_accused_costs_no_restart():
    passed = month(Regime.GUARD, fault(Kind.TRANSIENT, passes=120.0, accused=200.0))
    assert passed.tally.starts == 0
    assert SMALL.seconds - passed.training.work == pytest.approx(40.0)


def test_a_false_accusation_costs_a_restart_and_a_person_and_the_node_comes_back():
    blamed = fault(Kind.FALSE, accused=0.0, noticed=3 * HOUR)
    wrong = month(Regime.GUARD, blamed)
    assert (wrong.tally.wrong, wrong.tally.cordons, wrong.tally.starts) == (1, 1, 1)
    assert wrong.tally.people == 2, (
        "a page, as the restart made nothing faster, and somebody who looks at the node"
    )
    assert not wrong.fleet.node(3).cordoned
    assert lost(Regime.GUARD, blamed) < SMALL.restart + SMALL.write + 2 * A_TURN
    assert lost(Regime.CHECKS, blamed) == pytest.approx(0)


def test_a_dead_node_stops_the_job_until_somebody_starts_it_anew():
    died = fault(Kind.HARD, time=6.1 * HOUR, noticed=2 * HOUR)
    unsaved = 0.1 * HOUR
    assert lost(Regime.NOTHING, died) == pytest.approx(2 * HOUR + SMALL.restart + unsaved, abs=1)
    assert lost(Regime.CHECKS, died) == pytest.approx(SMALL.node_fail + SMALL.restart + unsaved, abs=1)
    assert month(Regime.NOTHING, died).tally.people == 1
    assert month(Regime.CHECKS, died).tally.people == 0


def test_guard_starts_the_job_anew_as_soon_as_telemetry_names_the_dead_node():
    seen = fault(Kind.HARD, time=6 * HOUR, accused=SMALL.told)
    assert lost(Regime.GUARD, seen) < SMALL.told + SMALL.restart + 3 * A_TURN
    unseen = fault(Kind.HARD, time=6 * HOUR)
    assert lost(Regime.GUARD, unseen) == pytest.approx(lost(Regime.CHECKS, unseen), abs=1)


def test_a_hang_ends_with_the_job_s_time_out_or_sooner_with_guard():
    hangs = fault(Kind.HANG, time=6 * HOUR, accused=SMALL.hung)
    assert lost(Regime.CHECKS, hangs) == pytest.approx(SMALL.hang_timeout + SMALL.restart, abs=1)
    assert lost(Regime.GUARD, hangs) < SMALL.hung + SMALL.restart + 3 * A_TURN
    assert month(Regime.GUARD, hangs).tally.cordons == 1


def test_a_job_without_nodes_enough_waits_for_a_repair():
    broken = [
        fault(Kind.HARD, node=n, number=n, time=(1 + n) * HOUR, repair=6 * HOUR if n == 0 else NEVER)
        for n in range(5)
    ]
    lasts = month(Regime.CHECKS, *broken)
    assert lasts.phase is Phase.RUNNING
    # The fifth leaves fifteen of sixteen nodes, at 5 h; the first is back at 7 h.
    assert lasts.training.work == pytest.approx(SMALL.seconds - 2 * HOUR - SMALL.restart - 4 * 900, abs=4 * 1800)
    never = month(Regime.CHECKS, *broken[1:], fault(Kind.HARD, node=9, number=9, time=9 * HOUR, repair=NEVER))
    assert never.phase is Phase.WAITING


def test_without_a_spare_guard_leaves_a_slow_node_in_and_pages():
    none = Assumptions(nodes=16, spares=0, days=1.0)
    slow = month(Regime.GUARD, fault(accused=60.0), given=none)
    assert slow.tally.refused == {"spares": 1}
    assert (slow.tally.people, slow.tally.starts) == (1, 0)
    assert none.seconds - slow.training.work == pytest.approx((none.seconds - 6 * HOUR) / 3)


def test_shortly_before_the_job_s_end_a_restart_does_not_pay():
    late = month(Regime.GUARD, fault(time=SMALL.seconds - 1500, factor=1.3, accused=60.0))
    assert "economy" in late.tally.refused
    assert late.tally.starts == 0


def test_in_mode_observe_guard_does_what_hard_fault_checks_do():
    watching = policy_of(SMALL)
    faults = (
        fault(accused=60.0, noticed=3 * HOUR),
        fault(Kind.HARD, node=5, number=1, time=9 * HOUR, accused=30.0),
    )
    policy = Policy(modes=Modes(), checkpoint=watching.checkpoint)
    assert all(mode is Mode.OBSERVE for mode in (policy.modes.cordon, policy.modes.restart))
    assert lost(Regime.GUARD, *faults, policy=policy) == pytest.approx(lost(Regime.CHECKS, *faults))


def test_accusations_of_many_at_once_trip_the_breaker_until_a_person_resets_it():
    storm = [fault(Kind.FALSE, node=n, number=n, accused=0.0) for n in range(6)]
    real = fault(node=9, number=9, time=6 * HOUR + SMALL.stopped + HOUR, accused=60.0)
    during = fault(node=9, number=9, time=6 * HOUR + HOUR, accused=60.0)
    assert month(Regime.GUARD, *storm).tally.cordons == 0
    assert month(Regime.GUARD, *storm, real).tally.cordons == 1
    slow = lost(Regime.GUARD, *storm, during)
    assert slow > (SMALL.stopped - HOUR) / 3


def test_limits_as_shipped_stop_guard_when_what_it_took_out_is_not_given_back():
    shipped = Policy(modes=AUTO, checkpoint=Checkpoint(path="/shared/{job}.json"))
    many = [
        fault(node=n, number=n, time=(2 + 4 * n) * HOUR, accused=60.0, repair=NEVER) for n in (0, 1, 2)
    ]  # fmt: skip
    assert month(Regime.GUARD, *many).tally.cordons == 3
    assert month(Regime.GUARD, *many, policy=shipped).tally.cordons < 3
