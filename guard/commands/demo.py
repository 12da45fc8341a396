"""``guard demo``: a real training job on this machine, one worker really slowed, and its name found."""

import contextlib
import json
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click

from guard.bus import BusError
from guard.bus.kafka_settings import KafkaSettings
from guard.commands import Session
from guard.demo.options import Fault, Options


@click.command(name="demo")
@click.option(
    "--nodes",
    type=click.IntRange(4, 16),
    default=4,
    show_default=True,
    help="Workers, one per node; to accuse one, the detector needs three others.",
)
@click.option(
    "--fault",
    type=click.Choice([str(fault) for fault in Fault]),
    default="stop",
    show_default=True,
    help="What is done to one worker: stopped for most of the time, or nothing.",
)
@click.option("--node", type=click.IntRange(0), help="Which worker is slowed, from 0; else the seed chooses.")
@click.option("--seed", type=click.IntRange(0), help="For the training data and the choice; else a new one.")
@click.option(
    "--healthy-seconds",
    type=click.FloatRange(3, 60),
    default=20.0,
    show_default=True,
    help="Training time before the fault.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep configurations, logs and the bus in this new or empty directory.",
)
@click.option(
    "--bus",
    metavar="ADDRESS",
    help="Use this bus instead of an embedded one: file:PATH or kafka://HOST:PORT,…, there in topics of its own, "
    "demo.guard.*, which it makes if it may.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON; progress goes to stderr.")
@click.pass_obj
def command(
    session: Session,
    *,
    nodes: int,
    fault: str,
    node: int | None,
    seed: int | None,
    healthy_seconds: float,
    keep: Path | None,
    bus: str | None,
    as_json: bool,
) -> None:
    """Train a small model on this machine, slow one worker, see it named, and see the page.

    Every node is a worker process with an agent of its own; a detector reads what the agents send, a remediator
    asks before it would act, and a pager tells a stand-in for whoever is on call. Ends 0 when exactly the slowed
    node was accused and paged, and its page ended after it ran freely again (with --fault none: nobody), 1 when
    not, 2 when the demo could not run.
    """
    import numpy  # noqa: F401, ICN001, PLC0415  (the workers need it: say so before they start)

    if node is not None and node >= nodes:
        raise click.BadParameter(f"{node}: there are {nodes} nodes, 0 to {nodes - 1}", param_hint="--node")
    chosen = secrets.randbits(16) if seed is None else seed
    with _directory(keep) as directory:
        options = Options(directory, nodes, Fault(fault), node, chosen, healthy_seconds, bus, _kafka(session, bus))
        sys.exit(_show(options, as_json=as_json))


def _kafka(session: Session, bus: str | None) -> KafkaSettings:
    """How to speak with the bus: the configuration is read for Kafka alone; the demo needs none otherwise."""
    return session.config.kafka if bus and bus.startswith("kafka:") else KafkaSettings()


def _show(options: Options, *, as_json: bool) -> int:
    """Run the demo, print what it showed, and return the exit code."""
    from rich.console import Console  # noqa: PLC0415  (help is to be quick)

    from guard.demo.options import CannotRunError, InterruptedRunError  # noqa: PLC0415
    from guard.demo.processes import ChildDiedError  # noqa: PLC0415
    from guard.demo.result import summary  # noqa: PLC0415
    from guard.demo.run import run  # noqa: PLC0415

    try:
        result = run(options, Console(stderr=as_json))
    except InterruptedRunError as error:
        _refuse(f"ended by {error}; all processes of the demo have ended")
    except (CannotRunError, ChildDiedError, BusError, OSError) as error:
        _refuse(f"the demo could not run: {error}")
    if as_json:
        click.echo(json.dumps(result.document(), indent=2))
    else:
        click.echo(f"\n{result.report}")
        click.echo("\n".join(summary(result)))
    return 0 if result.right else 1


@contextlib.contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    """An empty directory for the run: the one to keep, else one that goes away afterwards."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="guard-demo-", ignore_cleanup_errors=True) as path:
            yield Path(path)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        used = any(keep.iterdir())
    except OSError as error:
        _refuse(f"--keep {keep}: {error.strerror}")
    if used:
        _refuse(f"--keep {keep}: not empty; name a new or an empty directory")
    yield keep.resolve()


def _refuse(reason: str) -> NoReturn:
    click.echo(f"guard demo: {reason}", err=True)
    sys.exit(2)
