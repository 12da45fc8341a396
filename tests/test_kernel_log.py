"""Hard errors from the kernel log."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kernel_log import MOST_FAULTS, KernelLog
from collectors.reading import Gap, Now, Reading

UPTIME = 1000.0
BOOTED = 1_790_000_000.0


def at(seconds: float) -> Now:
    return Now(wall=BOOTED + UPTIME + seconds, monotonic=UPTIME + seconds)


def line(seconds: float, code: str = "SRAM_UNCORRECTABLE_ERROR", rest: str | None = None) -> bytes:
    who = "instance-id=i-0abc hostname=ip-10-0-0-1"
    fields = f"{who} nd-id=3 nc-id=1 serial-num=19fcda00f5ff6eb9 action=TERMINATE_INSTANCE"
    micros = int((UPTIME + seconds) * 1e6)
    return f"6,1234,{micros},-;NEURON_HW_ERR={code} {fields if rest is None else rest}\n".encode()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "kmsg"
    path.write_bytes(line(-500))
    return path


@pytest.fixture
def log(path):
    log = KernelLog(path)
    yield log
    log.close()


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def read(log: KernelLog, seconds: float) -> Reading:
    reading = log.collect(at(seconds))
    assert isinstance(reading, Reading), reading
    return reading


def test_what_was_logged_before_the_start_is_not_reported(log):
    assert read(log, 0) == Reading()


def test_an_error_becomes_a_fault_once_without_who_and_serial_number(log, path):
    read(log, 0)
    append(path, b"6,1,1,-;neuron: reset done\n" + line(2.5))
    (fault,) = read(log, 5).faults
    assert (fault.code, fault.device) == ("SRAM_UNCORRECTABLE_ERROR", 3)
    assert fault.time == pytest.approx(BOOTED + UPTIME + 2.5)
    assert fault.detail == "nc-id=1 action=TERMINATE_INSTANCE"
    assert read(log, 10).faults == ()


def test_a_code_that_nobody_knows_yet_is_a_fault_all_the_same(log, path):
    append(path, line(0, "SOME_NEW_ERROR_7", "affecting neuron devices"))
    (fault,) = read(log, 1).faults
    assert (fault.code, fault.device, fault.detail) == ("SOME_NEW_ERROR_7", None, None)


@pytest.mark.parametrize("code", ["", "lower_case", "A" * 65, "BAD-CODE", "MIXEDcase"])
def test_what_is_no_code_is_no_fault(log, path, code):
    append(path, line(0, code, ""))
    assert all(fault.code == "BAD" for fault in read(log, 1).faults)


def test_an_error_in_a_continuation_line_is_not_believed(log, path):
    append(path, b"6,1,1,-;message\n NEURON_HW_ERR=FORGED nd-id=1\n")
    assert read(log, 1).faults == ()


@pytest.mark.parametrize("rest", ["nd-id=-1", "nd-id=99999", "nd-id=x", "other-nd-id=1", "nd-id=1e3", "nd-id="])
def test_a_device_that_is_no_index_is_unknown(log, path, rest):
    append(path, line(0, rest=rest))
    assert [fault.device for fault in read(log, 1).faults] == [None]


def test_the_first_of_a_repeated_field_counts(log, path):
    append(path, line(0, rest="nd-id=3 action=A nd-id=4 action=B"))
    (fault,) = read(log, 1).faults
    assert (fault.device, fault.detail) == (3, "action=A")


@pytest.mark.parametrize(("stamped", "expected"), [(3.0, 3.0), (-400.0, 0.0), (60.0, 5.0)])
def test_the_time_of_a_fault_lies_inside_the_time_since_the_last_collect(log, path, stamped, expected):
    read(log, 0)
    append(path, line(stamped))
    (fault,) = read(log, 5).faults
    assert fault.time == pytest.approx(BOOTED + UPTIME + expected)


def test_a_line_without_a_stamp_is_dated_at_the_end_of_the_period(log, path):
    append(path, b"NEURON_HW_ERR=DMA_ERROR nd-id=0\n")
    assert [fault.time for fault in read(log, 5).faults] == [BOOTED + UPTIME + 5]


def test_a_line_that_arrives_in_two_pieces_is_read_when_it_is_whole(log, path):
    whole = line(0)
    append(path, whole[:40])
    assert read(log, 1).faults == ()
    append(path, whole[40:])
    assert len(read(log, 2).faults) == 1


def test_a_flood_of_errors_is_bounded_and_counted(log, path):
    append(path, line(0) * 500)
    reading = read(log, 1)
    assert len(reading.faults) == MOST_FAULTS
    assert reading.notes == {"kernel_log.faults": f"500 errors, the first {MOST_FAULTS} are reported"}


def test_a_line_without_end_is_cut_and_the_next_is_read(log, path):
    append(path, b"x" * 5_000_000 + b"\n" + line(0))
    assert len(read(log, 1).faults) == 1
    assert len(log._rest) == 0


def test_a_fifo_is_followed(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    log = KernelLog(path)
    assert read(log, 0).faults == ()
    with path.open("wb") as writer:
        writer.write(line(0))
        writer.flush()
        assert len(read(log, 1).faults) == 1
        assert read(log, 2).faults == ()
    log.close()


def test_an_overrun_is_noted_and_what_is_left_is_read(log, path, monkeypatch):
    append(path, line(0))
    failures = [OSError(errno.EPIPE, "Broken pipe")]
    real = os.read

    def overrun_once(descriptor, size):
        if failures:
            raise failures.pop()
        return real(descriptor, size)

    monkeypatch.setattr("collectors.kernel_log.os.read", overrun_once)
    reading = read(log, 1)
    assert len(reading.faults) == 1
    assert "lost messages" in reading.notes["kernel_log.lost"]
    assert read(log, 2).notes == {}


def test_a_log_that_fails_is_opened_again(log, path, monkeypatch):
    def fail(descriptor, size):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("collectors.kernel_log.os.read", fail)
        gap = log.collect(at(0))
    assert isinstance(gap, Gap)
    assert "Input/output error" in gap.reason
    assert "lost" in read(log, 1).notes["kernel_log.lost"]
    append(path, line(1))
    reading = read(log, 2)
    assert len(reading.faults) == 1
    assert reading.notes == {}


def test_a_missing_log_is_a_gap_until_it_appears(tmp_path):
    log = KernelLog(tmp_path / "kmsg")
    gap = log.collect(at(0))
    assert isinstance(gap, Gap)
    assert "No such file" in gap.reason
    (tmp_path / "kmsg").write_bytes(b"")
    assert "lost" in read(log, 1).notes["kernel_log.lost"]
    log.close()


def test_without_permission_the_gap_names_the_capability(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("collectors.kernel_log.os.open", refuse)
    gap = KernelLog(path).collect(at(0))
    assert isinstance(gap, Gap)
    assert "CAP_SYSLOG" in gap.reason


@given(st.binary(max_size=300))
def test_no_message_raises_and_every_code_is_a_name(text):
    fault = KernelLog(Path("/nonexistent"))._fault(b"NEURON_HW_ERR=" + text, at(0))
    if fault:
        assert fault.code.isascii()
        assert fault.code.replace("_", "A").isalnum()
        assert fault.code == fault.code.upper()


def test_the_real_kernel_log_is_read_from_its_end():
    log = KernelLog(Path("/dev/kmsg"))
    answer = log.collect(at(0))
    log.close()
    if isinstance(answer, Gap):
        pytest.skip(f"kmsg: {answer.reason}")
    assert answer.faults == ()
