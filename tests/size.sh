#!/usr/bin/env bash
# size.sh NACRE LIBRARY.a : the command and the static library, without what debuggers want, are small together. Prints TAP.
set -eu
limit=$((3 * 1024 * 1024))
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
strip -o "$dir/nacre" "$1"
cp -L "$2" "$dir/lib.a"
strip -g "$dir/lib.a"
size=$(($(stat -c %s "$dir/nacre") + $(stat -c %s "$dir/lib.a")))
if [ "$size" -le "$limit" ]; then
  echo "ok 1 command and static library are $size of at most $limit bytes"
else
  echo "not ok 1 command and static library are $size of at most $limit bytes"
  exit 1
fi
