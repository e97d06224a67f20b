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
.PHONY: help demo test deep chaos fuzz lint bench format docs lock image sbom audit clean

help: ## list what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## four services, an embedded Redis and patient journeys, with a summary at the end
	@$(BIN)/adaptive-care demo

# Files side by side, the long ones first, since those come first by name. Most wait more than they compute.
test: $(READY) ## every test that this machine can run; ARGS='-k flare' for some of them, ARGS='-n 0' one after the other
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

deep: $(READY) ## over 10,000 random histories against the safety envelope, and 10,000 races of an answer, in about 20 minutes
	@HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest tests/property tests/chaos/test_notifier_acknowledge.py \
		-k 'TestProgression or TestPlanned or TestIntake or acknowledge' --timeout 0 --hypothesis-show-statistics $(ARGS)

fuzz: $(READY) ## a million spoilt events in process and 50,000 through the services; ARGS='--events 10000' for fewer
	@$(BIN)/python -m tests.fuzz $(ARGS)

chaos: $(READY) ## 100,000 events and 200 faults, compared with care without faults; ARGS='--events 5000 --faults 30 --seed 2'
	@$(BIN)/python -m tests.chaos $(ARGS)

lint: $(READY) ## style, types, who imports whom, and whether generated documents are current
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/adaptive-care docs check

bench: $(READY) .venv-bench/.ready ## the performance figures as tables, in about a quarter of an hour; ARGS=gate for the counters only
	@$(BIN)/python -m bench $(ARGS)

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
	$(LOCK) --output-file requirements.lock --extra plots --extra tracing --extra fhir
	$(LOCK) --output-file requirements-dev.lock --group dev --extra plots --extra apprise --extra tracing --extra fhir
	$(subst pyproject.toml,bench/peers.in,$(LOCK)) --output-file bench/peers.lock
	$(BIN)/uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate $(ARGS) --output-file deploy/requirements-build.lock < deploy/requirements-build.in

# The peers that the benchmark compares with want older libraries than ours.
.venv-bench/.ready: bench/peers.lock
	@test -x .venv-bench/bin/python || $(BIN)/python -m venv .venv-bench
	@echo "Installing the packages of bench/peers.lock into .venv-bench"
	@.venv-bench/bin/pip install --quiet --quiet --require-hashes --requirement bench/peers.lock
	@touch $@

image: ## the one image for all services, adaptive-care:local; BASE=… for another base
	docker build --file deploy/Dockerfile --tag adaptive-care:local $(if $(BASE),--build-arg BASE=$(BASE)) \
		--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) .

sbom: $(READY) ## what the image is made of, as CycloneDX: dist/sbom.cdx.json
	@mkdir -p dist
	@$(BIN)/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --validate \
		--output-file dist/sbom.cdx.json requirements.lock && echo "written to dist/sbom.cdx.json"

audit: $(READY) ## known vulnerabilities in what the lock file pins; needs a network
	@deploy/audit $(BIN)

clean: ## remove .venv and caches; patients' data in .adaptive-care stays
	rm -rf $(VENV) .venv-bench dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
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
