"""The job's progress: a synchronous job goes as fast as its slowest node, and a stop loses what was not saved."""

import math

from guard.simulate.assumptions import DAY, Assumptions


class Training:
    """Work is counted in seconds of an undisturbed job. Lives within one month.

    Attributes:
        now: until when everything is accounted for, seconds since the start.
        work: made so far and not lost. `saved`: up to the newest checkpoint.
        running: whether steps are made, or would be but for a checkpoint being written.
        factor: of the step's time, by the slowest node.
        made: work done in all, also what was lost. `ran`: the time that it took.
        by_day: of both, made and ran, by day.
        resumed: work from which the attempt went on.
    """

    def __init__(self, given: Assumptions) -> None:
        self._given = given
        self.now = self.work = self.saved = self.made = self.ran = self.resumed = 0.0
        self.running = True
        self.factor = 1.0
        self.by_day = [(0.0, 0.0)] * math.ceil(given.days)
        self._writes_until = 0.0
        self._asked: float | None = None

    @property
    def steps(self) -> int:
        """Finished steps."""
        # A hair more: a step that is due now is finished, whatever rounding says.
        return int(self.work / self._given.step + 1e-6)

    def saved_steps(self, work: float | None = None) -> int:
        """Steps that a checkpoint, or `work`, holds."""
        return int((self.saved if work is None else work) / self._given.step + 1e-6)

    def advance(self, now: float) -> None:
        """Account for the time until `now`."""
        while self.now < now:
            until = min(now, (self.now // DAY + 1) * DAY)
            if self.running and self._writes_until > self.now:
                until = min(until, self._writes_until)
                self._account(until, 0.0)
            elif self.running:
                self._account(until, (until - self.now) / self.factor)
            self.now = until

    def stop(self) -> None:
        """No more steps; what was not saved is lost."""
        self.running = False
        self.work = self.saved
        self._asked = None
        self._writes_until = 0.0

    def start(self) -> None:
        """Steps are made again, from the newest checkpoint."""
        self.running = True
        self.resumed = self.saved

    def ask(self, at_step: int) -> float:
        """Ask for a checkpoint at a step; gives the seconds until it is reached, as fast as it goes now."""
        self._asked = at_step * self._given.step
        return max(self._asked - self.work, 0.0) * self.factor

    def write_asked(self) -> float | None:
        """Begin to write the checkpoint that was asked for, if it is time; else give the seconds until then.

        No steps are made for as long as it takes; then it is `written`.
        """
        if self._asked is None:
            return None
        left = (self._asked - self.work) * self.factor
        if left > 0:
            return left
        self._asked = None
        self._writes_until = self.now + self._given.write
        return None

    def written(self) -> None:
        """The checkpoint that was asked for is there."""
        if self.running:
            self.saved = max(self.saved, self.work)

    def until_checkpoint(self) -> float:
        """Seconds until the next periodic checkpoint, as fast as it goes now."""
        return (self._given.every - self.work % self._given.every) * self.factor

    def _account(self, until: float, work: float) -> None:
        self.work += work
        self.made += work
        self.ran += until - self.now
        self.saved = max(self.saved, self.work // self._given.every * self._given.every)
        day = min(int(self.now // DAY), len(self.by_day) - 1)
        made, ran = self.by_day[day]
        self.by_day[day] = (made + work, ran + until - self.now)
