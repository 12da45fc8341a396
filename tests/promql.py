"""What PromQL expressions ask for: enough to compare with what there is; promtool parses them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from tests.metrics_document import ROOT, documented

RULES = ROOT / "deploy/prometheus/guard.rules.yml"
_NAME = re.compile(r"\b(guard[_:][a-z0-9_:]+|process_[a-z_]+|up\b)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_WORDS = re.compile(r"[a-z_]+(?:\|[a-z_]+)*")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
TARGETS = {"job", "instance", "cluster"}
"""Labels that the scraper gives."""


def rules() -> list[dict]:
    """All rules, recorded ones and alerts."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict]:
    """Alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def unknown(expressions: Iterable[str]) -> Iterator[str]:
    """What expressions ask for that neither the document nor a recorded rule has: metrics, labels, values."""
    rows = documented()
    recorded = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
    for expression in expressions:
        for name, matchers in _NAME.findall(expression):
            of = _NAME.findall(recorded.get(name, name))[0][0]  # what it was recorded of
            row = rows.get(of) or rows.get(_SUFFIX.sub("", of))
            if row is None and of != "up":
                yield f"{name}: no such metric, in {expression}"
            for label, _, value in _MATCHER.findall(matchers):
                if row is None or label in TARGETS or "$" in value:
                    continue
                if label not in row.values:
                    yield f"{name}: no label {label}, in {expression}"
                elif _WORDS.fullmatch(value) and not set(value.split("|")) <= set(row.values[label].split(", ")):
                    yield f"{name}: {label} is never {value}, in {expression}"


def write_as_rules(expressions: Iterable[str], file: Path) -> None:
    """A file of rules with these expressions, for promtool to parse."""
    made = [{"record": f"test:{number}", "expr": one} for number, one in enumerate(expressions)]
    file.write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": made}]}))
