#!/usr/bin/env bash
# Trains configs/pen-gestures with three seeds, its control and the same recipe in PyTorch, one after the other, then configs/digits
# and gestures from inflated digits beside gestures from scratch; keeps runs, and writes what came out to
# benches/results/<date>-<cpu>/pen-gestures.jsonl.
#   scripts/bench-pen-gestures.sh RUNS [PART…]    [default: data seed-0 pytorch seed-1 seed-2 control digits fine-tune scratch]
# RUNS is a new folder, or one of an earlier call; a part adds its lines. PyTorch comes from PyPI (some gigabytes) into a virtual
# environment in $REELNET_CACHE. REELNET names the binary [default: target/release/reelnet, which is built].
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
runs=${1:?the folder for runs}
shift
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(data seed-0 pytorch seed-1 seed-2 control digits fine-tune scratch)
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}
threads=${THREADS:-$(nproc)}
if [ -z "${REELNET:-}" ]; then
    cargo build --release --workspace --locked --bin reelnet
    REELNET=${CARGO_TARGET_DIR:-target}/release/reelnet
fi
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]' '-' | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//')
results=benches/results/$(date +%F)-$cpu
gestures=$cache/pen-gestures digits=$cache/digits recipes=configs/pen-gestures
out=$results/pen-gestures.jsonl
mkdir -p "$runs" "$results"

# timed NAME COMMAND…: runs a command, and writes the wall and processor time that it took.
timed() {
    local name=$1 load
    shift
    load=$(cut -d' ' -f1 /proc/loadavg)
    TIMEFORMAT='"wall_seconds":%R,"user_seconds":%U,"system_seconds":%S'
    { time "$@" >"$runs/$name.log" 2>&1; } 2>"$runs/$name.time"
    echo "{\"run\":\"$name\",\"threads\":$threads,$(cat "$runs/$name.time"),\"load_before\":$load}" | tee -a "$out"
}
# trains NAME RECIPE DATA OPTION…: a run, its time, and its last measurements.
trains() {
    local name=$1 recipe=$2 data=$3
    shift 3
    # A run that was interrupted goes on; its time is then that of the rest.
    [ ! -d "$runs/$name" ] || set -- "$@" --resume
    timed "$name" "$REELNET" train "$recipe" --data-root "$data" --threads "$threads" --workers "$threads" --run-dir "$runs/$name" "$@"
    grep -E '^\{"event":"(validation|test)"' "$runs/$name/journal.jsonl" | tail -n 3 | sed "s/^{/{\"run\":\"$name\",/" | tee -a "$out"
}

for part in "${parts[@]}"; do
    case $part in
    data) scripts/data-digits.sh "$digits" && scripts/data-pen-gestures.sh "$gestures" ;;
    seed-*) trains "$part" $recipes/resnet3d-rs-26-narrow.toml "$gestures" --set "seed=${part#seed-}" ;;
    control) trains control $recipes/resnet3d-rs-26-narrow-order-blind.toml "$gestures" ;;
    digits) trains digits configs/digits/resnet-rs-26-narrow.toml "$digits" ;;
    fine-tune)
        "$REELNET" inflate --model "$runs/digits/bundle" --out "$runs/digits-3d" --stem-stride 2 --stage-kernels 3,3,3,3 \
            --stage-strides 1,2,2,2 --classes 20 --frames 16 >"$runs/inflate.log"
        trains fine-tune $recipes/resnet3d-rs-26-narrow-from-digits.toml "$gestures" --start-from "$runs/digits-3d"
        ;;
    scratch)
        # The recipe of `fine-tune`, fresh.
        trains scratch $recipes/resnet3d-rs-26-narrow-from-digits.toml "$gestures" --set start=fresh
        "$REELNET" compare-runs "$runs/scratch" "$runs/fine-tune" --target 0.9 --out "$runs/scratch-and-fine-tune.html" --json |
            tr -d '\n' | sed 's/$/\n/' | tee -a "$out"
        ;;
    pytorch)
        if [ ! -e "$cache/bench-training/complete" ]; then
            python3 -m venv "$cache/bench-training/venv"
            "$cache/bench-training/venv/bin/pip" install --quiet av==18.1.0 torch==2.15.0 numpy==2.4.6
            touch "$cache/bench-training/complete"
        fi
        timed pytorch "$cache/bench-training/venv/bin/python" benches/training/pen_gestures.py \
            $recipes/resnet3d-rs-26-narrow.toml "$gestures" --out "$runs/pytorch.jsonl" --threads "$threads"
        grep -E '"event": "(decoded|start|finished)"' "$runs/pytorch.jsonl" | sed 's/^{/{"run": "pytorch", /' | tee -a "$out"
        ;;
    *) echo "there is no part $part" >&2 && exit 2 ;;
    esac
done
