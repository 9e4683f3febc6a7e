PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

INDEX ?=
PIP = $(BIN)/pip install --quiet --constraint constraints.txt $(if $(INDEX),--extra-index-url $(INDEX))
DRAW = --beside real,start --evaluation

.PHONY: demo demo-long test test-long check docs notebooks bench faults install clean

demo: $(VENV)/installed ## set up, distil scikit-learn's digits with DM + IID, measure the set, draw it
	$(BIN)/datastill distill digits --method dm+iid --ipc 2 --iterations 50 --real-batch 64 --out runs/demo --resume
	$(BIN)/datastill evaluate runs/demo --repeats 3 --epochs 150 --compare random --out runs/demo/evaluation.json
	$(BIN)/datastill show runs/demo $(DRAW) runs/demo/evaluation.json --out runs/demo/picture.png

demo-long: $(VENV)/installed ## the same with more steps on all real images, and under the whole evaluation protocol
	$(BIN)/datastill distill digits --method dm+iid --ipc 2 --iterations 300 --out runs/demo-long --resume
	$(BIN)/datastill evaluate runs/demo-long --out runs/demo-long/evaluation.json
	$(BIN)/datastill show runs/demo-long $(DRAW) runs/demo-long/evaluation.json --out runs/demo-long/picture.png

test: $(VENV)/installed-dev ## set up and pass the tests
	$(BIN)/pytest -q -n 2

test-long: $(VENV)/installed-dev ## the tests that `make test` leaves out, since they take long for what they may find
	$(BIN)/pytest -q -n 2 -m long

check: $(VENV)/installed-dev ## lint, format, order of imports, types, known vulnerabilities
	$(BIN)/ruff check src tests benchmarks website
	$(BIN)/ruff format --check src tests benchmarks website
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m tests.audit

docs: $(VENV)/installed-dev ## the documentation as a site in build/site, every link of it checked
	$(BIN)/python -m website

notebooks: $(VENV)/installed-dev ## run the notebooks as they are, from top to bottom, in a few minutes; writes runs/notebooks
	$(BIN)/python -m website notebooks

bench: $(VENV)/installed ## speed and memory against a plain reference loop, in one run
	$(BIN)/python -m benchmarks.bench

faults: $(VENV)/installed-dev ## thousands of damaged files and other faults; writes results/faults and docs/reliability.md
	$(BIN)/python -m tests.faults --keep

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
