# `make` alone lists what there is. Settings: PYTHON=/path/to/python3.12  VENV=.venv  SLUICE_HOME=.sluice
# Recipes stay relative to this folder, so that its path may hold spaces and any script's characters.

SHELL := /bin/sh
PYTHON ?=
VENV ?= .venv
ORACLE := .venv-oracle
PEERS := .venv-peers
DATACONTRACT := .venv-datacontract

# Somebody else's module called `core` or `cli` on PYTHONPATH would stand before ours.
unexport PYTHONPATH
unexport PYTHONHOME
# Airflow starts a dozen processes: each would compile the same packages anew. (Compiling all of them at installation
# takes twice as long as the first start saves.)
unexport PYTHONDONTWRITEBYTECODE

# $(call environment,FOLDER,LOCK): finds Python, then makes FOLDER hold requirements/LOCK.txt; silent when it does.
environment = @python=$$(sh scripts/python.sh "$(1)" "$(PYTHON)") && \
	"$$python" scripts/install.py $(if $(PYTHON),--exact) "$(1)" $(2)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo up test test-system lint bench bench-peers clean-demo hall dev oracle peers datacontract

help: ## this list
	@echo "Sluice. Targets:"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo "Another Python (3.11 to 3.13): make demo PYTHON=/path/to/python3.12"

demo: hall ## run the grocery contract through Airflow, from the platform's data to a published release
	@"$(VENV)/bin/sluice" demo

up: hall ## start Airflow with its pages and keep it running; Ctrl-C stops it
	@"$(VENV)/bin/sluice" up

# The kernels' tests run twice: as machine code, which coverage can't look into, and before that as plain Python. Beside
# that and the lint the kernels are compiled: else each of the suite's two processes would do so.
KERNELS := $(foreach name,mondrian models lattice names measures history facts_again,tests/privacy/test_$(name).py)

# To be measured takes a suite half as long again: CI does so.
MEASURED := $(if $(COVERAGE),--cov --cov-report=)

test: dev oracle datacontract ## all checks and tests that need Python packages alone
	@"$(VENV)/bin/python" -m tests.compiled & \
	VENV="$(VENV)" sh scripts/lint.sh && \
	NUMBA_DISABLE_JIT=1 "$(VENV)/bin/python" -m pytest -q $(KERNELS) $(MEASURED); ended=$$?; wait $$! && exit $$ended
	"$(VENV)/bin/python" -m pytest -m "not system" -n 2 --dist loadfile --no-loadscope-reorder $(MEASURED) $(if $(COVERAGE),--cov-append)
	@$(if $(COVERAGE),"$(VENV)/bin/python" scripts/coverage_by_room.py)

test-system: dev oracle datacontract ## the tests that need Debian programs, or many minutes
	@sh scripts/test-system.sh "$(VENV)"

lint: dev ## ruff, mypy --strict and the import rules
	@VENV="$(VENV)" sh scripts/lint.sh

bench: dev ## the route's CPU and memory beside a bare copy, at 1.5 and 15 million rows
	@"$(VENV)/bin/python" benchmarks/route.py

bench-peers: dev peers ## the privacy engine beside other tools: time, memory and loss, and their measures of its files
	@"$(VENV)/bin/python" -m benchmarks.peers --python "$(PEERS)/bin/python"

clean-demo: ## remove the demo's state (SLUICE_HOME, by default .sluice)
	@python=$$(sh scripts/python.sh "$(VENV)" "$(PYTHON)") && "$$python" scripts/clean_demo.py

hall: ## the environment that `make demo` runs in
	$(call environment,$(VENV),hall)

dev: ## the environment that `make test` runs in; holds all of `hall`
	$(call environment,$(VENV),dev)

oracle: ## the environment of the tests' independent privacy oracle
	$(call environment,$(ORACLE),oracle)

peers: ## the environment of the tools that `make bench-peers` runs
	$(call environment,$(PEERS),peers)

datacontract: ## the environment of the data contract linter that the tests run
	$(call environment,$(DATACONTRACT),datacontract)
