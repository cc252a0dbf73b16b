# Two commands for everybody: `make demo` and `make test`. Both do all the set-up on a fresh Debian 12.

PY := .venv/bin/python
DEMO_HOME ?= $(or $(HESTIA_FLEET_HOME),$(HOME)/.local/share/hestia-fleet-demo)
DEMO_PORT ?= 8600

.PHONY: demo demo-check bench scale test test-unit test-property test-conformance test-molecule test-integration test-fault \
	test-browser test-long test-faults lint fix setup setup-dev lock wheel clean

demo: setup ## Bring up the demo fleet, worker and pages; Ctrl-C stops it
	@exec $(PY) -m controller.cli demo --home "$(DEMO_HOME)" --port $(DEMO_PORT)

demo-check: setup ## The demo without a person; one JSON line, exit 0 only if all held
	@$(PY) -m controller.cli demo-check

bench: setup ## Measured figures; the last line is JSON
	@$(PY) -m controller.cli bench

scale: setup ## 200 servers and 20 000 services: what pages, calls and inventory cost; the last line is JSON
	@home=$$(mktemp -d) && $(PY) -m controller.cli scale --home "$$home"; status=$$?; rm -rf "$$home"; exit $$status

setup:
	@scripts/setup demo

setup-dev:
	@scripts/setup dev

test: setup-dev ## Everything but test-long and test-faults: lint, unit, property, conformance, integration, Molecule, fault, browser
	@scripts/test

test-faults: setup-dev ## 100 orders on each storage while everything breaks (half an hour); SEED=... repeats a run, ORDERS=... its size
	@scripts/test faults

test-unit test-property test-conformance test-integration test-molecule test-fault test-browser test-long lint: setup-dev
	@scripts/test $(patsubst test-%,%,$@)

fix: setup-dev ## Format and mend what can be mended
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: setup-dev ## Write the lock files anew
	scripts/lock

wheel: setup-dev ## Build a wheel into dist/
	.venv/bin/uv build --wheel --no-build-isolation --python $(PY)

clean: ## Throw away what was built (not the demo's data)
	rm -rf .venv node_modules ui/node_modules ui/static/dist build dist artifacts
