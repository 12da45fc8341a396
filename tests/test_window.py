import msgspec
import numpy as np

from collectors.telemetry import Telemetry
from detectors.held import Packer
from detectors.observed import OWN, Totals
from detectors.window import Window
from tests.fleet import Fleet

replace = msgspec.structs.replace
RECORD, NEXT = Fleet(nodes=1, noise=0.0).records(2)


def with_steps(record: Telemetry, **changes: object) -> Telemetry:
    assert record.steps is not None
    return replace(record, steps=replace(record.steps, **changes))


def add(window: Window, slot: int, record: Telemetry) -> None:
    window.add([slot], [Packer().pack(record, 0)])


def totals_of(record: Telemetry) -> Totals:
    window = Window()
    add(window, 0, record)
    return window.totals(1)


def test_records_add_up() -> None:
    window = Window()
    add(window, 0, RECORD)
    add(window, 0, NEXT)
    totals = window.totals(1)
    assert totals.count[0, :2].tolist() == [20.0, 20.0]
    assert (totals.first[0, 0], totals.last[0, 0]) == (0.0, 19.0)
    np.testing.assert_allclose(totals.sections[:, 0, 0], [16.0, 1.0, 0.4, 2.0, np.nan], rtol=1e-6)
    assert OWN == ("compute", "data", "host")


def test_value_missing_in_one_record_is_unknown_for_the_window() -> None:
    window = Window()
    add(window, 0, RECORD)
    add(window, 0, with_steps(NEXT, duration=[None, 9.0]))
    totals = window.totals(1)
    assert np.isnan(totals.duration[0, 0])
    assert totals.duration[0, 1] > 9


def test_period_without_finished_steps_changes_nothing() -> None:
    window = Window()
    add(window, 0, RECORD)
    add(window, 0, with_steps(NEXT, count=[0, 0], duration=[None, None], sections=None))
    assert not np.isnan(window.totals(1).sections[0, 0, :2]).any()


def test_sections_of_a_program_that_does_not_synchronise_are_unknown() -> None:
    window = Window()
    add(window, 0, with_steps(RECORD, synced=False))
    assert np.isnan(window.totals(1).sections[:, 0, :2]).all()


def test_absurd_numbers_are_unknown() -> None:
    for value in (1e308, float("nan"), float("inf"), -1.0, 10**400):
        window = Window()
        add(window, 0, with_steps(RECORD, duration=[value, 1.0]))
        assert np.isnan(window.totals(1).duration[0, 0])


def test_node_with_absurdly_many_ranks_is_left_out() -> None:
    many = 5000
    record = with_steps(RECORD, count=[1] * many)
    assert record.ranks is not None
    assert totals_of(replace(record, ranks=replace(record.ranks, rank=[0] * many))).count.sum() == 0


def test_records_of_many_nodes_are_added_at_once_whatever_their_ranks() -> None:
    window, packer = Window(), Packer()
    records = [Fleet(nodes=1, ranks=1 + slot % 3).records(1)[0] for slot in range(9)]
    window.add(range(9), [packer.pack(record, 0) for record in records])
    assert window.totals(9).count.sum(axis=1).tolist() == [10.0 * (1 + slot % 3) for slot in range(9)]
    assert not window.empty


def test_holes_and_absurd_whole_numbers_leave_the_other_ranks_known() -> None:
    totals = totals_of(with_steps(RECORD, first_step=[None, 2**40], last_step=[9, None], count=[10, 2**40]))
    assert np.isnan(totals.first[0, :2]).all()
    assert totals.last[0, 0] == 9.0
    assert totals.count[0, :2].tolist() == [10.0, 0.0]


def test_slots_and_ranks_grow_and_keep_what_they_had() -> None:
    window = Window()
    add(window, 0, RECORD)
    add(window, 500, Fleet(nodes=1, ranks=64).records(1)[0])
    totals = window.totals(501)
    assert totals.count[0, 0] == 10.0
    assert totals.count[500].sum() == 640.0
    assert totals.stage[1].max() == -1


def test_cleared_window_is_empty_and_a_vacated_slot_has_no_ranks() -> None:
    window = Window()
    add(window, 0, RECORD)
    window.clear()
    assert window.totals(1).count.sum() == 0
    assert window.totals(1).stage.max() == 0
    window.vacate(0)
    window.vacate(10_000)
    assert window.totals(1).stage.max() == -1
