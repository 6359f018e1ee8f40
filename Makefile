# make book · test · test-all · chapters · grid · grid-plan · record-pack · record-merge · bench
#
# Python 3.11 or newer is all that must be there. One that already satisfies requirements.txt (an active
# environment, say) is used as it is; otherwise .venv is made, and made anew when requirements.txt changes.

NEW_ENOUGH = -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
NAMES = $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11)
BASE := $(shell for python in $(NAMES); do "$$python" $(NEW_ENOUGH) && echo "$$python" && break; done)
$(if $(BASE),,$(error imbnas needs Python 3.11 or newer and found none. Install one, or name it: make PYTHON=/path/to/python3))

PY := $(shell "$(BASE)" tools/fits.py && echo '"$(BASE)"' || echo .venv/bin/python)
READY := $(if $(filter .venv/%,$(PY)),.venv/ready)
export IMBNAS_DATA ?= $(CURDIR)/data
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

# the experiment grid: make grid PROFILE=laptop SEEDS="0 1 2" (AT_ONCE=2 stages side by side; RUN=slurm on a cluster;
# GOALS="table baselines controls gate ranking premise validity brief truth darts landscape"; SOURCE=… TARGET_DATA=… SPACE=… SPLIT_SEED=… OUT=… in place of the profile's;
# TARGETS="exp-0.01 balance" for these columns alone, TARGETS=natural for your own data as they are;
# PATHS=24 for the goals ranking and premise, AGAIN=6 of them with a second seed)
PROFILE = smoke
SEEDS = 0
RUN = local
GRID = $(PY) tools/grid.py profile=$(PROFILE) seeds="$(SEEDS)" \
       $(foreach key,SOURCE TARGET_DATA SPACE SPLIT_SEED OUT TARGETS PATHS AGAIN,$(if $($(key)),$(key)="$($(key))")) \
       --run $(RUN) $(if $(AT_ONCE),--at-once $(AT_ONCE)) $(if $(GOALS),--goals $(GOALS))

.PHONY: book chapters test test-all grid grid-plan record-pack record-merge bench lint ready which-python clean

book: $(READY)  ## execute copies of the chapters and build the book: _build/html/index.html
	$(PY) tools/chapters.py book

chapters: $(READY)  ## renew tables, the card and the numbers in the prose, execute the chapters, write their outputs back (ONLY=06: one)
	$(PY) -m ruff format --quiet book
	for tables in longtailed agreement adapted brief probes darts_study; do $(PY) -m imbnas.evidence.$$tables || exit 1; done
	$(PY) -m imbnas.evidence.card laptop
	$(PY) tools/prose.py
	$(PY) tools/chapters.py rewrite $(ONLY)

lint: $(READY)
	$(PY) -m ruff check --quiet .
	$(PY) -m ruff format --check .

test: lint  ## everything that takes minutes at most
	$(PY) -m pytest -q -n 2 -m "not slow" --nbval-lax --nbval-current-env tests book

test-all: lint book  ## and the whole smoke grid, kill and resume, the pages in a browser
	$(PY) -m pytest -q -n 2 --nbval-lax --nbval-current-env tests book

grid: $(READY)  ## run what is missing of the experiment grid
	$(GRID)

grid-plan: $(READY)  ## show what `make grid` would run
	$(GRID) --dry-run

# the same grid on a GPU machine that has Python with torch and no network; HAS="pandas scipy …" is not carried there;
# PATHS=48 of the fixed set retrained on each target, AGAIN=6 of them with a second seed
record-pack: PROFILE = paper
record-pack: SEEDS = 0 1 2
record-pack: OTHER_SPACE = macro-w32-4-4-4
record-pack: $(READY)  ## pack code, wheels, data and the script that runs there: DIR=runs/record
	$(PY) tools/record_pack.py "$(or $(DIR),$(error name the folder, make $@ DIR=…))" \
	    --profile $(PROFILE) --seeds "$(SEEDS)" --other-space "$(OTHER_SPACE)" --has "$(HAS)" \
	    $(if $(PATHS),--paths $(PATHS)) $(if $(AGAIN),--again $(AGAIN))

record-merge: $(READY)  ## take back what a slice left: DIR is the folder that run.py was given
	$(PY) tools/record_merge.py "$(or $(DIR),$(error name the folder, make $@ DIR=…))"

bench: $(READY)  ## speed beside the plain way
	$(PY) -m benchmarks

ready: $(READY)  ## set up the environment, where none fits

which-python:
	@echo $(PY)

clean:
	rm -rf _build

.venv/ready: requirements.txt
	@echo "Setting up .venv from requirements.txt: once, a minute or more."
	"$(BASE)" -m venv --clear .venv
	.venv/bin/python -m pip install -qq --disable-pip-version-check --requirement requirements.txt
	.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
