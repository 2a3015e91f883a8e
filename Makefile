# `make run` opens the page, `make test` proves the clone. Each sets up all it needs in .venv first.
#
#   make run DEVICE=gpu       take the GPU build of torch although no GPU is seen here (or =cpu)
#   make run ARGS="--help"    pass arguments to the page; train, bench and test take ARGS too
#   make train DATA=FOLDER    train on the records of a folder

VENV := .venv
BIN := $(VENV)/bin
# Python compiles what is imported when it is first imported: a third of the set-up's time is saved.
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-compile

DATA ?= data
RECIPE ?= deixis-tiny

# The first Python that this project is tested with.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do $$p -c \
	'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	&& { echo $$p; break; }; done)

# PyPI's torch for Linux brings several gigabytes of CUDA, so a Linux machine without an NVIDIA GPU
# gets the CPU build. Everywhere else PyPI's own build is the right one.
DEVICE ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
TORCH_CPU := torch==2.13.0+cpu
TORCH_INDEX := https://download.pytorch.org/whl/cpu

.DEFAULT_GOAL := help
.PHONY: help run test test-slow check train bench setup setup-dev tree

help:
	@echo "make run        open the page on http://127.0.0.1:7860"
	@echo "make test       run the tests (under 10 minutes on 2 cores)"
	@echo "make test-slow  run the long tests: kill storms, fuzzing, soaks"
	@echo "make check      lint, format, types, layers, spelling, house rules"
	@echo "make train      train the embedded checkpoint; see README.md for the data"
	@echo "make bench      measure speed and print the table"

run: setup
	$(BIN)/python app.py $(ARGS)

# A file of tests stays with one worker; more workers than four would want more memory than time.
test: setup-dev
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

test-slow: setup-dev
	$(BIN)/python -m pytest -m slow --timeout 3600 $(ARGS)

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/test_house.py

train: setup-dev
	$(BIN)/python -m model.training train --recipe $(RECIPE) --data $(DATA) $(ARGS)

bench: setup
	$(BIN)/python -m tests.bench $(ARGS)

# Brings the tree in README.md up to date with the disk.
tree: setup-dev
	@$(BIN)/python tests/readme_tree.py

setup: $(VENV)/installed
setup-dev: $(VENV)/installed-dev

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed and none was found."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "On Debian and Ubuntu, venv is a package of its own: sudo apt install python3-venv"; exit 1; }

$(VENV)/installed: requirements.txt | $(BIN)/python
	@if [ "$$(uname)-$(DEVICE)" = Linux-cpu ]; then \
		echo "No NVIDIA GPU is used: installing the CPU build of torch"; \
		$(INSTALL) --no-deps --retries 1 --timeout 15 \
			--extra-index-url $(TORCH_INDEX) $(TORCH_CPU) || { \
		echo "The CPU build of torch is at $(TORCH_INDEX), which could not be reached."; \
		echo "If several gigabytes of CUDA are acceptable instead: make run DEVICE=gpu"; exit 1; }; fi
	$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(INSTALL) -r requirements-dev.txt
	@touch $@
