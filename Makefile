# The few commands a person needs. Each installs what is missing on a fresh Debian or Ubuntu with Rust
# (rustup), Node.js 20 and make, as root or with sudo; see tests/setup.sh for what that is.
#
#   make demo    build and start the demonstration on http://127.0.0.1:8480
#   make test    everything that cargo test runs, with the real peers
#   make fuzz    every decoder and importer against any bytes: docs/fuzzing.md; needs a C++ compiler and cargo-fuzz
#   make bench   the figures of docs/benchmarks.md, from a release build
#   make clean   remove what was built and the demonstration's data

SHELL := /bin/sh

# rustup puts cargo here; a shell that has not read its profile yet does not know it.
CARGO := $(shell command -v cargo 2>/dev/null || { test -x "$$HOME/.cargo/bin/cargo" && echo "$$HOME/.cargo/bin/cargo"; } || echo cargo)
# cargo needs rustc beside it.
export PATH := $(dir $(CARGO)):$(PATH)

# The gate tries the same random cases every time, so that it turns red for a change only; `cargo test` alone tries
# others each time.
test: export PROPTEST_RNG_SEED ?= 8191

.DEFAULT_GOAL := help
.PHONY: help demo test bench fuzz clean

help:
	@sed -n 's/^#   make/make/p' Makefile

demo:
	@sh tests/setup.sh demo
	$(CARGO) build --locked -p daemon
	target/debug/consuntivo demo --dir demo-data

test:
	@sh tests/setup.sh test
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked --no-fail-fast

bench:
	@sh tests/setup.sh demo
	$(CARGO) build --release --locked -p daemon
	rm -rf target/bench-data
	target/release/consuntivo bench --dir target/bench-data
	$(CARGO) run --release --locked -p analytics --example calibration

# So many inputs of each target; `make fuzz FUZZ_RUNS=10000000 FUZZ_TARGETS="json mbus"` for a long run of two.
FUZZ_RUNS := 100000
FUZZ_BYTES := 4096
FUZZ_TARGETS = $(basename $(notdir $(wildcard tests/fuzz/fuzz_targets/*.rs)))
FUZZ := $(CARGO) fuzz run --fuzz-dir tests/fuzz --sanitizer none

# On a stable compiler there is no address sanitizer; the product has no unsafe code of its own.
fuzz:
	@$(CARGO) fuzz --version || { echo "cargo install cargo-fuzz --version 0.13.2 --locked"; exit 1; }
	cp Cargo.lock tests/fuzz/Cargo.lock
	$(CARGO) test --locked -p tests --test fuzz -- --ignored write_the_corpus
	for target in $(FUZZ_TARGETS); do \
	    $(FUZZ) $$target -- -runs=$(FUZZ_RUNS) -max_len=$(FUZZ_BYTES) -print_final_stats=1 || exit 1; done

clean:
	$(CARGO) clean
	rm -rf demo-data bench-data tests/browser/node_modules tests/identity/node_modules
