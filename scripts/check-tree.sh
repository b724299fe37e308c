#!/usr/bin/env bash
# Rules about files that no compiler knows: their length, where unsafe code may stand, what may not be in them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bad=0
complain() { echo "check-tree: $*" >&2; bad=1; }

while IFS= read -r file; do
  lines=$(wc -l <"$file")
  [ "$lines" -le 500 ] || complain "$file has $lines lines, expected at most 500: split it by noun"
done < <(git ls-files '*.rs')

unsafe=$(git grep -lE '\bunsafe\b *(\{|fn|impl|extern)' -- '*.rs' | grep -vE '^crates/(reelnet-kernels/|reelnet-clips/src/(libav/|simd(\.rs|/))|reelnet-cli/src/main\.rs$)' || true)
[ -z "$unsafe" ] || complain "unsafe code outside reelnet-kernels, reelnet-clips/src/libav and its simd, and the binary's allocator: $unsafe"

vague=$(git ls-files '*.rs' | grep -E '(^|/)(utils?|common|helpers?|core|types)(\.rs|/)' || true)
[ -z "$vague" ] || complain "modules without a noun: $vague"

stubs=$(git grep -nE 'todo!\(|unimplemented!\(|dbg!\(|#\[ignore' -- '*.rs' || true)
[ -z "$stubs" ] || complain "stubs or tests that are switched off: $stubs"

paths=$(git grep -nE '(^|[^A-Za-z.])/(work|root|home)/[a-z]' -- . ':!*.lock' ':!scripts/check-tree.sh' || true)
[ -z "$paths" ] || complain "paths of one machine: $paths"

for script in scripts/*.sh; do
  [ -x "$script" ] || complain "$script is not executable"
  bash -n "$script" || complain "$script does not parse"
done
exit "$bad"
