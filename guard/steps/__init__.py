"""The step hook: what a training loop calls so that guard sees where each rank spends its time.

    from guard import steps

    recorder = steps.open(synced=True)
    for batch in batches:
        with recorder.step() as step:
            with recorder.section("compute"):
                ...
            with recorder.section("collective"):
                ...

It writes to shared memory with plain stores and no system call. It never waits, raises or prints; without
an agent it costs the same and does nothing visible. Use a recorder from the thread that opened it: sections of
other threads are ignored. Standard library and ``guard.ring`` only.
"""

from guard.steps.recorder import StepRecorder, open  # noqa: A004  (as in tarfile.open: read as steps.open)

__all__ = ["StepRecorder", "open"]
