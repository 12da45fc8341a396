"""What the detector asks of Python's garbage collector."""

import gc

_GENERATIONS = (50_000, 20, 100)


def collect_rarely() -> None:
    """Look for cycles rarely, and never among what is loaded now.

    The detector holds millions of values, none in a cycle. At Python's own pace, a look every 700 new ones, the
    collector takes a quarter of the time that a record costs.
    """
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)
