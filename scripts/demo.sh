#!/usr/bin/env bash
# Builds reelnet and tags a small real video, or the ones that are named: ./scripts/demo.sh [VIDEO…]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Paths are the caller's, the build is the project's.
videos=("$@")
[ ${#videos[@]} -gt 0 ] || videos=("$here/tests/media/white-dog.mp4")

"$here/scripts/setup.sh"
echo "demo: building (several minutes the first time)" >&2
cargo build --release --locked --quiet --manifest-path "$here/Cargo.toml" --workspace --bin reelnet
target=$(cargo metadata --format-version 1 --no-deps --manifest-path "$here/Cargo.toml" | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
exec "$target/release/reelnet" tag "${videos[@]}"
