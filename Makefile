# demo   set up and run `fit` on digits with wrong labels
# test   set up and run the test suite
# slow   what is too long for every test run: the suite with its coverage and the tests marked slow, a search for losses
#        that are not exact (MINUTES of it), a Ray cluster that loses a node, what a record of each sample and noise on
#        10^8 labels cost, and, for hours, how fits, audits and the defaults do (TABLES is the folder of the tables);
#        all but the tests leave figures in results/
# check  linter, formatter and type checker
# fix    write what follows from the definitions of the losses, and let the linter and the formatter change what they can
# docs   build the site into docs/_build/html
# bench  time and memory of the losses, and of training where the data is

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --constraint constraints.txt

.PHONY: demo test slow check fix docs bench

demo: $(VENV)/.demo
	OMP_NUM_THREADS=1 $(BIN)/python examples/digits.py

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

slow: $(VENV)/.dev
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -n 2 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/accuracy.py --minutes $(or $(MINUTES),60) --seed $(shell date +%Y%m%d) \
		--out results/accuracy.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/samples.py --out results/samples.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/noise.py --out results/noise.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/checks.py --out results/checks.json
	$(INSTALL) 'ray[client]'
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/ray_cluster.py --out results/ray.json
ifdef TABLES
	$(INSTALL) pyarrow cleanlab
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fit.py --tables $(TABLES) --out results/fit.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fit.py --images $(or $(NOISEPROOF_DATA),data) --out results/fit-images.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/audit.py --tables $(TABLES) --images $(or $(NOISEPROOF_DATA),data) \
		--out results/audit.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/corrections.py --images $(or $(NOISEPROOF_DATA),data) \
		--out results/corrections.json
	$(BIN)/python benchmarks/defaults.py --tables $(TABLES) --data-dir $(or $(NOISEPROOF_DATA),data) \
		--out results/defaults.json
else
	@echo "benchmarks/fit.py, audit.py, corrections.py and defaults.py are left out: they need TABLES=FOLDER (see their --help)"
endif

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(VENV)/.dev
	$(BIN)/python docs/write_docstrings.py
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/losses.py --loss ce --loss gce --loss nce --loss nce+rce --loss anl-ce --loss jal-ce
	$(BIN)/python benchmarks/loop.py --data-dir $(or $(NOISEPROOF_DATA),data)

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/pip pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (about a minute, longer where torch must be downloaded)"
	$(INSTALL) --editable '.[report]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/pip pyproject.toml constraints.txt
	@echo "Setting up $(VENV) with the development tools"
	$(INSTALL) --editable '.[all,dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(INSTALL) --editable '.[report,docs]'
	@touch $@
