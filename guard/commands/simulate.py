"""``guard simulate``: what acting on verdicts is worth, on a month that is simulated."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from guard.commands import Session
from guard.commands.global_options import inform
from guard.commands.screen import screen

if TYPE_CHECKING:
    from guard.simulate.assumptions import Assumptions
    from guard.simulate.repairs import Repairs
    from guard.simulate.run import Simulated
    from remediation.policy import Policy


@click.group(name="simulate")
def command() -> None:
    """Try policies on time that is simulated."""


@command.command(short_help="Let a month of a large job pass, with and without guard.")
@click.option("--nodes", type=click.IntRange(4, 62_500), default=1024, show_default=True, help="Of the job.")
@click.option(
    "--spares", type=click.IntRange(0, 62_500), default=48, show_default=True, help="Idle nodes beside it."
)
@click.option(
    "--days", type=click.FloatRange(0.01, 366), default=30.0, show_default=True, help="That the job lasts."
)
@click.option("--seeds", type=click.IntRange(1, 1000), default=20, show_default=True, help="Months.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the first month.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of an assumption (docs/loop.md): --set rate=6.5",
)
@click.option(
    "--trace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the InfiniteHBD trace, for how long repairs last; else its quantiles.",
)
@click.option(
    "--rails",
    type=click.Choice(["fleet", "configured"]),
    default="fleet",
    show_default=True,
    help="Limits for a fleet of this size, or those of remediation.policy; mode auto in both.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; all cores by default.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("run/loop"),
    show_default=True,
    help="Folder of results and picture.",
)
@click.option("--plot/--no-plot", default=True, help="Draw a picture.")
@click.option(
    "--page",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Markdown file into whose markers the tables are put.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, guard.simulate-loop/1.")
@click.pass_obj
def loop(
    session: Session,
    *,
    nodes: int,
    spares: int,
    days: float,
    seeds: int,
    seed: int,
    changes: tuple[str, ...],
    trace: Path | None,
    rails: str,
    jobs: int | None,
    out: Path,
    plot: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """A month of a large job: with nothing, with hard-fault checks only, with guard. The same faults in each."""
    from guard.bench.page import NoMarkersError, around  # noqa: PLC0415  (`--help` is to be quick)
    from guard.simulate.page import PLACE  # noqa: PLC0415
    from guard.simulate.repairs import TraceError  # noqa: PLC0415
    from guard.simulate.run import Plan, simulate, write  # noqa: PLC0415

    given = _assumptions(nodes=nodes, spares=spares, days=days, changes=changes)
    try:
        if page:
            around(page, PLACE)
        plan = Plan(given, _repairs(trace), _policy(session, given, rails), seed, seeds)
    except (TraceError, NoMarkersError) as error:
        raise click.UsageError(str(error)) from error
    simulated = simulate(plan, jobs or len(os.sched_getaffinity(0)))
    write(out, simulated)
    if plot:
        _draw(out / "loop.png", simulated)
    if page:
        _put(page, simulated)
    if as_json:
        click.echo(simulated.encode())
    else:
        _show(simulated)


def _assumptions(*, nodes: int, spares: int, days: float, changes: tuple[str, ...]) -> "Assumptions":
    from guard.simulate.assumptions import Assumptions  # noqa: PLC0415

    given: dict[str, object] = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name in ("nodes", "spares", "days"):
            raise click.UsageError(f"--set {change}: there is --{name}")
        given[name] = value
    try:
        return msgspec.convert(given | {"nodes": nodes, "spares": spares, "days": days}, Assumptions, strict=False)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"--set: {error}") from error


def _repairs(trace: Path | None) -> "Repairs":
    from guard.simulate.repairs import QUANTILES, read  # noqa: PLC0415

    return QUANTILES if trace is None else read(trace)


def _policy(session: Session, given: "Assumptions", rails: str) -> "Policy":
    from guard.simulate.regimes import AUTO, policy_of  # noqa: PLC0415

    if rails == "fleet":
        return policy_of(given)
    return msgspec.structs.replace(session.config.remediation.policy, modes=AUTO)


def _draw(path: Path, simulated: "Simulated") -> None:
    try:
        from guard.simulate.plots import draw  # noqa: PLC0415
    except ModuleNotFoundError as error:
        click.echo(f"guard simulate: no picture without {error.name}: pip install 'trn-guard[bench]'", err=True)
        return
    inform(str(draw(path, simulated.months)))


def _put(page: Path, simulated: "Simulated") -> None:
    from guard.bench.page import write_between  # noqa: PLC0415
    from guard.simulate.page import PLACE  # noqa: PLC0415
    from guard.simulate.page import page as told  # noqa: PLC0415

    write_between(page, PLACE, told(simulated))


def _show(simulated: "Simulated") -> None:
    from guard.grid import grid  # noqa: PLC0415
    from guard.simulate.published import REMARK  # noqa: PLC0415
    from guard.simulate.tables import refusals, results  # noqa: PLC0415

    shown, plan = screen(), simulated.plan
    click.echo(f"{plan.seeds} times {plan.assumptions.days:g} days of {plan.assumptions.nodes:,} nodes\n")
    for table in (results(simulated.months), refusals(simulated.months)):
        if table is not None:
            click.echo(
                f"{table.title}\n{grid(table.headings, table.rows, width=shown.width, color=shown.color)}\n"
            )
    click.echo(REMARK)
    sys.stdout.flush()
