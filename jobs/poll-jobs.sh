#!/bin/sh
# Starts a save in the background and polls 'query-jobs --json' with jq until it is over.
#
#   jobs/poll-jobs.sh TAG [OPTION...]     options of 'snapjob save', for example --replace
#
# Ends with 0 and what the job has done, or with 1 and the job's error.
set -eu

[ "$#" -ge 1 ] || {
  echo "usage: $0 TAG [OPTION...]" >&2
  exit 64
}
tag=$1
shift

id=$(snapjob --quiet save --tag "$tag" --detach "$@")
while :; do
  job=$(snapjob query-jobs --json | jq -c --arg id "$id" '.[] | select(.id == $id)')
  status=$(printf '%s\n' "$job" | jq -r .status)
  printf '%s\n' "$job" | jq -r '"\(.id): \(.status), \(."current-progress") of \(."total-progress")"'
  [ "$status" = concluded ] && break
  sleep 1
done

error=$(printf '%s\n' "$job" | jq -r '.error // empty')
if [ -n "$error" ]; then
  echo "$id failed: $error" >&2
  exit 1
fi
snapjob job show "$id" --json | jq '{tag, devices, result}'
snapjob job dismiss "$id"
