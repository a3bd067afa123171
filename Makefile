# `make` checks everything. `make demo` and `make test` install what they need first; a second call installs nothing.
PYTHON ?= python3
BIN := .venv/bin
# The files of tests are divided among so many processes.
WORKERS ?= 2
SHARED = -n $(WORKERS) --dist loadfile
# What the caller's Python was told is none of ours: .venv stands alone, and only uv itself is found in .bootstrap.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
UV := PYTHONPATH=.bootstrap UV_PYTHON_DOWNLOADS=never $(PYTHON) -m uv
# Compiled once here: a torch process starts in half the time, also where Python may not write its caches.
INSTALL := $(UV) pip install --compile-bytecode --python $(BIN)/python -c requirements.lock

.DEFAULT_GOAL := check
.PHONY: check lint types quick test wheel demo format docs lock clean

check: lint types test

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

# What needs no torch, no browser and no processes of its own: for between two edits.
quick: .venv/.dev
	$(BIN)/python -m pytest --quick -p no:schemathesis $(SHARED) $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest $(SHARED) $(ARGS)

wheel: .bootstrap/.stamp
	PYTHONPATH=.bootstrap UV_PYTHON_DOWNLOADS=never $(PYTHON) -m tests.wheel

demo: .venv/.app
	@exec $(BIN)/tessera demo $(ARGS)

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.app
	$(BIN)/python -c 'from pathlib import Path; from models.recipes.tables import renew; renew(Path("docs/tasks.md"))'

lock: .bootstrap/.stamp
	$(UV) pip compile --universal --no-header --no-emit-index-url --no-emit-find-links --extra dev --extra timm --extra onnx -o requirements.lock pyproject.toml

clean:
	rm -rf .venv .bootstrap .mypy_cache .ruff_cache .pytest_cache
	find app models tests benchmarks -name __pycache__ -prune -exec rm -r {} +

.bootstrap/.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Tessera needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.12 demo"; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  echo "$(PYTHON) has no pip, which is needed once. On Debian and Ubuntu: apt-get install python3-pip"; exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target .bootstrap --upgrade uv
	@touch $@

.venv/.made: .bootstrap/.stamp
	@test -x $(BIN)/python || $(UV) venv --quiet --clear --python $(PYTHON) .venv
	@touch $@

.venv/.app: .venv/.made pyproject.toml requirements.lock
	$(INSTALL) -e .
	@touch $@

.venv/.dev: .venv/.made pyproject.toml requirements.lock
	$(INSTALL) -e '.[dev]'
	@touch .venv/.app $@
