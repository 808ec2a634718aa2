#!/bin/sh
# Two disks are written, saved, changed and loaded; digests of what the guest sees prove that the load
# brought back what was saved. Needs no QEMU; uses a catalog and a directory of its own.
set -eu
cd "$(dirname "$0")/.."

swift=${SWIFT:-swift}
# As 'make install' builds it, so that nothing is built twice.
build() { "$swift" build -j "${JOBS:-2}" -c release --static-swift-stdlib "$@"; }
for product in snapjob DemoDisk; do
  echo "\$ swift build -c release --product $product"
  build --product $product
done
PATH=$(build --show-bin-path):$PATH
export PATH

directory=$(mktemp -d "${TMPDIR:-/tmp}/snapjob-demo-XXXXXX")
watcher=
end() {
  status=$?
  trap - EXIT
  [ -z "$watcher" ] || kill "$watcher" 2> /dev/null || true
  wait
  rm -rf "$directory"
  [ "$status" -eq 0 ] || printf '\nThe demonstration failed with status %s.\n' "$status" >&2
  exit "$status"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$directory"
SNAPJOB_CATALOG=$directory/catalog.sqlite
export SNAPJOB_CATALOG
unset SNAPJOB_MACHINE SNAPJOB_CONNECT SNAPJOB_WAIT_LOCK

say() { printf '\n# %s\n' "$*"; }
run() {
  echo "\$ $*"
  "$@"
}
# A moment for the watcher, who is told of each status a little later.
run_job() {
  run "$@"
  sleep 0.3
}
# What the guest sees on both disks. Its output is kept in a variable first, so that a failure ends the story.
digests() {
  DemoDisk digest disk0.qcow2
  DemoDisk digest disk1.qcow2
}
fail() {
  echo "NOT TRUE: $*" >&2
  exit 1
}

say "Two disks, with content that a guest might have written."
run snapjob node create disk0 disk0.qcow2 --size 1G
run snapjob node create disk1 disk1.qcow2 --size 256M --cluster-size 4k
run DemoDisk write disk0.qcow2 --seed 1 --offset 0 --length 67108864
run DemoDisk write disk1.qcow2 --seed 2 --offset 1000000 --length 16777216
echo "\$ DemoDisk digest disk0.qcow2; DemoDisk digest disk1.qcow2"
saved=$(digests)
echo "$saved"

say "The states of the jobs pass by, marked with a bar."
echo "\$ snapjob watch &"
mkfifo states
sed -u 's/^/    | /' < states &
snapjob watch > states &
watcher=$!
sleep 1

say "Save both disks: all or none."
run_job snapjob save --tag before-upgrade
run snapjob list

say "The guest goes on writing, over the old content and beside it."
run DemoDisk write disk0.qcow2 --seed 3 --offset 33554432 --length 67108864
run DemoDisk write disk1.qcow2 --seed 4 --offset 0 --length 8388608
echo "\$ DemoDisk digest disk0.qcow2; DemoDisk digest disk1.qcow2"
changed=$(digests)
echo "$changed"
for disk in disk0 disk1; do
  before=$(echo "$saved" | grep "$disk") after=$(echo "$changed" | grep "$disk")
  [ "$before" != "$after" ] || fail "the write to $disk changed nothing"
done

say "Back to what was saved."
run_job snapjob load --tag before-upgrade --yes
echo "\$ DemoDisk digest disk0.qcow2; DemoDisk digest disk1.qcow2"
loaded=$(digests)
echo "$loaded"
[ "$loaded" = "$saved" ] || fail "what was loaded differs from what was saved"
echo "equal to what was saved, byte for byte"

say "The images are sound."
run snapjob check disk0 disk1

say "The snapshot goes, the disks stay."
run_job snapjob delete --tag before-upgrade --yes
run snapjob list
echo "\$ DemoDisk digest disk0.qcow2; DemoDisk digest disk1.qcow2"
deleted=$(digests)
echo "$deleted"
[ "$deleted" = "$saved" ] || fail "the delete changed a disk"
run snapjob check disk0 disk1

if command -v qemu-img > /dev/null; then
  say "QEMU's own program agrees (it is here, but is not needed)."
  run qemu-img check -q disk0.qcow2
  run qemu-img check -q disk1.qcow2
fi

say "Every job is in the catalog."
run snapjob query-jobs
run snapjob query-jobs --json
