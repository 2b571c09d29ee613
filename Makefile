# Thin on purpose: each target makes its own environment, then calls one command that you can also call yourself.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test test-long chaos lint audit clean

demo: .venv/.for-demo
	$(BIN)/ratings-sync demo $(ARGS)

test: .venv/.for-tests
	$(BIN)/pytest -n auto --dist worksteal -m "not long and not alone"
	$(BIN)/pytest -m "alone and not long"

test-long: .venv/.for-tests
	$(BIN)/pytest -m long --timeout 7200

# P1 to P20 in the long form, on both databases; report and charts in chaos-report/.
chaos: .venv/.for-tests
	$(BIN)/python -m tests.chaos --report chaos-report $(ARGS)

lint: .venv/.for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Needs the network: asks the advisory database of PyPI. In an environment of its own, so that it audits only what we need.
audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(PYTHON) -m venv .venv-audited
	.venv-audited/bin/pip install --quiet --disable-pip-version-check '.[postgres,flower]'
	.venv-audit/bin/pip-audit --path $$(.venv-audited/bin/python -c 'import site; print(site.getsitepackages()[0])')

clean:
	rm -rf .venv .venv-audit .venv-audited .ratings-sync build chaos-report *.egg-info

.venv/.for-demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[local]'
	touch $@

.venv/.for-tests: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
