# Bare `make` lists the targets: a line "target: ... ## what it does" is its own documentation.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile

# The first of these that runs and is new enough. Another one: make PYTHON=/path/to/python setup
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

SOAK ?= 100

# What tests and the PDF report need from Debian: a browser, two independent verifiers (openssl, Go), pango, pdftotext;
# strace and ext4 for the campaigns.
DEBIAN := chromium cron openssh-client openssl golang-go golang-golang-x-mod-dev strace e2fsprogs \
	libpango-1.0-0 libpangoft2-1.0-0 fonts-dejavu-core poppler-utils

.PHONY: help setup demo test lint types bench crash soak tsa clients lock debian clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## the locked environment in .venv (again only when requirements.txt or pyproject.toml changed)

$(STAMP): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { \
		echo "No Python 3.11 or newer was found on this machine."; echo; \
		echo "hint: install one, or name it: make PYTHON=/path/to/python3.11 setup"; exit 1; }
	@"$(PYTHON)" -c '$(NEW_ENOUGH)' || { \
		echo "$(PYTHON) is not Python 3.11 or newer: $$("$(PYTHON)" --version 2>&1 | head -n 1)."; echo; \
		echo "hint: make PYTHON=/path/to/python3.11 setup"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { \
		echo "$(PYTHON) could not make a virtual environment in $(VENV)."; echo; \
		echo "hint: on Debian its venv module is a package of its own: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## the whole cycle on a made-up clinic: ingest, check, plan, approve, purge, verify, report
	@rm -rf demo
	$(BIN)/lifecycle demo demo

test: setup ## everything that must hold: fast tests, lint, types, slow tests
	$(PYTEST) -m "not slow"
	@$(MAKE) --no-print-directory lint types
	$(PYTEST) -m slow

lint: setup ## ruff, rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy, strict
	$(BIN)/mypy

bench: setup ## our speed beside the peer's, as ratios (BENCH="--scale 0.01" for a quick look)
	$(BIN)/python -m bench $(BENCH)

crash: setup ## kills, power cuts, failing disks and edited evidence, on purpose (CRASH="--every 20" for a quick look)
	$(BIN)/python -m campaigns $(CRASH)

soak: setup ## the state machine of the deletion for thousands of steps (SOAK=100 lives of 50 steps)
	SOAK=$(SOAK) $(BIN)/python -m pytest -m slow -s tests/deletion/test_state_machine.py

tsa: setup ## a local RFC 3161 time stamp authority, for trying [ledger] timestamp_url; its keys go to build/tsa
	$(BIN)/python tests/ledger/tsa.py build/tsa 8318

clients: setup ## what mail programs can show, anew from the npm package caniemail (needs npm)
	@command -v npm >/dev/null || { echo "There is no npm here."; echo; \
		echo "hint: on Debian: apt-get install npm"; exit 1; }
	rm -rf build/clients && mkdir -p build/clients
	cd build/clients && npm pack --silent caniemail@latest && tar xzf caniemail-*.tgz
	$(BIN)/python -m lifecycle.mail.refresh_clients build/clients/package
	rm -rf build/clients

lock: setup ## requirements.txt anew from pyproject.toml, with hashes
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-header --no-annotate --no-emit-index-url pyproject.toml -o requirements.txt

debian: ## the Debian packages that the tests use; as root, or with sudo
	@missing=""; for p in $(DEBIAN); do \
		[ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; done; \
	[ -n "$$missing" ] || { echo "All Debian packages are there."; exit 0; }; \
	command -v apt-get >/dev/null || { \
		echo "This is not Debian: no apt-get. Needed:$$missing"; echo; \
		echo "hint: install your system's packages of the same content"; exit 1; }; \
	if [ "$$(id -u)" = 0 ]; then as_root=""; else as_root=sudo; fi; \
	echo "Installing:$$missing"; \
	$$as_root apt-get -q update && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $$missing

clean: ## removes .venv, caches and builds; never data, evidence, keys or reports
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/work *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
