#!/bin/sh
# Times writing the devices of a saved machine to a file, which reads past all of its RAM, against cat on the image
# that holds it, in turn.
set -eu
cd "$(dirname "$0")/.."
mebibytes=${1:-1024}
runs=${2:-5}
snapjob=$PWD/.build/release/snapjob
[ -x "$snapjob" ] || { echo "no release build: run 'make release'" >&2; exit 1; }

directory=$(mktemp -d "${TMPDIR:-/tmp}/snapjob-benchmark-XXXXXX")
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM
cd "$directory"
SNAPJOB_CATALOG=$directory/catalog.sqlite
export SNAPJOB_CATALOG

# A machine whose RAM is full of what no program would take for zeros; its devices are those of any other.
head -c "$((mebibytes << 20))" /dev/urandom > ram
qemu-img create -q -f qcow2 disk.qcow2 1M
printf 'savevm full\nquit\n' | qemu-system-x86_64 -nodefaults -no-user-config -accel tcg -M microvm \
  -m "$((mebibytes + 64))" -display none -S -drive if=none,id=disk,file=disk.qcow2 \
  -device virtio-blk-device,drive=disk -device loader,file=ram,addr=0x1000000,force-raw=on \
  -monitor stdio > log
rm ram
"$snapjob" node add disk disk.qcow2 -q

# Runs a command; prints the milliseconds it took, and the most memory it had in KiB.
measure() {
  python3 -c '
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(round((time.monotonic() - start) * 1000), peak)' "$@"
}
median() { sort -n "$1" | sed -n "$((($(wc -l < "$1") + 1) / 2))p" | cut -d " " -f 1; }

: > ours
: > theirs
run=1
while [ "$run" -le "$runs" ]; do
  measure cat disk.qcow2 >> theirs
  measure "$snapjob" devices save devices --tag full -q >> ours
  echo "run $run: snapjob $(tail -n 1 ours | sed 's/ / ms, /') KiB, cat $(tail -n 1 theirs | cut -d ' ' -f 1) ms"
  run=$((run + 1))
done
awk -v a="$(median ours)" -v b="$(median theirs)" -v s="$mebibytes" \
  'BEGIN { printf "devices of %d MiB: median %d ms against %d ms, ratio %.2f\n", s, a, b, a / b }'
