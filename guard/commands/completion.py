"""``guard completion SHELL``: the script with which a shell completes ``guard``, and answers to its questions."""

import os
import sys
from typing import TYPE_CHECKING

import click

from guard.commands import COMPLETION

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

_SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete guard's commands, options and choices.

    A new shell has it once the script lies where the shell looks (make the folder first):

    \b
    bash: guard completion bash > ~/.local/share/bash-completion/completions/guard
    zsh:  guard completion zsh > ~/.zfunc/_guard
          and in ~/.zshrc, before compinit: fpath+=(~/.zfunc)
    fish: guard completion fish > ~/.config/fish/completions/guard.fish

    Only for this bash: source <(guard completion bash)
    """  # noqa: D301  (click's mark of lines that stay as they are)
    click.echo(_speaker(shell, context.find_root().command).source())


def answer() -> int:
    """Answer the question that the script has put into the environment. Returns the exit code."""
    from guard.commands.root import guard  # noqa: PLC0415  (which loads this command)

    shell, _, question = os.environ[COMPLETION].partition("_")
    if shell not in _SHELLS or question != "complete":
        sys.stderr.write(f"guard: {COMPLETION} is not set by a script of `guard completion`: unset it\n")
        return 2
    try:
        click.echo(_speaker(shell, guard).complete())
    except (click.ClickException, ImportError):  # in the midst of a line is no place to tell what is missing
        return 1
    return 0


def _speaker(shell: str, root: click.Command) -> "ShellComplete":
    """What speaks with a shell in its own way."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415  (only while a shell completes)

    speaker = get_completion_class(shell)
    if speaker is None:
        raise click.ClickException(f"{shell}: the installed click cannot complete there; pip install -U click")
    return speaker(root, {}, "guard", COMPLETION)
