# The commands of the project. Needs GNU make and Python 3.10 to 3.13.
#
#   make run    everything on this machine: Redis, worker, backend, Label Studio with pre-labelled cards
#   make test   every test, end-to-end ones included (installs what they need first)
#   make env    random secrets in .env, for docker compose (installs nothing)
#   make check  ruff, mypy --strict, import contracts
#   make docs   the documentation as a site, in build/site

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run env test check docs format weights lock clean

# Modules are compiled once, and not by each of the processes that tests and `make run` start.
unexport PYTHONDONTWRITEBYTECODE

VENV ?= .venv
# Compiled when first imported: of the many modules installed, few are.
PIP_FLAGS ?= --disable-pip-version-check --no-input --progress-bar on --no-compile
PY := $(VENV)/bin/python

# The first interpreter of a supported version, unless PYTHON names one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	"$$p" -c 'import sys, venv; raise SystemExit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo "$$p"; break; }; done)

help:
	@sed -n 's/^#   //p' Makefile

# A stamp younger than the list of requirements means that there is nothing to install.
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

# Two wheels write the folder cv2: the one PaddleOCR pins and the headless one RapidOCR asks for. The headless one is
# put on top, so that no machine needs libGL.
define install_headless_opencv
	@$(PY) -m pip install $(PIP_FLAGS) --quiet --force-reinstall --no-deps "$$(grep '^opencv-python-headless==' requirements.txt)"
endef

$(PY):
	@if [ -z "$(PYTHON)" ]; then echo "No Python 3.10 to 3.13 with venv found: install one, or name it with make PYTHON=/path/to/python3 ..." >&2; exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make an environment: install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }

$(RUN_STAMP): requirements.txt | $(PY)
	@echo "Installing requirements.txt into $(VENV) (once; some minutes without a package cache)"
	@$(PY) -m pip install $(PIP_FLAGS) -r requirements.txt
	$(install_headless_opencv)
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(RUN_STAMP)
	@echo "Installing requirements-dev.txt into $(VENV)"
	@$(PY) -m pip install $(PIP_FLAGS) -r requirements-dev.txt
	$(install_headless_opencv)
	@touch $@

run: $(RUN_STAMP)
	@exec $(PY) -m ml_backend run

env:
	@if [ -z "$(PYTHON)" ]; then echo "No Python 3.10 to 3.13 found: install one, or name it with make env PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(PYTHON) -m ml_backend.launch.env_file

# A process more than two cores: the end-to-end tests mostly wait, and the others compute meanwhile. They go in the order
# of tests/conftest.py. Empty: one after the other.
TEST_PROCESSES ?= -n 3 --no-loadscope-reorder

test: $(DEV_STAMP)
	@$(PY) -m ml_backend.launch.environment
	@left_out=$$(sh tests/prepare.sh) && memory=$$(sh tests/memory.sh) && trap 'rm -rf "$$memory"' EXIT INT TERM && \
		$(PY) -m pytest $(TEST_PROCESSES) $$left_out $${memory:+--basetemp=$$memory/all} $(PYTEST_ARGS)

check: $(DEV_STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: $(DEV_STAMP)
	$(PY) -m mkdocs build --strict --quiet

format: $(DEV_STAMP)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

weights: $(DEV_STAMP)
	$(PY) -m model.weights.make_recogniser
	$(PY) -m model.weights.make_extractor

# Pins for every supported Python. torch names its CUDA packages itself where its build needs them: they are left out
# here, so that a CPU build of the same version installs without them.
UV ?= uv
define compile
	$(UV) pip compile --universal --python-version 3.10 --no-annotate --no-header --upgrade --quiet $(1).in -o $(1).new
	@{ echo '# Made by `make lock` from $(1).in.'; grep -vE '^(nvidia-|cuda-|triton=)' $(1).new; } > $(1).txt
	@rm $(1).new
endef

lock:
	$(call compile,requirements)
	$(call compile,requirements-dev)

clean:
	rm -rf $(VENV) .venv-label-studio
