#!/bin/sh
# Backs up a disk while its machine is off: the first time all of it, from then on what a dirty bitmap has marked
# since the last time. Each backup is the state of one instant, also if the machine is started meanwhile: what is
# copied is a snapshot's.
#
#   jobs/incremental-backup.sh NODE FILE DIRECTORY
#
#   NODE       the disk of the machine
#   FILE       its image
#   DIRECTORY  receives full.raw, and one directory for each backup after it: what has changed, piece by piece
#
# To get a disk back, copy full.raw and put the pieces of all directories into it, in order:
#
#   jobs/incremental-backup.sh --restore DIRECTORY TARGET
#
# Needs jq, and qemu-img and dd to copy.
set -eu

bitmap=backup
tag=backup-point

usage() {
  echo "usage: $0 NODE FILE DIRECTORY | --restore DIRECTORY TARGET" >&2
  exit 64
}

# Puts the pieces of each backup over a copy of the first one.
restore() {
  cp "$1/full.raw" "$2"
  for part in "$1"/[0-9]*; do
    [ -e "$part/size" ] || continue
    truncate -s "$(cat "$part/size")" "$2"
    for piece in "$part"/*.piece; do
      [ -e "$piece" ] || continue
      offset=$(basename "$piece" .piece)
      dd if="$piece" of="$2" bs=64K seek="$offset" oflag=seek_bytes conv=notrunc status=none
    done
  done
}

if [ "$#" -eq 3 ] && [ "$1" = --restore ]; then
  restore "$2" "$3"
  exit 0
fi
[ "$#" -eq 3 ] || usage
node=$1
file=$2
directory=$3
mkdir -p "$directory"
raw=$directory/point.raw
trap 'rm -rf "$raw" "$directory"/new.*' EXIT

# A raw copy of what the snapshot keeps.
copy_point() {
  qemu-img convert -f qcow2 -O raw -l "snapshot.name=$tag" "$file" "$1"
}

has_bitmap() {
  snapjob bitmap list "$node" --json | jq -e --arg name "$1" 'any(.name == $name)' > /dev/null
}

if [ ! -e "$directory/full.raw" ]; then
  has_bitmap "$bitmap" || snapjob --quiet bitmap add "$node" "$bitmap"
  # One commit: what is written after the snapshot is marked, and nothing else.
  snapjob --quiet save --tag "$tag" --device "$node" --replace --clear-bitmap "$bitmap" > /dev/null
  copy_point "$raw"
  mv "$raw" "$directory/full.raw"
  snapjob --quiet delete --tag "$tag" --device "$node" --yes > /dev/null
  echo "full backup: $(stat -c %s "$directory/full.raw") bytes"
  exit 0
fi

# A run that ended before its backup was complete has left its ranges: they belong to this one.
if has_bitmap "$bitmap-now"; then
  snapjob --quiet bitmap merge "$node" "$bitmap" "$bitmap-now"
  snapjob --quiet bitmap remove "$node" "$bitmap-now"
fi

# One commit for the snapshot, a copy of the bitmap as it is at that instant, and a clean start for the next.
snapjob qmp transaction "$(jq -n --arg node "$node" --arg tag "$tag" --arg bitmap "$bitmap" '
  def bitmap($verb; $more): {type: "block-dirty-bitmap-\($verb)", data: ({node: $node} + $more)};
  {actions: [
    {type: "snapshot-save", data: {
      "job-id": "\($tag)-\(now * 1000 | floor)", tag: $tag, vmstate: $node, devices: [$node],
      "x-replace": true, "x-auto-dismiss": true}},
    bitmap("add"; {name: "\($bitmap)-now", persistent: true, disabled: true}),
    bitmap("merge"; {target: "\($bitmap)-now", bitmaps: [$bitmap]}),
    bitmap("clear"; {name: $bitmap})
  ]}')" > /dev/null

new=$directory/new.$$
mkdir "$new"
snapjob bitmap show "$node" "$bitmap-now" --json > "$new/ranges"
copy_point "$raw"
stat -c %s "$raw" > "$new/size"
jq -r '.[] | "\(.offset) \(.length)"' "$new/ranges" | while read -r offset length; do
  dd if="$raw" of="$new/$offset.piece" bs=64K skip="$offset" count="$length" \
    iflag=skip_bytes,count_bytes status=none
done
bytes=$(jq 'map(.length) | add // 0' "$new/ranges")
number=$(find "$directory" -maxdepth 1 -name '[0-9]*' | wc -l)
mv "$new" "$directory/$(printf '%06d' $((number + 1)))"
snapjob --quiet bitmap remove "$node" "$bitmap-now"
snapjob --quiet delete --tag "$tag" --device "$node" --yes > /dev/null
echo "incremental backup: $bytes bytes"
