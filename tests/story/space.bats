#!/usr/bin/env bats
# When the disk is waited for, and what is said before it is full.
# shellcheck disable=SC2154 # output, stderr and status are set by run

load helpers

# How often a command waits for the disk.
syncs() { # COMMAND…
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace -e trace=fsync,fdatasync,syncfs,sync,sync_file_range "$@" >/dev/null
	grep -c 'sync' trace || true
}

@test "--sync none never waits for the disk, the default does, and both stores are the same" {
	make_app app.tar
	[ "$(syncs "$NACRE" --root "$work/loose" --sync none load -q -i app.tar)" = 0 ]
	[ "$(syncs "$NACRE" --root "$work/loose" --sync=none tag app:1 app:2)" = 0 ]
	[ "$(syncs "$NACRE" --root "$work/loose" rmi --sync none app:2)" = 0 ]
	[ "$(syncs "$NACRE" load -q -i app.tar)" -gt 0 ]
	nacre --root "$work/loose" save app:1 -o loose.tar
	nacre save app:1 -o store.tar
	cmp loose.tar store.tar
	nacre --root "$work/loose" check --full
}

@test "--sync takes no other word" {
	fails 64 nacre --sync sometimes images
	says sync
}
