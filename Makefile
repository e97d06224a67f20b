# The only door: `make` alone lists what there is to do.
#
# Needs Python 3.11 or newer, and make. Everything else goes into .venv, at the versions and hashes of the lock file.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The first Python that is new enough; `make PYTHON=/path/to/python3 …` names another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

.DEFAULT_GOAL := help
.PHONY: help demo test deep lint bench format docs lock clean

help: ## list what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## four services, an embedded Redis and patient journeys, with a summary at the end
	@$(BIN)/adaptive-care demo

test: $(READY) ## every test that this machine can run; ARGS='-k flare' for some of them
	@$(BIN)/python -m pytest $(ARGS)

deep: $(READY) ## over 10,000 random histories against the safety envelope, in about a quarter of an hour
	@HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest tests/property -k 'TestProgression or TestPlanned or TestIntake' \
		--hypothesis-show-statistics $(ARGS)

lint: $(READY) ## style, types, who imports whom, and whether generated documents are current
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/adaptive-care docs check

bench: $(READY) ## what a step costs and how many fit into a second, as a table
	@$(BIN)/python -m bench.pipeline

format: $(READY) ## put the code into the one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY) ## write the generated documents anew
	$(BIN)/adaptive-care docs write

# What is locked stays, as long as it still fits pyproject.toml; ARGS=--upgrade moves everything to the newest.
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate $(ARGS)

lock: $(READY) ## write both lock files anew from pyproject.toml
	@$(BIN)/uv --version 2>/dev/null || $(BIN)/pip install --quiet uv
	$(LOCK) --output-file requirements.lock --extra plots --extra fhir
	$(LOCK) --output-file requirements-dev.lock --group dev --extra plots --extra apprise --extra fhir

clean: ## remove .venv and caches; patients' data in .adaptive-care stays
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find services shared tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for running and developing: the tools are few, and a second one would have to be kept in step.
$(READY): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or newer is needed, and there is none on the PATH; install it, or: make PYTHON=/path/to/it" >&2; \
		exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the packages of requirements-dev.lock into $(VENV), which takes about a minute the first time"
	@$(BIN)/pip install --quiet --quiet --require-hashes --requirement requirements-dev.lock
	@$(BIN)/pip install --quiet --quiet --no-deps --no-build-isolation --editable .
	@touch $@
