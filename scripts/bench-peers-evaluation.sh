#!/usr/bin/env bash
# Measures `reelnet eval` beside PyTorch with torchcodec, and `reelnet metrics` on 20,000 videos x 30 views x 400 classes, and writes
# benches/results/<date>-<cpu>/evaluation.{json,md}.
#   scripts/bench-peers-evaluation.sh [options of benches/evaluation/run.py, such as --cases metrics --rounds 1]
# Videos are those of the loader's benchmark, which scripts/bench-peers-loader.sh makes; the peers come from PyPI into its virtual
# environment in $REELNET_CACHE.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}
[ -e "$cache/bench-loader/files/complete" ] || scripts/bench-peers-loader.sh --rounds 1
if [ ! -e "$cache/bench-evaluation/complete" ]; then
    mkdir -p "$cache/bench-evaluation"
    "$cache/bench-loader/venv/bin/pip" install --quiet timm==1.0.28 safetensors==0.8.0 pyarrow==26.0.1
    touch "$cache/bench-evaluation/complete"
fi
cargo build --release --workspace --locked --bin reelnet --bin scores --bin clips
target=${CARGO_TARGET_DIR:-target}
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]' '-' | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//')
exec "$cache/bench-loader/venv/bin/python" benches/evaluation/run.py --reelnet "$target/release/reelnet" --scores "$target/release/scores" --clips "$target/release/clips" \
    --files "$cache/bench-loader/files" --cache "$cache/bench-evaluation" --out "benches/results/$(date +%F)-$cpu" "$@"
