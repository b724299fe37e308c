#!/usr/bin/env bash
# Measures `reelnet library` beside a Python pipeline of torchcodec, OpenVINO and SQLite, and writes
# benches/results/<date>-<cpu>/library.{json,md}.
#   scripts/bench-peers-library.sh [options of benches/library/run.py, such as --rounds 1]
# Videos are made from those of the loader's benchmark (scripts/bench-peers-loader.sh); the peers come from PyPI into the virtual
# environment in $REELNET_CACHE (torch alone is some gigabytes).
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}
[ -e "$cache/bench-loader/files/complete" ] || scripts/bench-peers-loader.sh --rounds 1
venv="$cache/bench-library/venv"
if [ ! -e "$venv/complete" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet torch==2.15.0 torchvision==0.29.2 torchcodec==0.17.0 openvino==2026.4.1 timm==1.0.31 onnx==1.23.2 \
        onnxscript safetensors==0.8.0 numpy
    touch "$venv/complete"
fi
cargo build --release --workspace --locked --bin reelnet
target=${CARGO_TARGET_DIR:-target}
assets=crates/reelnet-infer/assets
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]' '-' | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//')
exec "$venv/bin/python" benches/library/run.py --reelnet "$target/release/reelnet" --weights "$assets/efficientnet-lite0/weights.safetensors" \
    --labels "$assets/labels/imagenet-1k.txt" --files "$cache/bench-loader/files" --cache "$cache/bench-library" \
    --out "benches/results/$(date +%F)-$cpu" "$@"
