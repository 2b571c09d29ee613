# Thin on purpose: each target makes its own environment, then calls one command that you can also call yourself.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Said first: pip looks for minutes for packages that an unsuited Python could take.
SUITS = import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v[:2] <= (3, 14) else \
	"ratings-sync runs on Python 3.11 to 3.14, and $(PYTHON) is %d.%d: make $(MAKECMDGOALS) PYTHON=python3.13" % v[:2])
CHECK_PYTHON = @"$(PYTHON)" -c "" > /dev/null 2>&1 \
	|| { echo "there is no $(PYTHON) here; ratings-sync runs on Python 3.11 to 3.14" >&2; exit 1; }; \
	"$(PYTHON)" -c '$(SUITS)'
# Where all tests are that need the machine to themselves: to collect the others takes longer than some of these.
OF_PROCESSES = tests/chaos tests/end_to_end
# And where all tests are that test-all runs: by their mark, or by who gives it to them.
GIVES_FULL = mark\.full|in_three_parts|both_ledgers|make_ledger|shipped_pace
OF_TEST_ALL = $$(grep -rlE "$(GIVES_FULL)" --include="test_*.py" tests)
# Each process of the tests would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo recording pictures test test-all test-redis test-postgresql test-servers test-unit test-long chaos lint lock audit clean

demo: $(VENV)/.for-demo
	$(BIN)/ratings-sync demo $(ARGS)

# The README's pictures of the demo, from a demo played now; a test holds them against each demo that it plays.
recording: $(VENV)/.for-tests
	$(BIN)/python -m tests.recording docs/pictures

# The pictures of the console in README and docs, from a demo played now, in the machine's Chromium.
pictures: $(VENV)/.for-tests
	$(BIN)/python -m tests.picturing docs/pictures

# Both halves run, also when the first one fails. In the second two files run at a time: a worker is killed in one and a
# door is tried in the other, and both wait most of the time.
test: $(VENV)/.for-tests
	$(BIN)/pytest -n auto --dist worksteal -m "not full and not long and not alone"; failed=$$?; \
	$(BIN)/pytest -n 2 --dist loadfile -m "alone and not full and not long" $(OF_PROCESSES) && exit $$failed

# What `make test` leaves out: more seeds, more processes killed, every platform, the quick benchmarks.
test-all: $(VENV)/.for-tests
	$(BIN)/pytest -n auto --dist worksteal -m "full and not long and not alone" $(OF_TEST_ALL); failed=$$?; \
	$(BIN)/pytest -n 2 --dist loadfile -m "full and alone and not long" $(OF_PROCESSES) && exit $$failed

# The tests of a server, against the one that is installed here (test-all's own servers come from wheels).
ON_SERVERS = tests/integration tests/end_to_end tests/chaos
OF_SERVERS = (not full or own_redis or own_postgresql) and not long and not alone
test-redis: SERVERS = --server redis
test-postgresql: SERVERS = --server postgresql
test-servers: SERVERS = --server redis --server postgresql
test-redis test-postgresql test-servers: $(VENV)/.for-tests
	$(BIN)/pytest -n auto --dist worksteal $(SERVERS) -m "$(OF_SERVERS)" $(ON_SERVERS); failed=$$?; \
	case "$(SERVERS)" in *redis*) $(BIN)/pytest $(SERVERS) -m "own_redis and alone and not long" $(OF_PROCESSES);; esac \
	&& exit $$failed

# The quick tests alone; `make test-unit PYTHON=python3.13 VENV=.venv-3.13` on another Python.
test-unit: $(VENV)/.for-unit
	$(BIN)/pytest -n auto -m "not long" tests/unit

test-long: $(VENV)/.for-tests
	$(BIN)/pytest -m long --timeout 7200

# P1 to P20 in the long form, on both databases; report and charts in chaos-report/.
chaos: $(VENV)/.for-tests
	$(BIN)/python -m tests.chaos --report chaos-report $(ARGS)

lint: $(VENV)/.for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Needs the network: asks the advisory database of PyPI. In an environment of its own, so that it audits only what we need.
audit:
	$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	$(PYTHON) -m venv .venv-audited
	.venv-audited/bin/pip install --quiet --disable-pip-version-check -c requirements.lock '.[postgres,flower,console]'
	.venv-audit/bin/pip-audit --path $$(.venv-audited/bin/python -c 'import site; print(site.getsitepackages()[0])')

# The newest versions that pyproject.toml allows, on the oldest Python, so that all later ones find them.
lock:
	$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check '.[dev]'
	sed -n '/^#/p' requirements.lock > .venv-lock/lock
	.venv-lock/bin/pip freeze --exclude ratings-sync >> .venv-lock/lock
	mv .venv-lock/lock requirements.lock
	rm -r .venv-lock

clean:
	rm -rf .venv .venv-* .ratings-sync build chaos-report *.egg-info

$(VENV)/.for-demo: pyproject.toml requirements.lock
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[local,console]'
	touch $@

# An environment for all tests will do as well.
$(VENV)/.for-unit: pyproject.toml requirements.lock
	$(CHECK_PYTHON)
	test -e $(VENV)/.for-tests || { $(PYTHON) -m venv $(VENV) && \
		$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c requirements.lock -e '.[unit]'; }
	touch $@

$(VENV)/.for-tests: pyproject.toml requirements.lock
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c requirements.lock -e '.[dev]'
	touch $@
