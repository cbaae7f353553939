#!/bin/bash
# run.sh CONFORMANCE [FILESYSTEM…]: every driver on every file system: tmpfs, and ext4, xfs and btrfs in images on loop
# devices. Needs root. Everything is mounted in a mount namespace of its own, and loop devices let go of
# their images with the last mount, so nothing stays, whatever happens.
set -u
conformance=$(realpath "${1:?usage: run.sh CONFORMANCE [FILESYSTEM…]}")
shift
[ $# -gt 0 ] || set -- tmpfs ext4 xfs btrfs
if [ "$(id -u)" != 0 ]; then
	echo "run.sh: needs root" >&2
	exit 77
fi
if [ -z "${NACRE_OWN_NAMESPACE:-}" ]; then
	NACRE_OWN_NAMESPACE=1 exec unshare --mount --propagation private -- "$BASH" "$0" "$conformance" "$@"
fi

work=$(mktemp -d "${TMPDIR:-/var/tmp}/nacre-driver-XXXXXX")
chmod 0755 "$work"
mounted=
# shellcheck disable=SC2317 # reached by the trap
clean() {
	[ -z "$mounted" ] || umount -R "$mounted" 2>/dev/null
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

passed=0 failed=0
judge() { # what command…
	local what=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		echo "ok      $what"
		passed=$((passed + 1))
	else
		echo "FAILED  $what"
		grep -v '^\[ *\(RUN\|OK\) *\]' "$work/log"
		failed=$((failed + 1))
	fi
}

one() { # driver filesystem directory
	judge "$1 on $2" "$conformance" "$1" "$3"
}

one memory memory "$work"
for fs in "$@"; do
	point=$work/$fs
	mkdir "$point"
	if [ "$fs" = tmpfs ]; then
		mount -t tmpfs -o mode=0700 tmpfs "$point"
	else
		# sparse: only what the claims write takes space
		truncate -s 1G "$work/$fs.img"
		case $fs in
		ext4) mkfs.ext4 -q -F "$work/$fs.img" ;;
		xfs) mkfs.xfs -q -f "$work/$fs.img" ;;
		btrfs) mkfs.btrfs -q -f "$work/$fs.img" ;;
		esac >/dev/null || { echo "FAILED  mkfs.$fs"; failed=$((failed + 1)); continue; }
		mount -o loop "$work/$fs.img" "$point"
	fi || { echo "FAILED  mount of $fs"; failed=$((failed + 1)); continue; }
	mounted=$point
	one overlay "$fs" "$point"
	one vfs "$fs" "$point"
	# mounted from files, but on tmpfs, which does not allow it, from loop devices
	one erofs "$fs" "$point"
	if [ "$fs" = btrfs ]; then
		one btrfs "$fs" "$point"
		# no file system of its own there: it works in a directory that is its user's
		mkdir "$point/user"
		chown 100000:100000 "$point/user"
		judge "btrfs on btrfs in a user namespace" "$conformance" btrfs "$point/user" user
	fi
	umount "$point"
	mounted=
	rm -f "$work/$fs.img"
done
mkdir -m 0755 "$work/user"
for driver in overlay vfs; do
	judge "$driver on tmpfs in a user namespace" "$conformance" "$driver" "$work/user" user
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
