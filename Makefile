# Everything runs in .venv; `make demo` and `make test` set it up by themselves.
PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo dev test test-system check bench contact-sheets fix clean
.DEFAULT_GOAL := demo

demo: .venv/base  ## make a talking video from the samples, and a page to look at it
	@$(BIN)/sparkle demo

dev: .venv/base  ## the Dagster UI and one daemon that watches the inbox
	@$(BIN)/sparkle dev

test: check  ## all checks, then all tests
	@echo "tests ..."
	@$(BIN)/python -m pytest -n 2

test-system: .venv/dev  ## tests that need programs of the machine; installs them where it may, else names them
	@$(BIN)/python -m tests.system_packages
	@echo "system tests ..."
	@$(BIN)/python -m pytest -m system -n 2 --dist loadfile

check: .venv/dev  ## lint, format, types, import rules
	@echo "ruff ..." && $(BIN)/ruff check && $(BIN)/ruff format --check --quiet
	@echo "types ..." && $(BIN)/basedpyright
	@echo "import rules ..." && $(BIN)/lint-imports

fix: .venv/dev  ## what ruff can mend by itself
	@$(BIN)/ruff check --fix --quiet; $(BIN)/ruff format --quiet

bench: .venv/dev  ## measure, 44 minutes, needs wrk; results are kept in benchmarks/results, docs/performance.md is made from them
	@$(BIN)/python -m benchmarks

contact-sheets: .venv/dev  ## lip-sync on many faces, to look at: build/contact-sheets; MEDIA=folder adds your own
	@$(BIN)/python -m benchmarks.lipsync_parts.contact_sheets --to build/contact-sheets $(if $(MEDIA),--media $(MEDIA))

.venv/python:
	@echo "making .venv ..."
	@$(PYTHON) -m venv .venv && touch $@

.venv/base: .venv/python pyproject.toml
	@echo "installing Sparkle (about a minute the first time) ..."
	@$(PIP) --editable . && touch $@

.venv/dev: .venv/base
	@echo "installing development tools ..."
	@$(PIP) --editable '.[dev]' && touch $@

clean:
	rm -rf .venv demo build *.egg-info
