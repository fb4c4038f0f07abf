# make demo   recommend, serve and score the digits example, on this machine
# make test   all tests that need neither a GPU, nor Windows, nor a subscription, nor minutes
# make check  lint, types, import contracts
# make bench  the benchmarks, against the figures that they must hold
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check bench clean

demo: $(VENV)/demo
	$(BIN)/python examples/digits/demo.py

test: $(VENV)/dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder $(PYTEST_OPTIONS)

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# An environment of its own, with opdeploy as users install it; CHECK= prints the ratios without judging them.
# BENCH_ROUNDS=1 takes few rounds. PEERS=--no-peers leaves other model servers out, whose installation takes 2 GB and minutes.
CHECK ?= --check
PEERS ?=
bench: $(VENV)-bench/done
	$(VENV)-bench/bin/python bench/cli.py $(CHECK)
	$(VENV)-bench/bin/python bench/deploy.py $(CHECK)
	$(VENV)-bench/bin/python bench/model.py $(CHECK)
	$(VENV)-bench/bin/python bench/prediction.py $(CHECK)
	$(VENV)-bench/bin/python bench/queueing.py $(CHECK)
	$(VENV)-bench/bin/python bench/serving.py --peers $(VENV)-peers $(PEERS) $(CHECK)

clean:
	rm -rf $(VENV) $(VENV)-bench $(VENV)-peers

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "opdeploy needs Python 3.11 or later; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'

# Both editable, so that a change counts without another install.
$(VENV)/demo: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[serve,sklearn]'
	touch $@

$(VENV)/dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[serve,docker,kubernetes,azure,local,model,image,text,sklearn,lightgbm,xgboost,pictures]' --group dev
	touch $@

SOURCES := pyproject.toml constraints.txt hatch_build.py $(shell find opdeploy profiles templates -type f -not -name '*.pyc')

$(VENV)-bench/done: $(SOURCES)
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt '.[all,bench]'
	touch $@
