# `make` alone lists the targets. The work is done by scripts/; this file says
# what belongs together.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help build web guests guests-large web-demo demo run test test-large bench bench-quick fuzz docs dist clean

# Where rustup puts cargo, if a shell hasn't been told yet.
export PATH := $(PATH):$(HOME)/.cargo/bin
# Of the helper programs (xtask): the same as what is built beside them, so
# that their common dependencies are compiled once.
export PROFILE := release
test test-large: export PROFILE := dev

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

build: web ## release programs in target/release, the page inside the broker
	cargo build --release --package wasipool-broker --package wasipool-provider

web: ## the page and its wasm in target/web (part of build)
	@scripts/ensure-tools build wasm
	scripts/build-web

guests: ## the wasm programs of wasi-apps in target/guests
	@scripts/ensure-tools build wasm guests go
	scripts/build-guests

guests-large: ## also Python, Ruby and FFmpeg, fetched and built once (ten minutes)
	@scripts/ensure-tools build wasm guests go large
	nice scripts/build-guests large

web-demo: ## target/web-demo: a page that runs modules without a broker
	@scripts/ensure-tools build wasm guests
	scripts/build-web
	scripts/build-guests
	wasi-apps/web-demo/assemble target/web-demo

demo: ## from nothing to a job over a native and a browser provider, then stop
	@scripts/ensure-tools build wasm browser guests
	@$(MAKE) --no-print-directory build guests
	scripts/demo

run: ## a broker and a native provider that stay up
	@scripts/ensure-tools build wasm guests
	@$(MAKE) --no-print-directory build guests
	scripts/run

test: ## everything that must pass; ends with "N passed, N failed"
	@scripts/ensure-tools build wasm browser firefox node guests go test
	@scripts/test

test-large: ## Python, Ruby and FFmpeg on a daemon and in a tab; not part of test
	@scripts/ensure-tools build wasm browser guests go large
	nice scripts/build-guests large
	scripts/build-web
	cargo build --workspace --bins
	cargo test --workspace --test large_guests -- --ignored

bench: ## the benchmarks, with tables of ratios; takes a while
	@scripts/ensure-tools build wasm browser guests
	@$(MAKE) --no-print-directory build guests
	@cargo build --release --workspace --bins
	scripts/bench

bench-quick: ## the most telling figures in under three minutes
	@scripts/ensure-tools build wasm browser guests
	@$(MAKE) --no-print-directory build guests
	@cargo build --release --workspace --bins
	scripts/bench quick

fuzz: ## a short run of each fuzz target
	scripts/fuzz

docs: ## API documentation in target/doc
	cargo doc --no-deps --workspace

dist: build ## release archive and Debian packages in target/dist
	scripts/dist

clean: ## remove what was built, but for the wasm standard library and what guests are made from
	[ ! -d target ] || find target -mindepth 1 -maxdepth 1 ! -name wasm-sysroot ! -name guest-cache -exec rm -rf {} +
