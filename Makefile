# Everything runs in .venv, which .ci/setup makes and keeps up to date: no root, no system packages.

PY = .venv/bin/python
N ?= 1000
OUT ?= build/gpu

# A person's own PYTHONPATH or PYTHONHOME must not shadow what .venv holds.
unexport PYTHONPATH PYTHONHOME

help:
	@echo 'make demo        set up .venv and run examples/demo.py'
	@echo 'make test        set up .venv and run ruff, mypy and pytest; with jax and nvrtc where they can be installed'
	@echo 'make fuzz N=...  run N random graphs (default $(N)) on all cores; GRAPHC_SEED=... says which'
	@echo 'make bench       measure graphc beside the libraries that .venv has; tables and plots in build/bench'
	@echo 'make gpu         run all tests and benchmarks that need an NVIDIA GPU, within eight minutes'
	@echo 'make jax         install the jax extra, or try it again'
	@echo 'make nvrtc       install the compiler of CUDA C++, or try it again'
	@echo 'make clean       remove .venv, caches and build outputs'
	@echo 'GRAPHC_DEMO_JAX=0 make demo does not try to install the optional jax extra (125 MB)'
	@echo 'PYTHON=/path/to/python3 make ... chooses the Python that .venv is made with'

demo:
	@sh .ci/setup demo
	$(PY) examples/demo.py

test:
	@sh .ci/setup test
	$(PY) -m ruff check
	$(PY) -m mypy
	$(PY) -m pytest

fuzz:
	@sh .ci/setup test
	$(PY) tests/fuzz.py $(N)

bench:
	@sh .ci/setup bench
	@mkdir -p build/bench
	$(PY) -m benchmarks run --json build/bench/run.json --markdown build/bench/run.md --plot build/bench

# As it stands, with the python3 and the libraries that the machine with the GPU has: nothing is installed.
gpu:
	PYTHONPATH=.:backends python3 -m benchmarks.gpu $(OUT)

jax nvrtc:
	@sh .ci/setup $@

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help demo test fuzz bench gpu jax nvrtc clean
