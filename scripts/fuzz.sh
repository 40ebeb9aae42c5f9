#!/usr/bin/env bash
# Runs fuzz targets, each for so many seconds: scripts/fuzz.sh <seconds> [target…]; all targets if none is named.
#
# New inputs are kept in target/fuzz/corpus and read again by the next run; the committed seeds in fuzz/seeds stay as they
# are. An input that fails is left in target/fuzz/artifacts.
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

# The sanitizers are flags of the unstable compiler. Where there is no nightly, the stable one takes them too if told so.
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
  # The tests' transcripts hold every quirk already.
  if [[ $target == transcript ]]; then folders+=(__test__/fixtures/transcripts); fi
  echo "• Fuzzing $target for $seconds s …"
  "${cargo[@]}" fuzz run --target-dir target/fuzz/build "$target" "${folders[@]}" -- \
    -max_total_time="$seconds" -artifact_prefix="$artifacts" -print_final_stats=1 2>&1 |
    grep --line-buffered -vE '^#|# Uses: |^NEW|^INFO: |^\s*(Compiling|Finished|Running) '
done
