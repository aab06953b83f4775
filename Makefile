# Each target does its own set-up: a virtual environment with the package and its tools in it.
#
#   make train   train a flow posterior on handwritten digits beside a plain Gaussian one
#   make test    run the tests, in minutes; make test-slow runs the long ones: stories, benchmarks,
#                notebooks, trainings that are broken off, several workers
#   make lint    check style, format and types
#   make wheel   build the package, and run the README's first block with what was built
#   make matrix  install and test it on every Python, with the oldest and the newest TensorFlow (an
#                hour; MATRIX_ARGS="--python python3.12" for some)
#   make kill    kill trainings at random moments: they must end as one that never was (minutes)
#   make fuzz    random hostile input for every bijector, recipe and model (hours)
#   make gallery run every story of examples/ in full: its picture and its table (an hour)
#   make docs    the site, in build/docs/index.html; make docs-check reads it in a browser
#   make notebooks  execute the notebooks of docs/, whose outputs are shown on the site
#   make bench   run every benchmark: tables and pictures go to benchmarks/results/ (an hour or more)
#   make bench-peers  compare a training step with normflows, zuko and flowjax, which get an
#                environment of their own
#   make clean   remove what these targets made (outputs/ stays)
#
# Settings: PYTHON=python3.12 (3.10 to 3.13), VENV=folder, TRAIN_ARGS="...", PYTEST_ARGS="...",
# BENCH_ARGS="...", KILL_ARGS="...", FUZZ_ARGS="--examples 200 --only planar", and
# TFP_FLOWS_DATA_DIR=folder with the data sets of TFDS for make bench.

PYTHON ?= python3
VENV ?= .venv
TRAIN_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
MATRIX_ARGS ?=
KILL_ARGS ?=
FUZZ_ARGS ?=
PEERS ?= .venv-peers

python := $(VENV)/bin/python
made := $(VENV)/pyvenv.cfg
installed := $(VENV)/.installed
# Without the warnings of the build of other people's packages.
pip := PYTHONWARNINGS=ignore $(python) -m pip install -q --disable-pip-version-check

.DEFAULT_GOAL := test
STORIES := density_2d density_toys energy_2d boltzmann_double_well mnist_flow outliers completion \
	conditional neutra_hmc distill_iaf vae_binarized_mnist
vae_binarized_mnist: STORY_ARGS := --compare
peers_installed := $(PEERS)/.installed
docs_installed := $(VENV)/.installed-docs
BENCHMARKS := $(patsubst benchmarks/%.py,bench-%,$(filter-out %/common.py,$(wildcard benchmarks/*.py)))
bench_input_pipeline = $(if $(TFP_FLOWS_DATA_DIR),--data-dir "$(TFP_FLOWS_DATA_DIR)")
bench_training_step = $(if $(wildcard $(peers_installed)),--peers $(PEERS)/bin/python)
bench_tutorial = $(bench_training_step)
.PHONY: train test test-slow lint wheel matrix kill fuzz gallery $(STORIES) docs docs-check notebooks bench
.PHONY: $(BENCHMARKS) bench-peers clean same-python always

train: $(installed)
	$(python) examples/vae_binarized_mnist.py --compare $(TRAIN_ARGS)

test: $(installed)
	$(python) -m pytest -m "not real_data and not slow" -n 2 $(PYTEST_ARGS)

test-slow: $(installed)
	$(python) -m pytest -m "not real_data and slow" -n 2 $(PYTEST_ARGS)

lint: $(installed)
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

wheel: $(installed)
	$(python) -m tests.wheel

matrix: $(installed)
	$(python) -m tests.matrix --write CONTRIBUTING.md $(MATRIX_ARGS)

kill: $(installed)
	$(python) -m tests.kill $(KILL_ARGS)

fuzz: $(installed)
	$(python) -m tests.fuzz $(FUZZ_ARGS)

gallery: $(STORIES)
	$(python) examples/gallery.py

$(STORIES): $(installed)
	$(python) examples/$@.py $(STORY_ARGS) --verbose 2 --output examples/gallery --table examples/results/$@.md

# Warnings are errors, broken links among them.
docs: $(docs_installed)
	@NO_MKDOCS_2_WARNING=1 $(python) -m mkdocs build --strict --config-file docs/mkdocs.yml
	@echo "build/docs/index.html"

docs-check: docs
	$(python) docs/check.py

notebooks: $(installed)
	$(python) docs/notebooks.py

# One after the other, also under `make -j`: they would slow each other down.
bench: $(installed)
	@for target in $(BENCHMARKS); do $(MAKE) $$target || exit 1; done

$(BENCHMARKS): bench-%: $(installed)
	$(python) benchmarks/$*.py --output benchmarks/results/$*.md $(bench_$*) $(BENCH_ARGS)

bench-peers: $(installed) $(peers_installed)
	$(MAKE) bench-training_step bench-tutorial

clean:
	@if [ -f "$(made)" ]; then rm -rf "$(VENV)"; fi
	@if [ -f "$(PEERS)/pyvenv.cfg" ]; then rm -rf "$(PEERS)"; fi
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The two recipes of the set-up can be broken off at any point: the next run goes on from there.

# pip comes first: the one of Python 3.10 finds no end to its search where an index does not say which
# Pythons a package is for.
$(installed): setup.cfg pyproject.toml $(made) | same-python
	@$(python) -m pip --version >/dev/null 2>&1 || $(python) -m ensurepip >/dev/null
	@echo "Installing tfp_flows and its dependencies into $(VENV): 2 GB, some minutes."
	@$(pip) "pip>=25"
	@$(pip) -e ".[dev]"
	@touch $@

$(docs_installed): $(installed)
	@echo "Installing mkdocs-material and mkdocstrings into $(VENV): 150 MB, half a minute."
	@$(pip) -e ".[docs]"
	@touch $@

# Nobody who only installs the package installs these.
$(peers_installed): benchmarks/peers/requirements.txt | $(installed)
	@echo "Installing normflows, zuko and flowjax into $(PEERS): 1 to 6 GB, some minutes."
	@$(python) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@

$(made):
	@command -v "$(PYTHON)" >/dev/null || { echo "PYTHON=$(PYTHON): no such command; \
	tfp_flows needs Python 3.10 to 3.13." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else \
	"tfp_flows needs Python 3.10 to 3.13, but $(PYTHON) is %d.%d; name another with PYTHON=..." % v)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual \
	environments: it lacks venv or ensurepip (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@$(PYTHON) -m venv --clear --without-pip $(VENV)

# The interpreter that an environment was made from may be gone.
ifneq ($(shell $(python) -c "print(1)" 2>/dev/null),1)
$(made): always
endif

# One that was asked for by name must not be overruled silently by an older environment.
same-python: $(made)
ifneq ($(filter environment command,$(origin PYTHON)),)
	@code='import sys; print("%d.%d" % sys.version_info[:2])'; \
	asked=$$($(PYTHON) -c "$$code") && is=$$($(python) -c "$$code") || exit 1; \
	[ "$$asked" = "$$is" ] || { echo "$(VENV) holds Python $$is, but PYTHON=$(PYTHON) is $$asked: \
	run \`make clean\` first, or set VENV to another folder." >&2; exit 1; }
endif
