#!/usr/bin/env bash
# Runs each fuzz target for some seconds: scripts/fuzz.sh <seconds> [target…]. Without a target it runs all of them.
#
# New inputs go into target/fuzz/corpus, where the next run starts from them. The committed seeds in fuzz/seeds don't change.
# An input that fails is stored in target/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: scripts/fuzz.sh <seconds> [target…]}
shift

if ! command -v cargo >/dev/null; then
  echo "cargo was not found: install Rust from https://rustup.rs" >&2
  exit 1
fi

tools=$PWD/target/tools
if [[ ! -x $tools/bin/cargo-fuzz ]]; then
  echo "• Installing cargo-fuzz into target/tools (a minute or two) …"
  cargo install --quiet --locked --root "$tools" cargo-fuzz
fi
export PATH=$tools/bin:$PATH

# Sanitizers need unstable compiler flags. Without a nightly toolchain, RUSTC_BOOTSTRAP makes the stable one accept them.
cargo=(cargo)
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
  cargo=(cargo +nightly)
else
  export RUSTC_BOOTSTRAP=1
fi

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  mapfile -t targets < <("${cargo[@]}" fuzz list)
fi

for target in "${targets[@]}"; do
  corpus=target/fuzz/corpus/$target
  artifacts=target/fuzz/artifacts/$target/
  mkdir -p "$corpus" "$artifacts"
  folders=("$corpus")
  if [[ -d fuzz/seeds/$target ]]; then folders+=("fuzz/seeds/$target"); fi
  # The transcripts of the tests already contain every quirk.
  if [[ $target == transcript ]]; then folders+=(__test__/fixtures/transcripts); fi
  echo "• Fuzzing $target for $seconds s …"
  "${cargo[@]}" fuzz run --target-dir target/fuzz/build "$target" "${folders[@]}" -- \
    -max_total_time="$seconds" -artifact_prefix="$artifacts" -print_final_stats=1 2>&1 |
    grep --line-buffered -vE '^#|# Uses: |^NEW|^INFO: |^\s*(Compiling|Finished|Running) '
done
