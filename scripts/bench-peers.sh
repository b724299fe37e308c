#!/usr/bin/env bash
# Measures `reelnet bench` beside PyTorch, OpenVINO and ONNX Runtime, and writes benches/results/<date>-<cpu>/networks.{json,md}.
#   scripts/bench-peers.sh [options of benches/networks/run.py, such as --cases 32x224 --precision f32 --rounds 2]
# A whole run takes hours, most of it for the largest networks; pieces of it, run on the same day, end up in the same files.
# Peers come from PyPI into a virtual environment in $REELNET_CACHE, with the networks that they read: 6 GB and 10 GB. PyPI's
# torch is the one for CUDA; without NVIDIA's libraries beside it it cannot be imported, on a machine without a GPU either.
# --setup makes the environment and ends.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}/bench-networks
mkdir -p "$cache"
if [ ! -e "$cache/venv/complete" ]; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet \
        torch==2.15.0 torchvision==0.29.2 timm==1.0.31 openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 onnxscript==0.7.2 \
        safetensors==0.8.0 numpy==2.4.6
    touch "$cache/venv/complete"
fi
[ "${1:-}" != --setup ] || exit 0
cargo build --release --workspace --locked --bin reelnet
target=${CARGO_TARGET_DIR:-target}
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]' '-' | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//')
exec "$cache/venv/bin/python" benches/networks/run.py --ours "$target/release/reelnet" --work "$cache/work" \
    --out "benches/results/$(date +%F)-$cpu" "$@"
