"""``guard replay``: the detector over telemetry files."""

from itertools import chain
from typing import TYPE_CHECKING

import click

from guard.commands import Session
from guard.commands.global_options import inform
from guard.progress_bar import Told, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.telemetry import Compared
    from detectors.detector import Detector
    from guard.telemetry_files import SetAside

_TELL_EVERY = 1000
"""Records."""


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@click.option(
    "--verdicts",
    required=True,
    metavar="OUT",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="NDJSON file to write, whole or not at all; - for standard output.",
)
@click.pass_obj
def command(session: Session, files: tuple[str, ...], verdicts: str) -> None:
    """Run the detector over telemetry FILEs (.ndjson, .ndjson.gz, .ndjson.zst; - for standard input).

    Ends 0 when all input was read, and says on stderr what was set aside and why.
    """
    from detectors.detector import Detector  # noqa: PLC0415  (2 s of libraries; help is to be quick)
    from detectors.verdict import encode  # noqa: PLC0415
    from guard.replay import in_order, replay  # noqa: PLC0415
    from guard.telemetry_files import SetAside  # noqa: PLC0415
    from guard.whole_file import output  # noqa: PLC0415

    policy = session.config.detect
    aside = SetAside()
    with progress("reading") as told:
        records = list(in_order(_read(files, aside, told)))
    detector = Detector(policy)
    said = 0
    with output(verdicts) as file, progress("detecting", len(records)) as told:
        for saying in replay(detector, policy, records, told):
            file.write(encode(saying) + b"\n")
            said += 1
    _summary(len(records), said, aside, detector)


def _read(files: tuple[str, ...], aside: "SetAside", told: Told) -> "Iterator[Compared]":
    from guard.telemetry_files import read  # noqa: PLC0415

    every = chain.from_iterable(read(path, aside) for path in files)
    for done, record in enumerate(every, 1):
        if done % _TELL_EVERY == 0:
            told(done)
        yield record


def _summary(records: int, said: int, aside: "SetAside", detector: "Detector") -> None:
    inform(f"{records:,} records read, {said:,} verdicts written")
    for reason, count in sorted(aside.counts.items()):
        click.echo(f"set aside, {reason}: {count:,}", err=True)
        for example in aside.examples[reason]:
            click.echo(f"  {example}", err=True)
    for reason, count in sorted((+detector.counts).items()):
        inform(f"detector, {reason}: {count:,}")
