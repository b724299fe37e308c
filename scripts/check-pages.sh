#!/usr/bin/env bash
# Opens our pages in headless Chromium, at a desk's and at a phone's width, uses them by keyboard, and leaves screenshots.
#   scripts/check-pages.sh [OUT]      OUT: where screenshots go [default: target/pages]
# Chromium comes from Debian; what drives it comes from PyPI into a virtual environment in $REELNET_CACHE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-target/pages}
cache=${REELNET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reelnet}/pages
./scripts/setup.sh --scripts
have() { command -v "$1" >/dev/null 2>&1; }
missing=()
have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ ! -e "$cache/venv/complete" ]; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet playwright==1.65.2
    touch "$cache/venv/complete"
fi
cargo build --release --workspace --locked --bin reelnet
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$out"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
for page in scripts/pages/check_*.py; do
    "$cache/venv/bin/python" "$page" --reelnet "$target/release/reelnet" --browser "$browser" --out "$out"
done
echo "screenshots are in $out"
