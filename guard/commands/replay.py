"""``guard replay``: the detector over telemetry files."""

import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click

from collectors.telemetry import Compared
from detectors.detector import Detector
from detectors.verdict import encode
from guard.commands import Session
from guard.config_file import load
from guard.replay import Progress, in_order, replay
from guard.telemetry_files import SetAside, read
from guard.whole_file import output

_PATIENCE = 2.0
"""Seconds after which a person at a terminal wants to see that something happens."""


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
@click.option(
    "--config", "given", metavar="FILE", type=click.Path(), help="Configuration, for this command alone."
)
@click.pass_obj
def command(session: Session, files: tuple[str, ...], verdicts: str, given: str | None) -> None:
    """Run the detector over telemetry FILEs (.ndjson, .ndjson.gz, .ndjson.zst; - for standard input).

    Ends 0 when all input was read, and says on stderr what was set aside and why.
    """
    policy = (load(Path(given)) if given else session.config).detect
    aside = SetAside()
    progress = _progress()
    records = list(in_order(_read(files, aside, progress)))
    detector = Detector(policy)
    said = 0
    with output(verdicts) as file:
        for saying in replay(detector, policy, records, progress):
            file.write(encode(saying) + b"\n")
            said += 1
    progress(len(records), len(records))
    _summary(len(records), said, aside, detector)


def _read(files: tuple[str, ...], aside: SetAside, progress: Progress) -> Iterator[Compared]:
    every = chain.from_iterable(read(path, aside) for path in files)
    for done, record in enumerate(every, 1):
        if done % 1000 == 0:
            progress(done, 0)
        yield record


def _progress() -> Progress:
    """A line on a terminal's stderr, once it takes long enough to wonder."""
    if not sys.stderr.isatty():
        return lambda _done, _of: None
    start, shown = time.monotonic(), 0.0

    def show(done: int, of: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if done == of and shown:
            click.echo("\r\033[K", nl=False, err=True)
        elif now - start > _PATIENCE and now - shown > 0.2:
            shown = now
            what = f"{done:,} of {of:,} records" if of else f"{done:,} records read"
            click.echo(f"\r\033[K{what}", nl=False, err=True)

    return show


def _summary(records: int, said: int, aside: SetAside, detector: Detector) -> None:
    click.echo(f"{records:,} records read, {said:,} verdicts written", err=True)
    for reason, count in sorted(aside.counts.items()):
        click.echo(f"set aside, {reason}: {count:,}", err=True)
        for example in aside.examples[reason]:
            click.echo(f"  {example}", err=True)
    for reason, count in sorted((+detector.counts).items()):
        click.echo(f"detector, {reason}: {count:,}", err=True)
