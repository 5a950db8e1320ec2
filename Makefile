# `make demo` and `make test` work on a fresh machine: each creates .venv and installs into it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint coverage test-matrix test-openmmlab docs clean

demo: $(VENV)/installed
	$(BIN)/python tools/demo.py

test: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

# Lines that only the tests' own subprocesses run are not counted.
coverage: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	    --cov mmseg_excel --cov-report term --cov-report html:work_dirs/coverage

test-matrix:
	tools/test_matrix.sh

# MMSegmentation's own tools on OpenMMLab's releases; not part of `make test`.
test-openmmlab:
	tools/test_openmmlab.sh

# Into site/, without a network after the installation. The announcement it leaves out is MkDocs'.
docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Installed once, and again only when the requirements change.
$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet --editable '.[onedl,all,dev]'
	@# The CRF's own library, which tests compare with, compiles: without a compiler they skip that.
	-$(BIN)/python -m pip install --quiet pydensecrf2
	touch $@

clean:
	rm -rf $(VENV) .venv-openmmlab work_dirs data/toy site
