"""What the pager remembers: pages that are not over and told, and what it takes to open and to end them.

All of it is frozen; a change copies what it changes, and `Table` keeps that cheap with many pages.
"""

from enum import StrEnum

from msgspec import Struct

from detectors.verdict import JobStatus, Severity
from remediation.alerts.notice import About
from remediation.paging.events import Source
from remediation.table import Table

DEEDS = 5
"""Of guard's deeds, remembered for one page."""
NAMES = 10
"""Of nodes, named in a page about many."""


class Phase(StrEnum):
    """How far guard is with a node. Each change of it is news."""

    ACCUSED = "accused"
    PROPOSED = "waits for approval"
    WOULD = "would act"
    CHECKPOINTING = "checkpointing"
    OUT = "out of service"
    RESTARTED = "job restarted"
    VERIFIED = "verified"
    UNVERIFIED = "not verified"
    HELD = "held"


class Deed(Struct, frozen=True, omit_defaults=True):
    """What guard did, when (Unix seconds), and how it ended. `intent`: its id."""

    time: float
    intent: str
    text: str
    result: str = ""


class NodeStory(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="of", tag="node"):
    """What is known of a node's trouble. Times are Unix seconds.

    Attributes:
        instance: empty where only the ledger spoke, and did not know it.
        accused: what the newest verdict says; None: none was heard.
        said: time of the newest verdict that counted. `accusation`: since when it accuses.
        open: whether the ledger's incident is.
        wants: id of the intent that waits for approval, or that guard would do.
        denied: which rail said no, and why. `denied_told`: a denial was news already.
        storm: key of the storm that the node is told in; then it has no page of its own.
    """

    instance: str
    accused: bool | None = None
    said: float = 0.0
    accusation: float = 0.0
    open: bool = False
    cause: str = ""
    device: int | None = None
    slowdown: float | None = None
    evidence: str = ""
    phase: Phase = Phase.ACCUSED
    wants: str = ""
    reason: str = ""
    denied: str = ""
    denied_told: bool = False
    deeds: tuple[Deed, ...] = ()
    storm: str | None = None


class JobStory(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="of", tag="job"):
    """A job that is slow or stands still with nobody accused."""

    status: JobStatus
    slowdown: float | None = None
    reason: str = ""


class StormStory(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="of", tag="storm"):
    """Many nodes at once: how many in all (`told`: when it was last news), how many are left, and some names."""

    nodes: int = 0
    told: int = 0
    left: int = 0
    names: tuple[str, ...] = ()
    reason: str = ""


class SilentStory(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="of", tag="silent"):
    """Nodes without telemetry: how many for long, some names, and the job that is hurt."""

    nodes: int = 0
    names: tuple[str, ...] = ()
    job: str = ""


class WordStory(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="of", tag="word"):
    """What is told in words: an alert of the ledger, a source that is silent, a channel in trouble."""

    subject: str
    text: str = ""


Story = NodeStory | JobStory | StormStory | SilentStory | WordStory


class Acknowledged(Struct, frozen=True, omit_defaults=True):
    """Who looks after it, since when; `number` of the state that this made."""

    by: str
    time: float
    number: int
    reason: str = ""


class Over(Struct, frozen=True):
    """When the trouble was seen to be over, and by what."""

    time: float
    reason: str


class Page(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One page. Times are Unix seconds.

    Attributes:
        key: the deduplication key.
        since: when the trouble began. `opened`: time of the event that opened the page.
        ready: told from then on. `brief`: what ends within so many seconds of `opened` is never told.
        number: of its present state, which came about at `changed`.
        first: severity when it was first told; None: it was told nobody.
        told: the number of the newest state that each channel was told.
        word: name of the runbook.
    """

    key: str
    about: About
    cluster: str
    node: str | None = None
    job: str | None = None
    team: str | None = None
    incident: str | None = None
    severity: Severity
    first: Severity | None = None
    since: float
    opened: float
    ready: float
    brief: float = 0.0
    number: int = 1
    changed: float
    told: dict[str, int] = {}
    acknowledged: Acknowledged | None = None
    over: Over | None = None
    word: str
    story: Story


class SeenJob(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The newest record of a job. `accused`: when a node of it was last accused; `page`: key of its page."""

    time: float
    status: JobStatus
    nodes: int = 0
    accused: float = -1.0
    page: str | None = None


class Ended(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The end of a node's newest trouble: what came before it opens nothing any more.

    Attributes:
        time: of the end. `said`: of the newest verdict heard.
        withdrawn: time of a verdict that took the accusation back; what accuses after it is new.
    """

    instance: str
    time: float
    said: float
    withdrawn: float | None = None
    incident: str | None = None
    job: str | None = None


class Mute(Struct, frozen=True, omit_defaults=True):
    """A node without telemetry: since when, and in which job."""

    since: float
    job: str | None = None


class Trouble(Struct, frozen=True, omit_defaults=True):
    """Since when a channel takes nothing, and why."""

    since: float
    reason: str = ""


class Cluster(Struct, frozen=True):
    """What is remembered of one cluster.

    Attributes:
        tripped: whether the ledger's storm breaker is.
        storm: key of the storm's page. `silence`: of the one about silent nodes.
        lately: when pages about nodes became ready, the newest last: by them a storm is seen.
        mute: nodes without telemetry. `look`: when to count them next; None: nothing changed.
    """

    tripped: bool = False
    storm: str | None = None
    silence: str | None = None
    lately: tuple[float, ...] = ()
    mute: Table[Mute] = Table()
    look: float | None = None


class State(Struct, frozen=True, kw_only=True):
    """All that the pager remembers. `remediation.paging.saving` writes and reads it.

    Attributes:
        pages: by key: those open, and those over of which not everybody has been told.
        restless: keys of pages that have, or will have, something to tell.
        nodes: keys of pages about nodes, by `place`. `incidents`: by the ledger's incident. `alerts`: by alert.
        jobs, ended: by `place`.
        late: keys of pages whose incident was over before an alert came: the end of their job ends them too.
        sources: those silent, and since when. `sources_paged`, `channels_paged`: keys of pages by name.
        recent: the newest records of the ledger, so that a repeat counts once.
        regime: what routes depend on beside the pages; when it changes, all pages are routed again.
        lost: troubles that were too many to be kept. `lost_page`: the key of the page that says so.
    """

    pages: Table[Page] = Table()
    restless: Table[bool] = Table()
    nodes: Table[str] = Table()
    incidents: Table[str] = Table()
    alerts: Table[str] = Table()
    jobs: Table[SeenJob] = Table()
    ended: Table[Ended] = Table()
    late: tuple[str, ...] = ()
    clusters: dict[str, Cluster] = {}
    sources: dict[Source, float] = {}
    sources_paged: dict[str, str] = {}
    channels: dict[str, Trouble] = {}
    channels_paged: dict[str, str] = {}
    recent: tuple[str, ...] = ()
    regime: str = ""
    lost: int = 0
    lost_page: str | None = None


def place(cluster: str, name: str) -> str:
    """The key of a node or a job: no two pairs of names share one."""
    return f"{len(cluster)}:{cluster}/{name}"
