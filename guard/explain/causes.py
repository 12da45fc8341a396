"""What is wrong with the node: the sections and signals that support the cause, the device, and hard errors."""

from detectors.observed import ODD
from detectors.plain import plain
from detectors.verdict import Evidence, Role, Status
from guard.explain.explanation import Facts, Link, Row, count, middle, times
from guard.explain.headline import hangs

_TOLD = 10
"""Signals and faults that are listed."""

_WORDS = {
    "compute": "its compute takes longer",
    "memory": "its memory reports errors, and that slows its compute",
    "network": "transfers to and from it",
    "host": "its processors, or what contends for them",
    "input": "it waits for its data",
    "storage": "it waits for its storage",
    "device": "a device reports hard errors",
    "agent": "its agent, not the node",
    "unknown": "not known",
}


def cause(facts: Facts) -> Link | None:
    """Name it, with the sections that take longer and the signals behind them."""
    said = facts.said
    rows = _sections(facts) if said.status is not Status.OK or facts.compared else []
    if said.cause is None or hangs(facts):
        return Link("Where a step's time goes", ["Medians of these windows."], rows=rows) if rows else None
    rows += [_row(piece) for piece in said.evidence if not piece.signal.startswith(("steps.", "fault."))][:_TOLD]
    text = [f"{said.cause.value}: {_WORDS[said.cause.value]}.", *_device(facts)]
    signals = [row for row in rows if row.score is not None]
    if any(row.name.endswith(ODD) for row in signals):
        text.append(f"{ODD} is the odd one of the node's devices, cores or adapters, less their median.")
    if rows and not signals and said.cause.value in ("compute", "host", "input"):
        text.append("No hardware signal stands out beside the times.")
    return Link("Cause", text, rows=rows)


def instruments(facts: Facts) -> Link | None:
    """Hints where times cannot tell."""
    said = facts.said
    if said.role is not Role.INCONCLUSIVE or not facts.blind:
        return None
    text = [
        "Its hardware signals stand out most among the job's nodes, by the isolation forest's ranking.",
        "That is a place to look, and no proof: a sweep of the node can tell.",
    ]
    return Link("Hints, as times cannot tell", text)


def faults(facts: Facts) -> Link | None:
    """Hard errors that its records report."""
    found = facts.retold.faults
    if not found:
        return None
    text = [
        f"{facts.clock(fault.time)}  {plain(fault.code)}"
        f"{'' if fault.device is None else f' of device {fault.device}'}"
        f"{'' if fault.detail is None else f': {plain(fault.detail)}'}"
        for fault in found[-_TOLD:]
    ]
    if len(found) > _TOLD:
        text.insert(0, f"The last {_TOLD} of {count(len(found), 'error')}:")
    return Link("Errors that it reported", text)


def _device(facts: Facts) -> list[str]:
    devices = facts.retold.witness.devices
    if facts.said.device is not None:
        here = facts.said.device
        rest = [ratio for device, ratio in devices.items() if device != here]
        if here not in devices or not rest:
            return [f"Device {here}."]
        return [
            f"Device {here}: {times(devices[here])} times what is typical; the others at most {times(max(rest))}."
        ]
    if len(devices) > 1 and facts.on_times:
        low, high = times(min(devices.values())), times(max(devices.values()))
        ratios = low if low == high else f"{low} to {high}"
        return [f"No single device: all {len(devices)} do {ratios} times what is typical."]
    return []


def _sections(facts: Facts) -> list[Row]:
    """Medians of what each section takes, of the windows that the verdict is about."""
    rows = []
    for name in dict.fromkeys(name for seen in facts.lately for name in seen.sections):
        mine = middle([seen.sections.get(name) for seen in facts.lately])
        others = middle([seen.others.get(name) for seen in facts.lately])
        if mine is not None and (mine > 0 or (others or 0) > 0):
            rows.append(Row(f"section {name}", "s", mine, others))
    return rows


def _row(piece: Evidence) -> Row:
    return Row(piece.signal, "", piece.value, piece.typical, piece.score, piece.windows)
