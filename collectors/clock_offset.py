"""How far the kernel believes its clock to be from the reference, from adjtimex(2). Nothing is set."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

_TIME_ERROR = 5
_STA_PLL = 0x0001
_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000


class _Timex(ctypes.Structure):
    """``struct timex`` of ``sys/timex.h``, up to the status; the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("largest_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What adjtimex(2) answered.

    Attributes:
        state: its return value; 5 is an unsynchronised clock.
        status: bits ``STA_*``.
        offset: what is still to be added to the local clock, in microseconds, nanoseconds with ``STA_NANO``.
    """

    state: int
    status: int
    offset: int


def kernel_clock() -> KernelClock:
    """Ask the kernel.

    Raises:
        OSError: the C library has no adjtimex, or the call was refused.
    """
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except AttributeError as error:
        raise OSError("the C library has no adjtimex") from error
    timex = _Timex()  # modes 0: read only
    state = adjtimex(ctypes.byref(timex))
    if state < 0:
        raise OSError(ctypes.get_errno(), "adjtimex refused")
    return KernelClock(state=state, status=timex.status, offset=timex.offset)


def clock_offset(ask: Callable[[], KernelClock] = kernel_clock) -> tuple[float | None, str]:
    """Offset of the clock, local minus reference.

    Returns:
        Seconds and an empty text, or ``None`` and why it is not known.
    """
    try:
        clock = ask()
    except OSError as error:
        return None, str(error)
    if clock.state == _TIME_ERROR or clock.status & _STA_UNSYNC:
        return None, "the clock is not synchronised"
    if not clock.status & _STA_PLL:
        # chronyd steers by frequency and leaves the kernel's offset at zero, which looks like a perfect clock.
        return None, "the time daemon (chronyd?) does not tell the kernel its offset"
    # The kernel's offset is what it will add to the local clock: reference minus local.
    return -clock.offset / (1e9 if clock.status & _STA_NANO else 1e6), ""
