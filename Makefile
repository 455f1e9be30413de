# Targets to run, check and test VX11 Operator. `make help` lists them.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
MINUTES ?= 30
DIST ?= dist
SITE ?= site
EVENT_CLIENT = $(notdir $(wildcard static/events/*.js static/events/*.d.ts))

VENV := .venv
BIN := $(VENV)/bin
# The programs with which benchmarks compare are installed apart from those that serve and test.
BENCH_VENV := .venv-bench
MANAGE := $(BIN)/python manage.py
# Twice quiet: without warnings about the machine's own index settings. Errors are still shown.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
PYTEST := $(BIN)/python -m pytest
# Its cache lies in the environment, and it does not ask its maker for a newer version.
DENO := env DENO_DIR=$(VENV)/deno DENO_NO_UPDATE_CHECK=1 $(BIN)/deno
# Each has servers of its own. One more than there are cores, as tests also wait.
WORKERS ?= $(shell expr $$(nproc) + 1)
IN_PARALLEL := --numprocesses=$(WORKERS) --dist=worksteal
# Pages wait more than they compute.
PAGES_IN_PARALLEL := --numprocesses=$(shell expr $(WORKERS) + 1) --dist=worksteal
# Images often set PYTHONDONTWRITEBYTECODE: then each of hundreds of processes would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
# Tests that run in the process of the test, and no server.
UNITS := ledger vx11_client events gateway operator_api receivers watches vx11_site
# What `make test` asks a running installation, and what it shows of the console.
FLOW := tickets stream socket replay polling publishing retries credentials errors encoding windows chat modules \
	publish_events tail_events starting stopping
MAIN_PATH := access feed filters window
# The tests of what operators do, which gateways forward.
FORWARDED := windows chat modules operator_settings sessions errors bodies
PACKAGES := vx11_site watches receivers gateway events operator_api ledger vx11_client

# Settings of a public installation, for `manage.py check --deploy` and for tools that load the settings.
# The key is made for this one call and the data folder thrown away with it.
IN_PRODUCTION := folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && env VX11_DATA_DIR="$$folder" \
	VX11_SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	VX11_PUBLIC_URL=https://operator.example.org VX11_ALLOWED_HOSTS=operator.example.org

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# --- Use ---

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.runtime ## set up what is missing and serve at http://HOST:PORT (127.0.0.1:8000)
	@exec $(MANAGE) run --host $(HOST) --port $(PORT)

# Beside the dependencies' exact versions that it requires, a wheel needs nothing of this folder. `build` would keep
# modules that are gone.
.PHONY: dist
dist: $(VENV)/.development ## into DIST (dist): wheels of the program and of its client, npm tarball, licences of others, SBOM
	@rm -rf build vx11_client/build
	@mkdir -p $(DIST)
	@$(BIN)/python .ci/third_party.py licences THIRD-PARTY-LICENSES.txt
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(DIST) . ./vx11_client
	@rm -rf build vx11_client/build *.egg-info vx11_client/*.egg-info
	@mv THIRD-PARTY-LICENSES.txt $(DIST)
	@version=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' vx11_site/__init__.py) && \
		$(BIN)/python .ci/third_party.py sbom $(DIST)/vx11-operator-$$version.cdx.json $$version
	@version=$$(sed -n 's/^  "version": "\(.*\)",/\1/p' static/events/package.json) && \
		tar --create --gzip --file $(DIST)/vx11-event-client-$$version.tgz --sort=name --owner=0 --group=0 --numeric-owner \
		--transform 's,^,package/,' LICENSE -C static/events package.json README.md $(EVENT_CLIENT)
	@ls -1 $(DIST)

.PHONY: install
install: $(VENV)/.runtime ## make .venv with the pinned requirements
	@:

.PHONY: clean
clean: ## remove .venv, .venv-bench and the caches of the tools; data/ stays
	rm -rf $(VENV) $(BENCH_VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results
	find $(PACKAGES) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- Check ---

.PHONY: check
check: format lint types javascript imports migrations deploy-check templates repository docs bandit audit ## everything that needs no running server

.PHONY: format
format: $(VENV)/.development
	@$(BIN)/ruff format --check .

.PHONY: lint
lint: $(VENV)/.development
	@$(BIN)/ruff check .

.PHONY: types
types: $(VENV)/.development
	@$(IN_PRODUCTION) $(BIN)/mypy

.PHONY: javascript
javascript: $(VENV)/.development
	@$(DENO) lint --quiet --config .ci/deno.jsonc static tests
	@$(DENO) check --quiet --config .ci/deno.jsonc static tests/browser/client_types.ts

.PHONY: imports
imports: $(VENV)/.development
	@$(BIN)/lint-imports --no-logo

.PHONY: migrations
migrations: $(VENV)/.development
	@$(IN_PRODUCTION) $(MANAGE) makemigrations --check --dry-run
	@$(IN_PRODUCTION) VX11_LOG_LEVEL=WARNING $(BIN)/python .ci/lint-migrations

.PHONY: deploy-check
deploy-check: $(VENV)/.development
	@$(IN_PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

.PHONY: templates
templates: $(VENV)/.development
	@$(BIN)/djlint templates --check --lint

.PHONY: repository
repository: $(VENV)/.development
	@$(PYTEST) --quiet tests/repository

# A link or a heading that does not exist is an error; with --quiet it would not be.
.PHONY: docs
docs: $(VENV)/.development ## the pages of docs/ as a site, into SITE (site): open site/index.html, it needs no server
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(abspath $(SITE))

# That lock file holds all of requirements.lock.
.PHONY: audit
audit: $(VENV)/.development ## known vulnerabilities of the installed packages, if the service can be reached
	@$(BIN)/python .ci/audit-requirements $(BIN)/pip-audit requirements-tracing.lock

.PHONY: bandit
bandit: $(VENV)/.development
	@$(BIN)/bandit --quiet --configfile .ci/bandit.yaml --recursive $(PACKAGES)

# --- Test ---

.PHONY: test
test: test-machine ## is this change good? Five minutes: unit tests, the whole flow on SQLite, the console's main path
	$(PYTEST) $(IN_PARALLEL) --stack=embedded $(addprefix tests/,$(UNITS)) \
		$(addprefix tests/stack/test_,$(addsuffix .py,$(FLOW)))
	$(PYTEST) $(IN_PARALLEL) --stack=embedded $(addprefix tests/browser/test_console_,$(addsuffix .py,$(MAIN_PATH)))

.PHONY: test-all
test-all: test-embedded test-browser test-scaled test-split ## every test but those of faults, in every size

.PHONY: test-embedded
test-embedded: test-machine ## the suite on SQLite, everything in process
	$(PYTEST) $(IN_PARALLEL) --stack=embedded --ignore=tests/repository --ignore=tests/browser

# Apart, because Playwright's loop stays in the thread that runs the tests. In one size: the page is the same, and what it
# asks for is asked for by tests/stack in every size.
.PHONY: test-browser
test-browser: test-machine ## the console and the admin in Chromium
	$(PYTEST) $(PAGES_IN_PARALLEL) --stack=embedded tests/browser

# What needs neither a database nor a second server is proven by the run on SQLite (tests/conftest.py).
.PHONY: test-scaled
test-scaled: test-machine ## tests that depend on database, Redis or processes, on PostgreSQL and Redis with two servers
	$(PYTEST) $(IN_PARALLEL) --stack=scaled --ignore=tests/repository --ignore=tests/browser

# What gateways forward, asked through them; all else is the same code as above.
.PHONY: test-split
test-split: test-machine ## the operators' API through two gateways and two backends
	$(PYTEST) $(IN_PARALLEL) --stack=split tests/roles $(addprefix tests/stack/test_,$(addsuffix .py,$(FORWARDED)))

# Each of these tests breaks what is its own, so any may run beside any; the chaos takes a minute. How one server meets
# rude clients does not depend on what it keeps its data in.
.PHONY: test-faults
test-faults: export CHAOS_SEED := $(or $(CHAOS_SEED),$(strip $(shell od -An -N4 -tu4 /dev/urandom)))
test-faults: test-machine ## servers, Redis, PostgreSQL and networks are broken on purpose; CHAOS_SEED, CHAOS_SECONDS
	@echo "CHAOS_SEED=$(CHAOS_SEED)"
	$(PYTEST) $(IN_PARALLEL) --stack=embedded -m faults
	$(PYTEST) $(IN_PARALLEL) --stack=scaled -m faults --ignore=tests/server

# Not part of CI, whose machine need not be allowed to run containers.
.PHONY: test-image
test-image: test-machine ## the image by a real build with buildah, run with podman (as root)
	@.ci/system-packages buildah podman runc mmdebstrap
	$(PYTEST) --stack=embedded -m image tests/image -s

# File by file and in order, so that the browser's tests, which are among them, come last.
BY_FILE := --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# All of them, those that kill servers too. The table says which failed, so it is written after a failure as well.
RECORD_CASES = $(PYTEST) $(BY_FILE) -m "not image" --catalogue=$(1) \
	--record-cases=test-results/$(1)-$(2).json --stack=$(2)

.PHONY: tables
tables: test-machine ## both tables of cases, from one run of everything that is tested (an hour)
	@rm -f test-results/all-*.json
	-$(call RECORD_CASES,all,embedded)
	-$(call RECORD_CASES,all,scaled) --ignore=tests/repository --ignore=tests/browser
	-$(call RECORD_CASES,all,split) tests/roles
	$(BIN)/python -m tests.cases.table security test-results/all-embedded.json test-results/all-scaled.json
	$(BIN)/python -m tests.cases.table reliability test-results/all-embedded.json test-results/all-scaled.json \
		test-results/all-split.json

.PHONY: security-table
security-table: test-machine ## docs/security-cases.md from a run of the tests it names, in both sizes
	@rm -f test-results/security-*.json
	-$(call RECORD_CASES,security,embedded)
	-$(call RECORD_CASES,security,scaled) --ignore=tests/browser
	$(BIN)/python -m tests.cases.table security test-results/security-embedded.json test-results/security-scaled.json

.PHONY: reliability
reliability: test-machine ## docs/reliability.md from a run of the tests that break things, in both sizes
	@rm -f test-results/reliability-*.json
	-$(call RECORD_CASES,reliability,embedded)
	-$(call RECORD_CASES,reliability,scaled)
	-$(call RECORD_CASES,reliability,split) tests/roles
	$(BIN)/python -m tests.cases.table reliability test-results/reliability-embedded.json \
		test-results/reliability-scaled.json test-results/reliability-split.json

.PHONY: fuzz
fuzz: export FUZZ_SEED := $(or $(FUZZ_SEED),$(strip $(shell od -An -N4 -tu4 /dev/urandom)))
fuzz: export FUZZ_EXAMPLES := $(or $(FUZZ_EXAMPLES),200)
fuzz: test-machine ## requests that the OpenAPI document allows, and others; FUZZ_SEED, FUZZ_EXAMPLES
	@echo "FUZZ_SEED=$(FUZZ_SEED)"
	$(PYTEST) --stack=embedded tests/stack/test_openapi.py -k holds

.PHONY: soak
soak: test-machine ## the same at random, for MINUTES (30), while memory is watched
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES)

# Not part of CI: what survives is for people to look at. SEED names the mutants, ROOM limits them to one folder.
.PHONY: mutants
mutants: MUTANT_MINUTES = $(if $(filter command line environment,$(origin MINUTES)),$(MINUTES),20)
mutants: test-machine ## wrong lines put into the log, its search and streams, identity, the store and the ledger: does a test fail? MINUTES (20)
	$(BIN)/python -m tests.mutants --minutes $(MUTANT_MINUTES) $(if $(SEED),--seed $(SEED)) $(addprefix --room ,$(ROOM))

.PHONY: screenshots
screenshots: test-machine ## the pictures in docs/, from real pages
	$(BIN)/python -m tests.browser.screenshots
	$(BIN)/python -m tests.browser.admin_screenshot

.PHONY: bench
bench: $(VENV)/.development $(BENCH_VENV)/.installed ## speed, side by side with others, as a table and as plots
	$(BIN)/python -m benchmarks

.PHONY: curves
curves: $(VENV)/.development $(BENCH_VENV)/.installed ## what ten times as many streams, events, bytes, queries or processes cost
	$(BIN)/python -m benchmarks.curves
	$(BIN)/python -m benchmarks.site_page

.PHONY: test-machine
test-machine: $(VENV)/.development $(VENV)/.syslog-ng
	@.ci/system-packages redis-server postgresql prometheus prometheus-alertmanager chromium-headless-shell nginx \
		systemd openssl curl fonts-dejavu-core iproute2 pgbouncer faketime bsdutils rsyslog rsyslog-openssl jq

# --- Requirements ---

.PHONY: lock
lock: $(VENV)/.development ## write the lock files after a change of requirements*.txt
	@$(UV_COMPILE) requirements.txt --output-file requirements.lock >/dev/null
	@$(UV_COMPILE) requirements-tracing.txt --constraint requirements.lock --output-file requirements-tracing.lock >/dev/null
	@$(UV_COMPILE) requirements-dev.txt --output-file requirements-dev.lock >/dev/null
	@$(UV_COMPILE) requirements-bench.txt --output-file requirements-bench.lock >/dev/null

# A stamp is written last, so that an installation that broke off is done again.
$(VENV)/.created:
	@.ci/python-is-fit $(PYTHON)
	@.ci/venv-can-be-made $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements.lock | $(VENV)/.created
	@echo "Installing the pinned requirements into $(VENV) ..."
	@$(PIP) -r requirements.lock
	@touch $@

$(BENCH_VENV)/.installed: requirements-bench.lock
	@.ci/python-is-fit $(PYTHON)
	@echo "Installing what the benchmarks compare with into $(BENCH_VENV) ..."
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

# Debian installs either rsyslog or syslog-ng: this one is unpacked beside it.
$(VENV)/.syslog-ng: .ci/unpack-syslog-ng | $(VENV)/.created
	@.ci/unpack-syslog-ng $(VENV)/syslog-ng $(BIN)/syslog-ng
	@touch $@

$(VENV)/.development: requirements-dev.lock | $(VENV)/.runtime
	@echo "Installing what checks and tests need into $(VENV) ..."
	@$(PIP) -r requirements-dev.lock
	@touch $@
