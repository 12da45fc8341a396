"""Notices of a test."""

from detectors.verdict import Severity, identify
from remediation.alerts.notice import About, Kind, Notice

T0 = 1_790_000_000.0


def notice(page="p1", number=1, kind=Kind.TRIGGER, **fields):
    return Notice(
        **{
            "id": identify(page, number),
            "page": page,
            "number": number,
            "kind": kind,
            "about": About.STRAGGLER,
            "cluster": "c",
            "severity": Severity.CRITICAL,
            "first_severity": Severity.CRITICAL,
            "time": T0,
            "since": T0,
            "summary": f"{page} {kind} {number}",
            "runbook": "straggler",
        }
        | fields
    )
