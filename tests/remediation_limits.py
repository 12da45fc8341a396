"""Policies whose rails are wide but for a few: where all are tight, the first to say no hides the others."""

import hypothesis.strategies as st

from remediation.policy import Checkpoint, Confirm, CoolDown, Economy, Modes, Otherwise, Policy, RepairChoice
from remediation.rail_policy import Attempts, OutOfService, Storm, TimeOfWeek
from tests.remediation_stage import AUTO, replace_struct

WIDE = Policy(
    modes=AUTO,
    confirm=Confirm(warning=6.0, critical=3.0),
    confidence=0.0,
    peers=0,
    spares=0,
    actions=1000,
    out=OutOfService(count=10000, share=1.0, domain=10000, job=10000),
    attempts=Attempts(act=20, again=8.0, node=100, job=100),
    cool_down=CoolDown(first=0.0),
    storm=Storm(share=1.0, least=10000),
    checkpoint=Checkpoint(path="/shared/{job}.json", otherwise=Otherwise.GO_ON, within=60.0, age=1e6),
    repair=RepairChoice.REBOOT,
)

MODES = st.sampled_from(["auto", "auto", "auto", "approve", "recommend", "observe"])
START = st.sampled_from(["13:00", "13:47", "13:50", "14:00"])
HOURS = st.sampled_from([0.1, 0.8, 2.0, 24.0])
DAYS = st.sampled_from([[], ["monday"], ["sunday"]])
WINDOW = st.builds(lambda start, hours, days: TimeOfWeek(start=start, hours=hours, days=days), START, HOURS, DAYS)

TIGHT = {
    "evidence": {
        "confidence": st.just(0.9),
        "peers": st.integers(2, 4),
        "storm": st.sampled_from([Storm(share=0.3, least=2), Storm(share=0.3, least=3)]),
        "maintenance": st.lists(WINDOW, min_size=1, max_size=1),
    },
    "amounts": {
        "spares": st.integers(2, 6),
        "out.count": st.integers(1, 2),
        "out.share": st.sampled_from([0.05, 0.25]),
        "out.domain": st.integers(1, 2),
        "out.job": st.integers(1, 2),
    },
    "again": {
        "actions": st.integers(1, 2),
        "attempts.act": st.integers(1, 2),
        "attempts.node": st.just(1),
        "attempts.job": st.just(1),
        "cool_down.first": st.sampled_from([300.0, 3600.0]),
    },
    "restarts": {
        "economy": st.sampled_from([Economy(restart=1e5), Economy(remaining=2000.0)]),
        "checkpoint.otherwise": st.just(Otherwise.WAIT),
        "checkpoint.age": st.sampled_from([20.0, 100.0]),
        "checkpoint.path": st.just(""),
        "attempts.job": st.just(1),
    },
    "modes": {"modes": st.builds(Modes, *[MODES] * 5)},
}
GROUPS = [["evidence"], ["amounts"], ["again"], ["restarts"], ["modes", "amounts"], [*TIGHT]]


@st.composite
def policies(draw) -> Policy:
    """A policy of which some limits, mostly of one kind, are tight."""
    policy = WIDE
    for group in draw(st.sampled_from(GROUPS)):
        for path, values in TIGHT[group].items():
            if not draw(st.booleans()):
                continue
            section, _, field = path.rpartition(".")
            value = draw(values)
            if section:
                value = replace_struct(getattr(policy, section), **{field: value})
            policy = replace_struct(policy, **{section or field: value})
    return policy
