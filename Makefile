.DEFAULT_GOAL := help
.PHONY: help install check test quick demo bench clean

PYTHON ?= python3
BIN := .venv/bin

help:
	@echo "make install   .venv with the command guard, from the pinned and hashed requirements"
	@echo "make demo      train on a few local processes, slow one, and see it named"
	@echo "make test      all tests; GUARD_REQUIRE=all fails instead of skipping what needs a service"
	@echo "make quick     the tests that need no service"
	@echo "make check     format, lint, types, and the import rule"
	@echo "make bench     measure everything and write docs/benchmarks.md"

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@tools/python $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_imports.py

test: install
	tools/test $(PYTEST)

quick: install
	tools/test --quick $(PYTEST)

demo: install
	$(BIN)/guard demo $(DEMO)

bench: install
	$(BIN)/python -m tools.bench

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
