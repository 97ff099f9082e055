# Everything a newcomer needs: Python 3.11 or newer, pip, make and a C compiler; the rest is fetched into .venv.
# Packages come from the registries that pip is configured to use, each checked against the hashes of the lock.

VENV    := .venv
BIN     := $(VENV)/bin
UV      := $(BIN)/uv
RUNTIME := $(VENV)/.installed
DEV     := $(VENV)/.installed-dev
FUZZ    := $(VENV)/.installed-fuzz

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12` takes another.
PYTHON  ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
             $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

REGISTRIES = eval "$$($(PYTHON) dev/registries.py)"
COMPILE    = $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
               --no-emit-index-url --no-emit-find-links --no-header --group build

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format docs compile bench torture fuzz lock clean

help:  ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(RUNTIME)  ## See the whole platform at work, in under a minute
	@$(BIN)/fogbank demo

test: $(DEV)  ## Run all tests, in parallel (ARGS="-k shadow" chooses)
	@$(BIN)/pytest -n auto $(ARGS)

lint: $(DEV)  ## Check style, types and the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DEV)  ## Write docs/cli.md, docs/coverage.md and docs/conformance.md anew
	$(BIN)/python -m dev.cli_reference
	$(BIN)/python -m dev.coverage
	$(BIN)/python -m dev.conformance

compile: $(DEV)  ## Compile the hot path anew, after changes to it (it runs as plain Python, too)
	$(BIN)/python dev/compile.py

bench: compile  ## Measure against other brokers, where they are installed (ARGS="--help")
	$(BIN)/python -m bench $(ARGS)

torture: $(DEV)  ## Kill the broker 200 times under load, and count what it forgets (ARGS="--help")
	$(BIN)/python -m tests.torture $(ARGS)

fuzz: $(FUZZ)  ## Play a million mutated packet streams against the broker (ARGS="--help")
	$(BIN)/python -m dev.fuzz $(ARGS)

lock: $(UV)  ## Resolve the dependencies anew (UPGRADE=--upgrade takes the newest)
	@$(REGISTRIES) && $(COMPILE) $(UPGRADE) --extra demo -o requirements.txt
	@$(REGISTRIES) && $(COMPILE) $(UPGRADE) --extra dev -c requirements.txt -o requirements-dev.txt
	@$(REGISTRIES) && $(COMPILE) $(UPGRADE) --extra dev --group fuzz -c requirements-dev.txt -o requirements-fuzz.txt

clean:  ## Remove the environment and every cache
	rm -rf $(VENV) build dist src/fogbank/_native .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench dev -name __pycache__ -type d -exec rm -rf {} +

# --- the environment -------------------------------------------------------------------------------------------------

# uv itself, by pip, from the lock. Without ensurepip, which Debian packages apart: the pip that is there will do.
$(UV):
	@if [ -z "$(PYTHON)" ]; then \
	  echo "Python 3.11 or newer is needed. Install it, or say where it is: make PYTHON=/path/to/python3"; exit 1; fi
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  echo "$(PYTHON) has no pip. Install it (Debian: apt install python3-pip), or say: make PYTHON=/path/to/python3"; \
	  exit 1; }
	@echo "Making the environment in $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --without-pip $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > $(VENV)/uv.txt
	@$(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check install --quiet --require-hashes \
	  --requirement $(VENV)/uv.txt || { echo "uv could not be installed: see pip's message above. $(UNREACHABLE)"; exit 1; }

UNREACHABLE := Behind a mirror or proxy, tell pip (pip config set global.index-url URL, or PIP_INDEX_URL) and run make again.

# $(call install,LOCK): exactly what the lock says, then Fogbank itself, editable.
# No build isolation: the build back end is in the lock as well, and so checked like everything else.
define install
	@echo "Installing $(1) ..."
	@$(REGISTRIES) && $(UV) pip install --python $(BIN)/python --require-hashes --requirement $(1) \
	  && $(UV) pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable . \
	  || { echo "The packages could not be installed: see uv's message above. $(UNREACHABLE)"; exit 1; }
	@touch $@
endef

$(RUNTIME): requirements.txt pyproject.toml | $(UV)
	$(call install,requirements.txt)

$(DEV): requirements-dev.txt pyproject.toml | $(UV)
	$(call install,requirements-dev.txt)

$(FUZZ): requirements-fuzz.txt pyproject.toml | $(UV)
	$(call install,requirements-fuzz.txt)
