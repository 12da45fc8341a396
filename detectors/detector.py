"""The detector: telemetry in, verdicts out. Keeps jobs apart, and forgets what is over."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from collectors.telemetry import Compared
from detectors.arrival import Arrival, Moment
from detectors.board import Board
from detectors.held import Packer
from detectors.idle import IdleFold
from detectors.job import JobFold
from detectors.policy import Policy
from detectors.snapshot import Following, IdleState, JobState, Snapshot, decode, edition, encode
from detectors.verdict import JobStatus, Saying, Status, Verdict
from detectors.watch import Watch

_Key = tuple[str, str | None, str | None]
"""Cluster, and a job or an idle node."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many nodes and jobs stand how, by what was said of each last; of some nothing was said yet.

    Attributes:
        nodes, jobs: by status.
        accused: nodes that stand accused.
    """

    nodes: Counter[Status]
    jobs: Counter[JobStatus]
    accused: int


@dataclass(slots=True)
class _Followed:
    """A job or an idle node that is followed.

    Attributes:
        arrival, fold: its two stages.
        watermark, moved: the watermark, and when (on the clock of `tick`) it moved last.
        passed: event time up to which all is folded.
        uncovered: offset of the oldest record that no snapshot stands for; None where all are.
        wanted: whether a snapshot is to be taken as soon as it can be.
    """

    arrival: Arrival
    fold: JobFold | IdleFold
    watermark: float = float("-inf")
    moved: float = float("nan")
    passed: float = float("-inf")
    uncovered: int | None = None
    wanted: bool = False


class Detector:
    """A fold over the telemetry of one partition.

    The same records and policy give the same sayings about a job, byte for byte, in whatever order and batches
    the records come within the allowed lateness, and also where a snapshot was gone on from in between.

    Args:
        policy: thresholds.
        board: what was said of nodes, shared by the detectors of one process; without it a new one.
        watch: looks on at every judged window.

    Attributes:
        counts: what was set aside and why: `duplicate`, `late`, `stale` (of an attempt that is over),
            `hurried` (let go before its time, as the buffer was full), `not compared` (nodes left out of
            windows). And `judged`: windows.
    """

    def __init__(self, policy: Policy, board: Board | None = None, watch: Watch | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._policy, self._watch = policy, watch
        self._board = Board(policy) if board is None else board
        self._packer = Packer()
        self._followed: dict[_Key, _Followed] = {}
        self._homes: dict[tuple[str, str], tuple[float, _Key]] = {}
        self._edition = edition(policy)
        self._snapshots: list[Snapshot] = []
        self._next = 0

    def fold(self, records: Iterable[Compared], offsets: Iterable[int] | None = None) -> list[Saying]:
        """Take records in, and say what follows from those whose time has come.

        Args:
            records: in the order of their partition.
            offsets: where each stands there; without it they are numbered on from the last.
        """
        sayings: list[Saying] = []
        for record, offset in zip(records, count(self._next) if offsets is None else offsets, strict=False):
            self._next = offset + 1
            key = _key(record)
            followed = self._followed.get(key)
            if followed is None:
                followed = self._followed[key] = self._follow(key)
            if followed.uncovered is None:
                followed.uncovered = offset
            if followed.arrival.push(record, self._packer.pack(record, offset)) and followed.arrival.due():
                sayings += self._take(key, followed, followed.arrival.ready())
        return sayings

    def knows(self, cluster: str, node: str) -> bool:
        """Whether a node is, or was last, in what is followed here."""
        return (cluster, node) in self._homes

    def remember(self, saying: Saying) -> None:
        """Take over what was said before, or by another detector, of a node.

        An accusation stands until its node shows that it is well. And a node that another detector has met in
        another job since has left the one it has here.
        """
        if not isinstance(saying, Verdict):
            return
        node = (saying.cluster, saying.node)
        time, home = self._homes.get(node, (float("-inf"), None))
        if home is None:
            self._board.remember(saying)
        elif saying.job is not None and saying.job.id != home[1] and saying.time > time:
            self._leave(home, saying.node)
            self._homes[node] = (saying.time, (saying.cluster, saying.job.id, None))
            self._board.remember(saying)

    def tick(self, now: float) -> list[Saying]:
        """Notice what only the absence of records can tell.

        Args:
            now: seconds of any clock that moves only while the detector can hear; only differences count. A
                detector that was deaf must not conclude that others were mute.
        """
        sayings: list[Saying] = []
        for key, followed in list(self._followed.items()):
            sayings += self._wait(key, followed, now)
        return sayings

    def finish(self) -> list[Saying]:
        """Take in what is still held back for late ones. For the end of a recording; nothing comes after it."""
        sayings: list[Saying] = []
        for key, followed in list(self._followed.items()):
            sayings += self._take(key, followed, followed.arrival.rest())
        return sayings

    def want_snapshots(self) -> None:
        """Have a snapshot taken of every job at its next chance, which is the end of a window."""
        idle: dict[str, list[_Followed]] = {}
        for (cluster, job, _), followed in self._followed.items():
            if job is None:
                idle.setdefault(cluster, []).append(followed)
                continue
            followed.wanted = True
            if followed.arrival.empty:
                self._freeze(cluster, job, followed, ())
        for cluster, followers in idle.items():
            self._freeze_idle(cluster, followers)

    def snapshots(self) -> list[Snapshot]:
        """Snapshots that were taken since the last call. What was said before must be published before them."""
        taken, self._snapshots = self._snapshots, []
        return taken

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot; then `fold` the records from its offset on.

        Raises:
            UnknownVersionError: it was made by another version or under another policy: the job is `starting`.
            RecordError: it is damaged.
        """
        if snapshot.state is None:
            return
        following = decode(self._edition, snapshot.state)
        states: Sequence[JobState | IdleState]
        states = [following.state] if isinstance(following.state, JobState) else following.state
        for arrival, state in zip(following.arrivals, states, strict=True):
            node = state.node if isinstance(state, IdleState) else None
            key = (following.cluster, following.job, node)
            followed = self._followed[key] = self._follow(key)
            followed.arrival.restore(arrival)
            followed.fold.restore(state)  # type: ignore[arg-type]  # the key decides both kinds
            followed.passed, followed.uncovered = arrival.passed, snapshot.offset
            for member, time in followed.fold.homes():
                self._settle_home(key, member, time)

    def uncovered(self) -> int | None:
        """The offset from which one that takes over must read; None where the snapshots cover everything."""
        return min((f.uncovered for f in self._followed.values() if f.uncovered is not None), default=None)

    def standing(self) -> Standing:
        """How nodes and jobs stand that are followed here. It looks at every node."""
        last = [verdict for node in self._homes if (verdict := self._board.last(*node)) is not None]
        jobs = (one.fold.status for one in self._followed.values() if isinstance(one.fold, JobFold))
        return Standing(
            nodes=Counter(verdict.status for verdict in last),
            jobs=Counter(status for status in jobs if status is not None),
            accused=sum(verdict.accused for verdict in last),
        )

    def tallies(self) -> tuple[int, int]:
        """Records folded, and records that came too late, of all that is followed now."""
        arrivals = [followed.arrival for followed in self._followed.values()]
        return sum(a.folded.records for a in arrivals), sum(a.late.records for a in arrivals)

    def _follow(self, key: _Key) -> _Followed:
        cluster, job, _ = key
        arrival = Arrival(self._policy, self.counts)
        if job is None:
            return _Followed(arrival, IdleFold(cluster, self._policy, self._board))
        return _Followed(arrival, JobFold(cluster, job, self._policy, self._board, self.counts, watch=self._watch))

    def _take(self, key: _Key, followed: _Followed, moments: list[Moment]) -> list[Saying]:
        sayings: list[Saying] = []
        for index, moment in enumerate(moments):
            here = self._at_home(key, moment, sayings)
            sayings += followed.fold.advance(here)
            if followed.wanted and key[1] is not None:
                self._freeze(key[0], key[1], followed, moments[index:])
            sayings += followed.fold.take(here)
            followed.arrival.folded.count(moment.records)
            followed.passed = moment.time
        followed.passed = max(followed.passed, followed.arrival.through)
        sayings += followed.fold.passed(followed.passed)
        if followed.wanted and key[1] is not None:
            self._freeze(key[0], key[1], followed, ())
        return sayings

    def _at_home(self, key: _Key, moment: Moment, sayings: list[Saying]) -> Moment:
        """Those records whose nodes are here, and not heard of elsewhere since."""
        cluster, time, homes = key[0], moment.time, self._homes
        gone = set()
        for record in moment.records:
            place = (cluster, record.node)
            since, home = homes.get(place, (time, key))
            if home != key:
                if time < since:
                    # Held back here while the node was already heard elsewhere: it must not bring it back.
                    gone.add(record.node)
                    continue
                sayings += self._leave(home, record.node)
            homes[place] = (time, key)
        if not gone:
            return moment
        return Moment(time, [record for record in moment.records if record.node not in gone])

    def _leave(self, home: _Key, node: str) -> list[Saying]:
        old = self._followed.get(home)
        if old is None:
            return []
        old.arrival.drop(node)
        return old.fold.depart(node)

    def _settle_home(self, key: _Key, node: str, time: float) -> None:
        """Of a node that two snapshots have, the older one's job has been left."""
        since, home = self._homes.get((key[0], node), (time, key))
        if home != key and since > time:
            self._leave(key, node)
            return
        if home != key:
            self._leave(home, node)
        self._homes[(key[0], node)] = (time, key)

    def _freeze(self, cluster: str, job: str, followed: _Followed, rest: Sequence[Moment]) -> None:
        """Take the snapshot of a job if it is between two windows; ``rest`` is released and not yet folded."""
        state = followed.fold.freeze()
        if not isinstance(state, JobState):
            return
        waiting = [record.offset for moment in rest for record in moment.records]
        oldest = followed.arrival.oldest()
        followed.uncovered = min(waiting if oldest is None else [*waiting, oldest], default=None)
        followed.wanted = False
        offset = followed.arrival.reached() + 1 if followed.uncovered is None else followed.uncovered
        arrival = followed.arrival.freeze(followed.passed)
        self._snapshots.append(
            Snapshot(cluster, job, offset, encode(self._edition, Following(cluster, job, [arrival], state)))
        )

    def _freeze_idle(self, cluster: str, followers: Sequence[_Followed]) -> None:
        arrivals, states, offset = [], [], 0
        held: list[int] = []
        for followed in followers:
            # Also of a node whose first record waits still, and of which there is no state: it must be read again.
            followed.uncovered = followed.arrival.oldest()
            held += [] if followed.uncovered is None else [followed.uncovered]
            state = followed.fold.freeze()
            if not isinstance(state, IdleState):
                continue
            offset = max(offset, followed.arrival.reached() + 1)
            arrivals.append(followed.arrival.freeze(followed.passed))
            states.append(state)
        following = Following(cluster, None, arrivals, states)
        offset = min(held, default=offset)
        self._snapshots.append(Snapshot(cluster, None, offset, encode(self._edition, following)))

    def _wait(self, key: _Key, followed: _Followed, now: float) -> list[Saying]:
        arrival, fold = followed.arrival, followed.fold
        watermark = arrival.watermark() if arrival.newest else followed.watermark
        if arrival.replayed():
            followed.moved = now  # what is read again moves no watermark, and is no silence
        if watermark != followed.watermark or not followed.moved <= now:
            followed.watermark, followed.moved = watermark, now
        waited = now - followed.moved
        stuck = waited > self._policy.lateness + self._policy.silence
        sayings: list[Saying] = []
        if stuck or not arrival.newest:
            sayings += self._take(key, followed, arrival.rest())
        elif waited <= 0:
            sayings += self._take(key, followed, arrival.ready())
        if stuck:
            silent = fold.quiet(watermark + waited - self._policy.lateness)
            for saying in silent:
                if isinstance(saying, Verdict):
                    arrival.drop(saying.node)
            sayings += silent
        if waited > self._policy.forget or (fold.empty and arrival.empty and isinstance(fold, IdleFold)):
            self._forget(key)
        return sayings

    def _forget(self, key: _Key) -> None:
        del self._followed[key]
        if key[1] is not None:
            self._snapshots.append(Snapshot(key[0], key[1], 0, None))
        gone = [node for node, (_, home) in self._homes.items() if home not in self._followed]
        for node in gone:
            del self._homes[node]
            self._board.forget(*node)


def _key(record: Compared) -> _Key:
    if record.job is not None:
        return record.cluster, record.job.id, None
    return record.cluster, None, record.node
