"""Writes ``docs/reference/``: commands and configuration, from the code that defines them."""

from tools.reference.command_page import command_page
from tools.reference.configuration_page import configuration_page

PAGES = {"commands.md": command_page, "configuration.md": configuration_page}
"""Each page, and what makes its text: always the same text from the same code."""

RENEW = "python -m tools.reference"
