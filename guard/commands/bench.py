"""``guard bench``: how well detection detects, measured on simulated jobs."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guard.commands import Session
from guard.commands.global_options import inform
from guard.commands.screen import screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guard.bench.detection import Measured
    from guard.bench.tables import Table

_SUITES = ("healthy", "faulty", "mild")

_PLACE = "detection"
"""Name of the page's markers."""

_JOBS = click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes; all cores by default. Results do not depend on it."
)


@click.group(name="bench")
def command() -> None:
    """Measure how well detection detects, on simulated jobs."""


@command.command(short_help="Run our detector and others' methods on the same cases.")
@click.option("--suite", "suites", multiple=True, metavar="NAME", help=f"Suites; {', '.join(_SUITES)} by default.")
@click.option("--cases", type=click.IntRange(min=1), default=1000, show_default=True, help="Cases of each suite.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of all cases.")
@click.option("--detectors", multiple=True, metavar="NAME", help="Only these: ours, or a baseline.")
@click.option("--ablations/--no-ablations", default=True, help="Measure what each part of ours is worth.")
@click.option(
    "--ablated",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Cases of each suite on which that is measured.",
)
@click.option(
    "--calibration",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Healthy and faulty cases each, of another seed, to tune baselines on; 0: as published only.",
)
@_JOBS
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("run/bench-detection"),
    show_default=True,
    help="Folder of outcomes, scores and pictures.",
)
@click.option("--resume", is_flag=True, help="Go on with the cases that OUT has.")
@click.option("--plot/--no-plot", default=True, help="Draw pictures.")
@click.option(
    "--page",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Markdown file into whose markers the tables are put.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.bench-detection/1.")
@click.pass_obj
def detection(
    session: Session,
    *,
    suites: tuple[str, ...],
    cases: int,
    seed: int,
    detectors: tuple[str, ...],
    ablations: bool,
    ablated: int,
    calibration: int,
    jobs: int | None,
    out: Path,
    resume: bool,
    plot: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """Run our detector, the same without parts of it, and others' methods on the same cases."""
    from guard.bench.detection import UnknownNameError, Wanted, detect  # noqa: PLC0415  (`--help` is to be quick)
    from guard.bench.page import NoMarkersError, around  # noqa: PLC0415
    from guard.bench.store import PlanChangedError  # noqa: PLC0415

    wanted = Wanted(
        suites=dict.fromkeys(suites or _SUITES, cases),
        seed=seed,
        detectors=detectors,
        ablated=ablated if ablations else 0,
        calibration=calibration,
        jobs=_processes(jobs),
        out=out,
        resume=resume,
    )
    try:
        if page:
            around(page, _PLACE)  # hours later would be late to hear of it
        measured = detect(wanted, session.config.detect)
    except (UnknownNameError, PlanChangedError, NoMarkersError) as error:
        raise click.UsageError(str(error)) from error
    if plot:
        _draw(out, measured)
    if page:
        _put(page, measured)
    if as_json:
        click.echo(measured.encode())
    else:
        _show(measured.tables)


@command.command(short_help="Watch fleets in which nobody is at fault.")
@click.option(
    "--days",
    type=click.FloatRange(min=0),
    default=4096.0,
    show_default=True,
    help="Node-days to add; 0 shows what is kept.",
)
@click.option("--fleet", type=click.IntRange(min=8), default=4096, show_default=True, help="Nodes of a shard.")
@_JOBS
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs/results"),
    show_default=True,
    help="Folder in which shards are kept.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.bench-healthy/1.")
@click.pass_obj
def healthy(session: Session, *, days: float, fleet: int, jobs: int | None, out: Path, as_json: bool) -> None:
    """Watch fleets in which nobody is at fault, and count who is accused.

    Shards are kept and add up: run it again to add more.
    """
    from guard.bench.healthy import encode, extend, told  # noqa: PLC0415

    policy = session.config.detect
    shards = extend(out / "shards.ndjson", policy, days=days, fleet=fleet, jobs=_processes(jobs))
    click.echo(encode(shards, policy) if as_json else told(shards, policy))


def _processes(jobs: int | None) -> int:
    return jobs or len(os.sched_getaffinity(0))


def _draw(out: Path, measured: "Measured") -> None:
    try:
        from guard.bench.plots import draw  # noqa: PLC0415
    except ModuleNotFoundError as error:
        click.echo(f"guard bench: no pictures without {error.name}: pip install 'trn-guard[bench]'", err=True)
        return
    first = next(iter(measured.groups.values()))
    for path in draw(out, measured.outcomes, first):
        inform(str(path))


def _put(page: Path, measured: "Measured") -> None:
    from guard.bench.page import results, write_between  # noqa: PLC0415

    plan = measured.plan
    text = results(
        measured.tables, suites=plan.suites, seed=plan.seed, commit=plan.commit, thresholds=measured.tuned
    )
    write_between(page, _PLACE, text)


def _show(tables: "Sequence[Table]") -> None:
    from guard.bench.published import REMARK  # noqa: PLC0415
    from guard.grid import grid  # noqa: PLC0415

    shown = screen()
    for table in tables:
        click.echo(f"{table.title}\n{grid(table.headings, table.rows, width=shown.width, color=shown.color)}\n")
    click.echo(REMARK)
    sys.stdout.flush()
