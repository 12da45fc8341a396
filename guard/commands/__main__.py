"""``python -m guard.commands``: the command ``guard`` where the script is not on the path."""

from guard.commands import main

main()
