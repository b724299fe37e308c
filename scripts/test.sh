#!/usr/bin/env bash
# Every check and every test, cheapest first: what CI runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
./scripts/setup.sh --tests

step() { printf '\n==> %s\n' "$*"; "$@"; }
step ./scripts/check-tree.sh
step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
export RUSTDOCFLAGS="-D warnings"
step cargo doc --workspace --no-deps --locked --quiet
# Property tests draw the same cases every time here; another seed searches further.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-20261124}"
# Benches are run once, as tests. All failures are told, not the first one alone.
step cargo test --workspace --locked --quiet --no-fail-fast
# The same answers from kernels and engines for smaller processors. The whole workspace with its programs is named: of less, other
# packages would be shared with build scripts, and burn compiled anew.
DNNL_MAX_CPU_ISA=AVX2 step cargo test --workspace --locked --quiet --bins \
  --test conv --test features --test fused --test onednn --test engine
# The same answers without oneDNN, from burn's own operations.
step cargo test --workspace --no-default-features --locked --quiet \
  --lib --test conv --test features --test fused --test onednn --test counts --test modes --test engine --test it \
  -- --skip tag:: --skip scripts:: --skip calibrate:: --skip library::
# The build scripts of burn's CUDA backend download a compiler unless they think that they build documentation; types need none.
DOCS_RS=1 step cargo check -p reelnet-cli --features cuda --locked --quiet
echo
echo "all checks passed"
