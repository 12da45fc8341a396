"""An emulator of neuron-monitor: same command line, same configuration file, output of the same shape.

    python -m simulation.neuron_monitor -c CONFIG

What the real one finds in the machine comes from the environment: ``GUARD_EMULATE_INSTANCE_TYPE`` (trn1.32xlarge,
trn1n.32xlarge, trn2.48xlarge), ``GUARD_EMULATE_INSTANCE_ID``, ``GUARD_EMULATE_RUNTIMES``, ``GUARD_EMULATE_SEED``,
and ``GUARD_EMULATE_FAULT``: a list of ``KIND@REPORT`` or ``KIND@REPORT+MORE`` parted by commas, each on the report
of that number and on so many more after it. With ``GUARD_EMULATE_STATE``, a file, faults happen once and not again
after a restart. Standard library only, so that it starts quickly.
"""

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from simulation.neuron_report import Emulator

USAGE = "Usage of neuron-monitor:\n  -c, --config-file FILE\n  --verbose 0-4\n"
FAULTS = ("garbage", "half", "huge", "silence", "exit", "null", "errors", "flood")
_LEAST_PERIOD = 0.05
"""Seconds. The real one takes no less than one; here less is taken too, so that tests are quick."""
_DEFAULT_PERIOD = 5.0
_LONGEST_SILENCE = 3600.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def main() -> None:
    """Emulate until the reader is gone."""
    path = _arguments(sys.argv[1:])
    try:
        period = _period(path)
        emulator = Emulator(
            os.environ.get("GUARD_EMULATE_INSTANCE_TYPE", "trn1.32xlarge"),
            _setting("GUARD_EMULATE_RUNTIMES", 2),
            _setting("GUARD_EMULATE_SEED", 0),
            os.environ.get("GUARD_EMULATE_INSTANCE_ID", "i-0123456789abcdef0"),
        )
        faults = _faults(os.environ.get("GUARD_EMULATE_FAULT", ""))
    except (OSError, ValueError) as error:
        sys.exit(f"neuron-monitor: {error}")
    due = time.monotonic()
    for number in range(sys.maxsize):
        seconds = 0.0005 if number == 0 else period
        kind = faults.get(number)
        if kind and _first_time(f"{kind}@{number}"):
            _misbehave(kind, emulator.line(seconds, kind))
        else:
            _write(emulator.line(seconds) + "\n")
        due += period
        _wait(due - time.monotonic())


def _misbehave(kind: str, line: str) -> None:
    if kind == "exit":
        sys.stderr.write("fatal: device lost\n")
        sys.exit(1)
    elif kind == "silence":
        _wait(_LONGEST_SILENCE)
    elif kind == "garbage":
        _write("\x00\x01 this is not JSON {{{\n")
    elif kind == "half":
        _write(line[: len(line) // 2])
        sys.exit(1)
    elif kind == "huge":
        _write(line[:-1] + ',"padding":"' + "x" * (2 << 20) + '"}\n')
    else:
        if kind == "flood":
            sys.stderr.write("warning: nothing is wrong\n" * 200_000)
        _write(line + "\n")


def _wait(seconds: float) -> None:
    """Sleep, and end when the reader goes away: without it nobody would end a silent child."""
    if seconds <= 0:
        return
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors alone, which are always reported
    if poll.poll(seconds * 1000):
        sys.exit(0)


def _first_time(fault: str) -> bool:
    state = os.environ.get("GUARD_EMULATE_STATE")
    if not state:
        return True
    path = Path(state)
    done = path.read_text().split() if path.exists() else []
    path.write_text("\n".join([*done, fault]))
    return fault not in done


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains again as it ends
        sys.exit(0)


def _faults(text: str) -> dict[int, str]:
    found = {}
    for one in filter(None, text.split(",")):
        kind, _, when = one.partition("@")
        first, plus, more = when.partition("+")
        if kind not in FAULTS or not first.isdecimal() or (plus and not more.isdecimal()):
            kinds = ", ".join(FAULTS)
            raise ValueError(f"GUARD_EMULATE_FAULT: {one!r}; expected KIND@REPORT[+MORE], KIND one of {kinds}")
        found.update(dict.fromkeys(range(int(first), int(first) + int(more or 0) + 1), kind))
    return found


def _setting(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise ValueError(f"{name}: {text!r}; expected a whole number of at least 0")
    return int(text)


def _arguments(words: list[str]) -> Path | None:
    """The configuration file. As the real one does, a wrong flag prints the usage on stdout and ends."""
    path = None
    while words:
        word = words.pop(0)
        if word in ("-c", "--config-file") and words:
            path = Path(words.pop(0))
        elif word == "--verbose" and words and words[0] in ("0", "1", "2", "3", "4"):
            words.pop(0)
        else:
            _usage()
    return path


def _usage() -> NoReturn:
    sys.stdout.write(USAGE)
    sys.exit(2)


def _period(path: Path | None) -> float:
    """The shortest period in the configuration, at its root, a runtime or a group, in seconds."""
    found: list[float] = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            if "period" in part:
                found.append(_seconds(part["period"]))
            for inner in part.values():
                look(inner)
        elif isinstance(part, list):
            for inner in part:
                look(inner)

    if path is not None:
        look(json.loads(path.read_text()))
    return max(_LEAST_PERIOD, min(found, default=_DEFAULT_PERIOD))


def _seconds(text: object) -> float:
    for unit, scale in _UNITS.items():
        number = str(text).removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdecimal():
            return float(number) * scale
    raise ValueError(f"period: {text!r}; expected a number and a unit, such as '5s'")


if __name__ == "__main__":
    main()
