# What there is to do here. `make` alone lists it.
#
# A fresh Debian machine with a Rust toolchain is enough: whatever else a target needs (nginx, Redis), it installs and
# says so.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CARGO ?= cargo
# Where `make run` listens.
PORT ?= 8080
# Arguments of `make bench`, such as: make bench BENCH='--rounds 3 cpu'
BENCH ?=
# Where `make study` finds the two public traces that docs/SCALING.md and docs/SCALING-STUDY.md name.
TRACES ?=
# The crates that are published.
PUBLISHED := rhinod-worker-protocol rhinod
# Has clippy compile our own packages: they are linted as they are built for the tests, and what they depend on is compiled
# once, not for the lints and again for the tests. In the same words `cargo clippy` hands its arguments to it.
LINTED := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__

.PHONY: help build run-rust test soak fuzz fuzz-smoke check doc walks features release-checks package bless bench study screenshots clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

build: ## Build the optimised server and the hello example
	$(CARGO) build --release --locked --bin rhinod --example hello
	@echo "built: target/release/rhinod and target/release/examples/hello"

run-rust: build ## Serve the hello example, a Rust application, behind nginx (PORT=8080)
	@examples/need-programs nginx
	@examples/run-hello $(PORT)

test: ## Check format and lints, run every test
	$(CARGO) fmt --all --check
	@examples/need-programs nginx haproxy apache2-bin lighttpd chromium libpcre2-dev postgresql redis-server python3-venv
	$(LINTED) tests/run-all $(CARGO)

# How long `make soak` goes on, and the first seed of its random tests: by default another one each time.
MINUTES ?= 10
SEED ?= $(shell date +%s)

soak: ## Simulation, mutants and the torture of reloads, for as long as you like (MINUTES=10, SEED=N)
	@examples/need-programs nginx haproxy apache2-bin lighttpd postgresql redis-server python3-venv
	tests/soak $(CARGO) $(MINUTES) $(SEED)

fuzz: ## Mutants for everything that reads bytes, on all processors (MINUTES=12, SEED=N)
	tests/soak $(CARGO) $(MINUTES) $(SEED) parsers

fuzz-smoke: ## The random tests for some seconds each, from another seed at each commit
	$(LINTED) tests/soak $(CARGO) 0 $$((16#$$(git rev-parse --short=8 HEAD 2>/dev/null || echo 1)))

check: ## Check format and lints only
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc: ## Build the documentation of the code, private items included; a broken link is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --locked --no-deps --document-private-items

walks: ## Install rhinod as its users do, and walk through the commands of README and docs/EMBEDDING.md
	@examples/need-programs python3-venv
	@# The walks themselves use no network, and pip's builds ask for the crates of all systems.
	$(CARGO) fetch --locked
	$(CARGO) test --workspace --locked --test packaging -- --ignored

features: ## Check the crate without any of its features, what it says then, and with all of them, their dependencies included
	$(CARGO) clippy --locked --package rhinod --no-default-features --lib --bins -- -D warnings
	$(CARGO) test --locked --package rhinod --all-features --doc
	$(CARGO) build --locked --package rhinod --no-default-features --bin rhinod --target-dir target/without-features
	tests/without-features target/without-features/debug/rhinod
	$(CARGO) metadata --format-version 1 --locked --all-features --filter-platform x86_64-unknown-linux-gnu | python3 tests/dependencies.py

release-checks: walks features package ## All three of these, as before a release

package: ## Pack the crates as for a registry, and build each from what was packed
	$(CARGO) package --locked $(PUBLISHED:%=--package %)

bless: ## Record anew what tests compare with: generated documents, tables in them, snapshots, cases
	RHINOD_BLESS=1 INSTA_UPDATE=always $(CARGO) test --locked --package rhinod --lib --test program
	RHINOD_BLESS=1 $(CARGO) test --locked --package rhinod-worker-protocol --test documentation
	@git status --short

bench: ## Measure CPU per request, memory, start-up and scaling against the floor and uWSGI
	$(CARGO) build --release --locked --bin rhinod --example hello --example unsteady
	$(CARGO) build --release --locked -p loadgen -p rhinod-bench -p rhinod-python
	$${CARGO_TARGET_DIR:-target}/release/bench $(BENCH)

study: ## Draw the pictures of docs/SCALING.md and docs/SCALING-STUDY.md anew and print their tables (TRACES=DIR)
	$(CARGO) run --release --locked -p rhinod-bench --bin study -- $(if $(TRACES),--traces $(TRACES)) docs/scaling

screenshots: build ## Take the pictures of docs/MONITORING.md anew (wants chromium and tmux)
	@examples/need-programs chromium tmux
	python3 docs/monitoring/shoot.py $${CARGO_TARGET_DIR:-target}/release

include examples/django/django.mk
include packaging/wheel.mk

clean: ## Remove everything that was built
	$(CARGO) clean
