# Everything sets itself up: a fresh machine needs Python 3.11 and make.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat pyproject.toml Makefile | cksum | cut -d' ' -f1)
SLOW  ?= slow
PATCH ?= examples/good-vgic-init.patch

.PHONY: review prove confirm test slow oracle conformance bench lint clean

review: $(READY)	## judge an example, or PATCH=file
	$(BIN)/vgicheck review $(PATCH)

prove: $(READY)		## the model's own obligations
	$(BIN)/vgicheck prove

confirm: $(READY)	## the same, each proof by two solvers of different families
	$(BIN)/vgicheck prove --solver two

test: $(READY)		## the test suite
	$(BIN)/python -m pytest -n 2

slow: $(READY)		## more of what its longest tests do
	$(BIN)/python -m pytest -n 2 -m "$(SLOW)"

oracle: $(READY)	## a long comparison of the model's hardware half with QEMU
	$(BIN)/python -m oracle

conformance: $(READY)	## a long comparison of the evaluator of C with compiled code, on random programs
	$(BIN)/python -m conformance

bench: $(READY)		## what the figures in the notes are measured with
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	$(BIN)/python -m bench

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build *.egg-info

$(READY):
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
