# make demo: the node at work, on synthetic patients and a real bone scan.
# make test: everything that has to hold before a change goes in.
# Both set up .venv first; it is set up again only when pyproject.toml or this file changes.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
WORKERS ?= 2
PYTEST_ARGS ?=
SOAK_ARGS ?=
DEMO_ARGS ?=

# One exact version, installed before everything else: with the open range of pyproject.toml pip
# would take the newest release, whose wheels for Linux pull in gigabytes of CUDA libraries. Where
# an index offers a CPU build of this version (2.13.0+cpu), pip prefers it: add PyTorch's CPU
# index with PIP_EXTRA_INDEX_URL if yours has none.
TORCH := torch==2.13.0

VENV := .venv
RUN := $(VENV)/bin/python -m
PIP := $(RUN) pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test

.PHONY: help venv demo test soak lint system-packages clean

help:
	@echo "make venv    set up $(VENV) with what the node and its pipelines need"
	@echo "make demo    start the node and an archive, send patients, show the results"
	@echo "make test    formatting, lint, types, import rules and all tests"
	@echo "make soak    hours: 1,000 kills, 10,000 broken conversations, 10,000 broken data sets, a peak hour"
	@echo "make lint    the same without the tests"
	@echo "make clean   remove $(VENV), caches and demo-output"

venv: $(INSTALLED)

$(INSTALLED): pyproject.toml Makefile
	@echo "== python environment in $(VENV): a few minutes the first time"
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	  || { echo "bmnode needs Python 3.11 with its venv module; name it: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(PIP) install "$(TORCH)"
	$(PIP) install "$(TORCH)" -e ".[demo]"
	@touch $@

$(INSTALLED_TEST): $(INSTALLED)
	@echo "== what the tests need"
	$(PIP) install "$(TORCH)" -e ".[test]"
	@touch $@

demo: $(INSTALLED)
	$(VENV)/bin/bmnode demo $(DEMO_ARGS)

lint: $(INSTALLED_TEST)
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(VENV)/bin/lint-imports

system-packages:
	@.ci/install-system-packages
	@.ci/install-viewer

# pytest comes last: its summary is the last line.
test: lint system-packages
	$(RUN) pytest -n $(WORKERS) $(PYTEST_ARGS)

# Each run prints its seed and figures. Shorter, or one alone: make soak SOAK_ARGS="kills --scale 0.05 --seed 7"
soak: $(INSTALLED_TEST) system-packages
	$(RUN) tests.soak $(SOAK_ARGS)

clean:
	rm -rf $(VENV) demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find bmnode operators pipelines tests -name __pycache__ -type d -prune -exec rm -rf {} +
