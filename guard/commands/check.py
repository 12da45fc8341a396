"""``guard check``: tries each part of this machine's set-up. Exit code 0 good, 1 something fails, 2 no answer."""

import dataclasses
import json
import sys

import click

from detectors.plain import plain
from guard.checks import Check, State, run_checks
from guard.commands import Session
from guard.progress_bar import progress


@click.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Try each part of this machine's set-up, one line each: ok, FAIL with what to do, or skip.

    Run it as the services' user: sudo -u guard guard check. Ends 0 when nothing fails, 1 when something does, 2
    when the configuration cannot be read.
    """
    with progress("checking"):
        checks = run_checks(session.config, session.source)
    failed = [check for check in checks if check.state is State.FAIL]
    if as_json:
        click.echo(
            json.dumps({"ok": not failed, "checks": [dataclasses.asdict(check) for check in checks]}, indent=2)
        )
    else:
        click.echo("\n".join(_line(check) for check in checks))
    sys.exit(1 if failed else 0)


def _line(check: Check) -> str:
    remedy = f"; {plain(check.remedy)}" if check.remedy else ""
    return f"{check.state:<5}{check.name:<16}{plain(check.detail)}{remedy}"
