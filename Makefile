# `make demo` and `make test` each work alone from a clean clone; they need Python >= 3.11, make and a C++ compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := pyproject.toml constraints.txt csrc/CMakeLists.txt $(wildcard csrc/*.cpp csrc/*.hpp csrc/*/*.cpp csrc/*/*.hpp)
PYTEST_ARGS ?=
WORKERS ?= 2

.PHONY: demo test lint docs generated clean

demo: $(VENV)/installed
	$(BIN)/inexact study run --network resnet8 --data fashion-mnist --accelerator edge-16x16 --max-drop 1.0 --trials 60 --seed 0 --out out/demo

# bytecode is kept, whatever the environment says: the processes that tests start need not compile the package again
test: $(VENV)/installed-test
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build out site src/inexact/kernels/_core*.so

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python must be 3.11 or newer, not %d.%d; set PYTHON=" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python $(SOURCES)
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/installed-test: $(BIN)/python $(SOURCES)
	$(PIP) install --quiet -c constraints.txt -e ".[test]"
	@touch $@ $(VENV)/installed

$(VENV)/installed-dev: $(BIN)/python $(SOURCES)
	$(PIP) install --quiet -c constraints.txt -e ".[test,dev]"
	@touch $@ $(VENV)/installed-test $(VENV)/installed
