"""The options of ``guard`` itself, which every command takes, too: the same before and behind its name."""

import os

import click

from guard.commands import Session

HINT = "Before or behind the name, too: --config FILE, -v, -q, --no-color."
"""What the help of each command says of them."""
_LEVEL = "guard.level"
_DEBUG, _INFO, _WARNING = 10, 20, 30
"""As in ``logging``, whose import takes 5 ms that ``guard --help`` does without."""


def options(*, hidden: bool) -> list[click.Parameter]:
    """The options, in the order of the help. ``hidden``: neither helped with nor completed."""
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            expose_value=False,
            hidden=hidden,
            callback=_configure,
            help="Configuration; else GUARD_CONFIG, /etc/guard/guard.yaml.",
        ),
        _flag("-v", "--verbose", callback=_verbose, told="Say everything.", hidden=hidden),
        _flag("-q", "--quiet", callback=_quiet, told="Say only what is wrong.", hidden=hidden),
        _flag("--no-color", callback=_no_color, told="No colours; NO_COLOR does the same.", hidden=hidden),
    ]


def add(command: click.Command) -> click.Command:
    """Give them to a command, and to those in it. What it has under the same name stays.

    Numbers are called N in its help, where click would say INTEGER RANGE beside the range.
    """
    for parameter in command.params:
        if isinstance(parameter.type, click.IntRange | click.FloatRange):
            parameter.metavar = parameter.metavar or "N"
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params += [option for option in options(hidden=True) if not taken & set(option.opts)]
    command.epilog = command.epilog or HINT
    for inner in getattr(command, "commands", {}).values():
        add(inner)
    return command


def level() -> int:
    """How much is said, as a level of ``logging``."""
    context = click.get_current_context(silent=True)
    return _INFO if context is None else context.meta.get(_LEVEL, _INFO)


def quiet() -> bool:
    """Whether only what is wrong is to be said."""
    return level() >= _WARNING


def inform(text: str) -> None:
    """Say on standard error what is good to know and no trouble."""
    if not quiet():
        click.echo(text, err=True)


def _flag(*names: str, callback: object, told: str, hidden: bool) -> click.Option:
    return click.Option(names, is_flag=True, expose_value=False, hidden=hidden, callback=callback, help=told)


def _configure(context: click.Context, _: click.Parameter, given: str | None) -> None:
    if given is not None:
        context.obj = Session(given)


def _verbose(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        _say(context, _DEBUG)


def _quiet(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        _say(context, _WARNING)


def _say(context: click.Context, level: int) -> None:
    import logging  # noqa: PLC0415  (only where it is asked for)

    context.meta[_LEVEL] = level
    logging.getLogger().setLevel(level)


def _no_color(_context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        os.environ["NO_COLOR"] = "1"  # what rich, and every child of `guard demo`, goes by
