"""``python -m tools.reference``: renew ``docs/reference/``."""

from pathlib import Path

from tools.reference import PAGES

FOLDER = Path(__file__).parents[2] / "docs" / "reference"

FOLDER.mkdir(exist_ok=True)
for name, made in PAGES.items():
    (FOLDER / name).write_text(made(), encoding="utf-8")
    print(f"docs/reference/{name}")
