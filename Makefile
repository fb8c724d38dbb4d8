# make book       environment, experiments, book      make check    while working: under a minute
# make env        the environment alone               make test     every test, on all cores
# make pages      the book from the records there     make lint     format, rules, import contracts
# make notebooks  the notebooks, run anew             make clean    removes what was built; records
# make print      the book as one page to print                     and the environment stay
#                 and as a PDF                        make bench    how fast crowds are drawn, and the
# make coverage   which branches no test takes                      core computes
# make soak       tests that take long: fuzzing,      make mutation faults that no test finds
#                 thirty kills, memory                make audit    known faults of the pinned
# make schema     the JSON schema of presets                        versions, if a database is reached
#
# PRESET and SEED say which run `make book` makes; PYTHON says which Python makes the environment.

PRESET ?= reader
SEED ?= 0
CORES ?= 2
VENV := .venv
BIN := $(VENV)/bin
PAGE := _build/html/index.html
ONE_PAGE := _build/singlehtml/index.html
NEEDS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# the first Python that runs and is new enough: a name on the path may be a stub that does not
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	if $$name -c '$(NEEDS)' >/dev/null 2>&1; then echo $$name; break; fi; done)

export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export SPARSE_AE_PRESET := $(PRESET)
export SPARSE_AE_SEED := $(SEED)

.PHONY: env book pages print check test soak notebooks schema bench coverage mutation lint audit \
        clean help
help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

env: $(VENV)/.installed-book

book: env
	snakemake -s experiments/Snakefile -c$(CORES) --quiet all --config "preset=$(PRESET)" "seed=$(SEED)"
	$(MAKE) --no-print-directory pages
	@printf '\nThe book, with the run just made, is at\n  file://%s\n' "$(CURDIR)/$(PAGE)"

# the pages alone, from the records that are there; -W because a page that fails exits 0 without it
pages: env
	jupyter-book build book/ -W -n --keep-going --all

# one page of all; the PDF is Chromium's, which other browsers can print as well
CHROMIUM ?= $(shell for name in chromium chromium-browser google-chrome; do \
	command -v $$name && break; done)
print: env
	jupyter-book build book/ --builder singlehtml -n --keep-going --all
	@if [ -z "$(CHROMIUM)" ]; then echo "no Chromium: print $(ONE_PAGE) from a browser"; else \
	  "$(CHROMIUM)" --headless --no-sandbox --disable-gpu --no-pdf-header-footer \
	    --virtual-time-budget=120000 --print-to-pdf="$(CURDIR)/_build/book.pdf" \
	    "file://$(CURDIR)/$(ONE_PAGE)" 2>/dev/null && echo "the book to print is _build/book.pdf"; fi

# for the inner loop: rules, contracts, doctests, and the tests that take little
check: lint
	pytest tests -n $(CORES) --dist worksteal -q \
	  -m "not slow and not browser and not workflow"

# all of them, each file on one core, since a file shares what is expensive to make
test: $(VENV)/.installed-dev
	pytest tests -n $(CORES) --dist loadfile --nbval-lax \
	  --nbval-current-env --nbval-sanitize-with tests/nbval.cfg $(wildcard experiments/*.ipynb)

# what `make test` leaves out because it takes long; -s shows how far it is
soak: $(VENV)/.installed-dev
	pytest tests/soak -s

# the notebooks' outputs are the reference that the tests compare with: made anew on purpose only
notebooks: $(VENV)/.installed-dev
	export TQDM_MININTERVAL=60; for name in train compare; do \
	  jupytext --quiet --to ipynb --update experiments/$$name.md && \
	  jupyter execute --inplace experiments/$$name.ipynb || exit 1; done

# scenes a second, memory and start-up time of the renderer, on an idle machine
bench: env
	python benchmarks/crowds.py
	python benchmarks/core.py

coverage: $(VENV)/.installed-dev
	coverage erase
	coverage run -m pytest tests
	coverage combine --quiet
	coverage report --skip-covered --show-missing

# most of an hour; the files and the tests are in pyproject.toml
mutation: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -e '.[dev,mutation]' -c constraints.txt
	python benchmarks/mutation.py --out benchmarks/results/mutation.json

lint: $(VENV)/.installed-dev
	ruff check .
	ruff format --check .
	lint-imports

schema: env
	python -m sparse_ae.settings.schema

audit: $(BIN)/python
	python .ci/audit.py

clean:
	rm -rf _build .pytest_cache .ruff_cache .snakemake .coverage
	find sparse_ae experiments tests data -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(if $(PYTHON),,echo "make: needs Python 3.11, 3.12 or 3.13, and found none on the path; \
	install one or name it: make PYTHON=/path/to/python3.11" >&2; exit 1)
	"$(PYTHON)" -m venv $(VENV)

# nothing is installed twice: a stamp is as new as the last installation
$(VENV)/.installed-book: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -e '.[book]' -c constraints.txt
	@touch $@

# the dev extra includes the book's
$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -e '.[dev]' -c constraints.txt
	@touch $@ $(VENV)/.installed-book
