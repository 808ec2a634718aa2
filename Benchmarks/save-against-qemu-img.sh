#!/bin/sh
# Times a snapshot by snapjob against one by qemu-img on copies of one image, in turn.
set -eu
cd "$(dirname "$0")/.."
size=${1:-64G}
runs=${2:-5}
snapjob=$PWD/.build/release/snapjob
[ -x "$snapjob" ] || { echo "no release build: run 'make release'" >&2; exit 1; }

directory=$(mktemp -d "${TMPDIR:-/tmp}/snapjob-benchmark-XXXXXX")
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM
cd "$directory"
SNAPJOB_CATALOG=$directory/catalog.sqlite
export SNAPJOB_CATALOG
qemu-img create -q -f qcow2 -o preallocation=metadata original.qcow2 "$size"

# Milliseconds that a command takes.
milliseconds() {
  start=$(date +%s%N)
  "$@" > /dev/null
  end=$(date +%s%N)
  echo $(((end - start) / 1000000))
}
median() { sort -n "$1" | sed -n "$((($(wc -l < "$1") + 1) / 2))p"; }

: > ours
: > theirs
run=1
while [ "$run" -le "$runs" ]; do
  cp --sparse=always original.qcow2 a.qcow2
  cp --sparse=always original.qcow2 b.qcow2
  sync
  milliseconds "$snapjob" save --tag s --file a.qcow2 -q >> ours
  milliseconds qemu-img snapshot -c s b.qcow2 >> theirs
  echo "run $run: snapjob $(tail -n 1 ours) ms, qemu-img $(tail -n 1 theirs) ms"
  run=$((run + 1))
done
qemu-img check -q a.qcow2
awk -v a="$(median ours)" -v b="$(median theirs)" -v s="$size" \
  'BEGIN { printf "save of %s: median %d ms against %d ms, ratio %.2f\n", s, a, b, a / b }'
