# What there is to do here. `make` alone lists it.
#
# A fresh Debian machine with a Rust toolchain is enough: whatever else a target needs (nginx), it installs and says so.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CARGO ?= cargo
# Where `make run` listens.
PORT ?= 8080
# Arguments of `make bench`, such as: make bench BENCH='--rounds 3 cpu'
BENCH ?=

.PHONY: help build run-rust test check bench nginx clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

build: ## Build the optimised server and the hello example
	$(CARGO) build --release --locked --bin rhinod --example hello
	@echo "built: target/release/rhinod and target/release/examples/hello"

run-rust: build nginx ## Serve the hello example, a Rust application, behind nginx (PORT=8080)
	@examples/run-hello $(PORT)

test: check nginx ## Check format and lints, run every test
	tests/run-all $(CARGO)

check: ## Check format and lints only
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: ## Measure CPU per request, memory, start-up and scaling against the floor and uWSGI
	$(CARGO) build --release --locked --bin rhinod --example hello
	$(CARGO) build --release --locked -p rhinod-bench
	$${CARGO_TARGET_DIR:-target}/release/bench $(BENCH)

# Installs nginx if it is missing.
nginx:
	@tests/need-nginx

include examples/django/django.mk
include packaging/wheel.mk

clean: ## Remove everything that was built
	$(CARGO) clean
