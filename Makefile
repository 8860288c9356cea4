# The commands of the repository. `make` alone lists them. Everything a fresh Debian machine lacks beyond Rust and
# Node is installed by scripts/need, and only when it is missing.

DATA ?= data
LISTEN ?= 127.0.0.1:8080
BENCH ?=
LOAD ?= chat
COMPARE ?=
CURVES ?=
FUZZ ?= 60
TORTURE ?=
SEEDS ?= 10000

CARGO_TARGET_DIR ?= target
STARLING_RELEASE := $(CARGO_TARGET_DIR)/release/starling
# An absolute path, because npm runs its scripts inside the packages' folders.
export STARLING_BIN ?= $(abspath $(CARGO_TARGET_DIR)/debug/starling)

NODE_MODULES := node_modules/.package-lock.json
STEP := @scripts/step

# Steps come in their written order and share two cores well enough by themselves.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help run dev test bench load compare curves torture simulate fuzz lint fmt clean \
	need-build need-test build-web build-release build-debug \
	check-format check-lints check-tidy test-rust test-counts test-torture test-faults test-load test-scripts check-generated test-browser test-docs

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## ---- use

run: build-release ## Build everything and serve (DATA=data LISTEN=127.0.0.1:8080)
	@exec $(STARLING_RELEASE) serve --data $(DATA) --listen $(LISTEN)

dev: build-release ## Build everything and serve with demo people, rooms and history
	@exec $(STARLING_RELEASE) dev --listen $(LISTEN)

bench: need-build ## Measure (BENCH='arguments of the driver')
	$(STEP) 'Benchmarks' cargo run --locked --release --package starling-bench -- $(BENCH)

load: build-release ## Drive a fresh server with many connections (LOAD='group --members 1000 --rate 50')
	$(STEP) 'Load' cargo run --locked --release --package loadgen -- run --binary $(STARLING_RELEASE) $(LOAD)

curves: build-release ## Measure and draw curves over sizes, half an hour (CURVES='--quick', '--only sync,store')
	$(STEP) 'Curves' cargo run --locked --release --package loadgen -- curves --binary $(STARLING_RELEASE) $(CURVES)

compare: need-build ## Compare with mosquitto, ejabberd, Redis and PostgreSQL (COMPARE='--quick')
	$(STEP) 'Comparison with peers' scripts/compare $(COMPARE)

## ---- judge

test: need-test check-format build-web check-lints build-debug check-tidy test-rust test-counts test-torture test-faults test-load test-scripts check-generated test-browser test-docs ## Everything that must pass before a merge
	@echo 'all tests passed'

torture: need-build build-release ## Clients chat while the server is killed; every promise is checked (TORTURE='--seconds 600 --seed 1')
	$(STEP) 'Torture' cargo run --locked --release --package starling-torture -- run --binary $(STARLING_RELEASE) $(TORTURE)

test-torture: build-debug build-web ## A short torture, and the proof of its checker
	$(STEP) 'Torture, short' $(CARGO_TARGET_DIR)/debug/starling-torture run --binary $(STARLING_BIN) --seconds 20 --episode-seconds 8 --faults kill,stop
	$(STEP) 'A server with planted bugs' cargo build --locked --package server --bin starling-planted --features planted-bugs
	$(STEP) 'Every planted bug is caught' $(CARGO_TARGET_DIR)/debug/starling-torture mutants --binary $(CARGO_TARGET_DIR)/debug/starling-planted --episode-seconds 5

test-faults: build-debug build-web ## The short form of each fault
	@scripts/need curl=curl jq=jq xxd=xxd cc=gcc mkfs.ext4=e2fsprogs
	$(STEP) 'Faults, short' scripts/test-faults

test-counts: need-build build-web ## Instructions of the hot path, against bench/counts.json
	@scripts/need valgrind=valgrind
	$(STEP) 'Build of what counts instructions' cargo build --locked --release --package starling-bench --bin starling-counts
	$(STEP) 'Instructions of operations' scripts/counts

test-load: build-debug build-web ## A short mixed day, and short curves
	$(STEP) 'A short day' $(CARGO_TARGET_DIR)/debug/starling-load run day --binary $(STARLING_BIN) --people 60 --rate 200 --seconds 2 --warm-up 0.5 --settle 0.1 --quiet --check
	$(STEP) 'Short curves' $(CARGO_TARGET_DIR)/debug/starling-load curves --quick --only members,store --binary $(STARLING_BIN) --into $(CARGO_TARGET_DIR)/curves

simulate: need-build ## Many seeds of the simulation (SEEDS=100000)
	$(STEP) 'Simulation' env STARLING_SIM_SEEDS=$(SEEDS) cargo test --locked --release --package engine --test it -- simulation::everything_holds --nocapture

lint: check-format build-web check-lints build-debug check-tidy ## Only formatting, lints and the tidy checks

fuzz: need-build build-web ## Fuzz the parsers of outside bytes (FUZZ='seconds-for-each targets…')
	$(STEP) 'Fuzzing' scripts/fuzz $(FUZZ)

fmt: ## Format the Rust code
	cargo fmt --all

check-format:
	$(STEP) 'Format of the Rust code' cargo fmt --all --check

# The server embeds web/dist, so it must be there before anything compiles it.
check-lints: need-build build-web
	$(STEP) 'Clippy, warnings denied' cargo clippy --locked --workspace --all-targets -- -D warnings

# Binaries and tests in one go: the same features, so nothing is compiled twice and `cargo test` finds all ready.
build-debug: need-build build-web
	$(STEP) 'Build of the binaries and the Rust tests' cargo build --locked --workspace --bins --tests --examples

check-tidy: build-debug
	$(STEP) 'Tidy checks' $(CARGO_TARGET_DIR)/debug/xtask tidy

test-rust: build-debug ## The Rust tests
	$(STEP) 'Rust tests' cargo test --locked --workspace --quiet

test-scripts: build-debug build-web ## Types and unit tests of the SDK and the web client
	$(STEP) 'SDK: types, tests and size' npm test --workspace sdk/typescript
	$(STEP) 'SDK against a real server' npm run test:server --workspace sdk/typescript
	$(STEP) 'Web client: types and unit tests' npm test --workspace web

check-generated: build-debug $(NODE_MODULES)
	$(STEP) 'Generated files are fresh' npm run check:generated --workspace sdk/typescript

test-browser: need-test build-debug build-web ## The end-to-end tests in Chromium
	$(STEP) 'End to end in Chromium' npm run e2e --workspace web

test-docs: need-test build-debug build-web ## The examples of the documentation
	$(STEP) 'Examples of the documentation' $(CARGO_TARGET_DIR)/debug/xtask docs-examples --starling $(STARLING_BIN)

## ---- build

build-web: $(NODE_MODULES)
	$(STEP) 'Build of the SDK and the web client' npm run build --workspaces

build-release: need-build build-web
	$(STEP) 'Build of the server' cargo build --locked --release --package server

$(NODE_MODULES): package-lock.json
	$(STEP) 'JavaScript packages' npm ci --no-audit --no-fund
	@touch $@

need-build:
	@scripts/need cc=build-essential

need-test: need-build
	@scripts/need chromium=chromium curl=curl openssl=openssl pg_ctlcluster=postgresql
	@cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 || rustup component add clippy rustfmt

clean: ## Remove what builds made (not your data)
	cargo clean
	rm -rf node_modules sdk/typescript/dist web/dist web/test-results web/playwright-report
