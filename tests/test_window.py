import msgspec
import numpy as np

from collectors.telemetry import Telemetry
from detectors.window import OWN, Window
from tests.fleet import Fleet

replace = msgspec.structs.replace
RECORD, NEXT = Fleet(nodes=1, noise=0.0).records(2)


def with_steps(record: Telemetry, **changes: object) -> Telemetry:
    assert record.steps is not None
    return replace(record, steps=replace(record.steps, **changes))


def test_records_add_up() -> None:
    window = Window()
    window.add(0, RECORD)
    window.add(0, NEXT)
    totals = window.totals(1)
    assert totals.count[0, :2].tolist() == [20.0, 20.0]
    assert (totals.first[0, 0], totals.last[0, 0]) == (0.0, 19.0)
    np.testing.assert_allclose(totals.sections[:, 0, 0], [16.0, 1.0, 0.4])
    assert OWN == ("compute", "data", "host")


def test_value_missing_in_one_record_is_unknown_for_the_window() -> None:
    window = Window()
    window.add(0, RECORD)
    window.add(0, with_steps(NEXT, duration=[None, 9.0]))
    totals = window.totals(1)
    assert np.isnan(totals.duration[0, 0])
    assert totals.duration[0, 1] > 9


def test_period_without_finished_steps_changes_nothing() -> None:
    window = Window()
    window.add(0, RECORD)
    window.add(0, with_steps(NEXT, count=[0, 0], duration=[None, None], sections=None))
    assert not np.isnan(window.totals(1).sections[0, 0, :2]).any()


def test_sections_of_a_program_that_does_not_synchronise_are_unknown() -> None:
    window = Window()
    window.add(0, with_steps(RECORD, synced=False))
    assert np.isnan(window.totals(1).sections[:, 0, :2]).all()


def test_absurd_numbers_are_unknown() -> None:
    for value in (1e308, float("nan"), float("inf"), -1.0, 10**400):
        window = Window()
        window.add(0, with_steps(RECORD, duration=[value, 1.0]))
        assert np.isnan(window.totals(1).duration[0, 0])


def test_node_with_absurdly_many_ranks_is_left_out() -> None:
    many = 5000
    record = with_steps(RECORD, count=[1] * many)
    assert record.ranks is not None
    assert not Window().add(0, replace(record, ranks=replace(record.ranks, rank=[0] * many)))


def test_slots_and_ranks_grow_and_keep_what_they_had() -> None:
    window = Window()
    window.add(0, RECORD)
    window.add(500, Fleet(nodes=1, ranks=64).records(1)[0])
    totals = window.totals(501)
    assert totals.count[0, 0] == 10.0
    assert totals.count[500].sum() == 640.0
    assert totals.group[1].max() == -1


def test_cleared_window_is_empty_and_a_vacated_slot_has_no_ranks() -> None:
    window = Window()
    window.add(0, RECORD)
    window.clear()
    assert window.totals(1).count.sum() == 0
    assert window.totals(1).group.max() == 0
    window.vacate(0)
    window.vacate(10_000)
    assert window.totals(1).group.max() == -1
