"""What the pager remembers: pages that are not over and told, and what it takes to open and to end them.

All of it is frozen; a change copies what it changes, and `Table` keeps that cheap with many pages. What there may
be many of is not followed by the garbage collector (`gc=False`): frozen records have no cycles.
"""

from enum import StrEnum

from msgspec import Struct

from detectors.verdict import Evidence, JobStatus, Severity
from remediation.alerts.notice import About
from remediation.paging.events import Source
from remediation.table import Table

DEEDS = 5
"""Of guard's deeds, remembered for one page."""
NAMES = 10
"""Of nodes, named in a page about many."""


class Service(StrEnum):
    """Where the node stands. Each change is news."""

    ACCUSED = "accused"
    OUT = "out of service"
    HELD = "held for a person"


class Run(StrEnum):
    """How far guard is with the node's job. Each change is news."""

    UNTOUCHED = ""
    CHECKPOINTING = "checkpoint asked for"
    RESTARTED = "job restarted"
    VERIFIED = "restart verified"
    UNVERIFIED = "restart not verified"


class Deed(Struct, frozen=True, gc=False, omit_defaults=True):
    """What guard did, when (Unix seconds), and how it ended. `intent`: its id; `act` of the ledger."""

    time: float
    text: str
    intent: str = ""
    act: str = ""
    result: str = ""


class Wish(Struct, frozen=True, gc=False, omit_defaults=True):
    """What guard would do. `intent` is what an approval names; `waits`: for one."""

    intent: str
    act: str
    subject: str
    waits: bool
    mode: str = ""
    reason: str = ""


class NodeStory(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="of", tag="node"):
    """What is known of a node's trouble. Times are Unix seconds.

    Attributes:
        instance: empty where only the ledger spoke, and did not know it.
        accused: what the newest verdict says; None: none was heard.
        said: time of the newest verdict that counted. `accusation`: since when it accuses.
        open: whether the ledger's incident is.
        out: when the node went out of service; from then on it costs its job nothing.
        text: of the newest alert about it. `weighed`: whether a restart is worth it.
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
    evidence: Evidence | None = None
    service: Service = Service.ACCUSED
    run: Run = Run.UNTOUCHED
    out: float | None = None
    wish: Wish | None = None
    text: str = ""
    weighed: str = ""
    denied: str = ""
    denied_told: bool = False
    deeds: tuple[Deed, ...] = ()
    storm: str | None = None


class JobStory(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="of", tag="job"):
    """A job that is slow or stands still with nobody accused."""

    status: JobStatus
    slowdown: float | None = None
    reason: str = ""


class Ask(Struct, frozen=True):
    """A node of a storm whose act waits for an approval of `intent`."""

    node: str
    intent: str


class StormStory(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="of", tag="storm"):
    """Many nodes at once.

    Attributes:
        nodes: in all. `news`: how many when that was last told. `left`: not over yet. `before`: with own pages.
        words: what the ledger's alerts about its nodes were about; each is news once.
    """

    nodes: int = 0
    news: int = 0
    left: int = 0
    before: int = 0
    names: tuple[str, ...] = ()
    reason: str = ""
    words: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()


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


class Page(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """One page. Times are Unix seconds.

    Attributes:
        key: the deduplication key.
        since: when the trouble began. `opened`: time of the event that opened the page.
        ready: told from then on. `brief`: what ends within so many seconds of `opened` is not told;
            None: everything is.
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
    brief: float | None = None
    number: int = 1
    changed: float
    told: dict[str, int] = {}
    acknowledged: Acknowledged | None = None
    over: Over | None = None
    word: str
    story: Story


class SeenJob(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The newest record of a job. `accused`: when a node of it was last accused; `page`: key of its page."""

    time: float
    status: JobStatus
    nodes: int = 0
    accused: float | None = None
    page: str | None = None


class Ended(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The end of a node's newest trouble: what came before it opens nothing any more.

    Attributes:
        time: of the end. `said`: of the newest verdict heard.
        withdrawn: a verdict took the accusation back; what accuses after it is new.
        incident: the ledger's, and whether it is still `open` there.
    """

    instance: str
    time: float
    said: float
    withdrawn: bool = False
    incident: str | None = None
    open: bool = False
    job: str | None = None


class Mute(Struct, frozen=True, gc=False, omit_defaults=True):
    """A node without telemetry: since when, in which job, and the time of the verdict that said so."""

    since: float
    said: float
    job: str | None = None


class Trouble(Struct, frozen=True, omit_defaults=True):
    """Since when a channel takes nothing, and why."""

    since: float
    reason: str = ""


class Cluster(Struct, frozen=True):
    """What is remembered of one cluster.

    Attributes:
        epoch: the newest leader's; what an older one still writes does not count.
        tripped: whether the ledger's storm breaker is; `turned`: when that changed.
        storm: key of the storm's page. `silence`: of the one about silent nodes.
        lately: when pages about nodes became ready, the newest last: by them a storm is seen.
        mute: nodes without telemetry. `look`: when to count them next; None: nothing changed.
    """

    epoch: int = -1
    tripped: bool = False
    turned: float = 0.0
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
        nodes: keys of pages about nodes, by `place`. `alerts`: by the ledger's alert, or by an unknown incident.
        incidents: the `place` of the node, by the ledger's incident.
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
    sources_paged: dict[Source, str] = {}
    channels: dict[str, Trouble] = {}
    channels_paged: dict[str, str] = {}
    recent: tuple[str, ...] = ()
    regime: str = ""
    lost: int = 0
    lost_page: str | None = None


def place(cluster: str, name: str) -> str:
    """The key of a node or a job: no two pairs of names share one."""
    return f"{len(cluster)}:{cluster}/{name}"
