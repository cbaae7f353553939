#!/usr/bin/env bash
# The demonstration: a docker-archive goes in, is used, and comes out with every digest unchanged.
#   demo.sh NACRE ARCHIVE
set -euo pipefail
nacre=$1 archive=$2
work=$(mktemp -d "${TMPDIR:-/var/tmp}/nacre-demo.XXXXXX")
export NACRE_ROOT=$work/store
finish() {
  "$nacre" umount -a >/dev/null 2>&1 || true
  rm -rf --one-file-system "$work"
}
trap finish EXIT

show() { printf '\n$ nacre %s\n' "$*"; "$nacre" "$@"; }

show load -i "$archive"
show images
id=$("$nacre" images -q --no-trunc | head -n 1)
show history "$id"
show tree "$id"
mkdir "$work/mnt"
show mount "$id" "$work/mnt"
printf '\n$ chroot MOUNT /bin/cat /etc/os-release\n'
chroot "$work/mnt" /bin/cat /etc/os-release
show umount "$work/mnt"
show save -o "$work/out.tar" "$id"
printf '\n'
python3 "$(dirname "$0")/same_image.py" "$archive" "$work/out.tar"
