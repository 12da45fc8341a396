"""A callback for the Hugging Face ``Trainer`` that records its steps.

    Trainer(..., callbacks=[StepCallback()])

The Trainer shows where steps begin and end, and nothing inside them: guard then knows how slow the job is, and
not who is at fault. Sections have to come from the training program: ``callback.recorder.section("compute")``.
"""

from typing import Any

from guard import steps

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError("guard.huggingface needs transformers: pip install transformers") from error


class StepCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Records each optimizer step, its checkpoints and where training resumed.

    Args:
        recorder: the recorder to use; None opens one from the environment.
    """

    def __init__(self, recorder: steps.StepRecorder | None = None) -> None:
        self.recorder = steps.open() if recorder is None else recorder
        self._step: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Say which step this attempt starts from."""
        self.recorder.resumed(state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Begin the step. ``global_step`` counts the finished ones, so it is this step's number."""
        self._step = self.recorder.step(state.global_step)
        self._step.__enter__()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:  # noqa: ARG002
        """End the step, and ask the Trainer for a checkpoint where one was requested at this step."""
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None
        if self.recorder.checkpoint_requested(state.global_step):
            control.should_save = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Say that the checkpoint of this step is on disk."""
        self.recorder.checkpoint_written(state.global_step)
