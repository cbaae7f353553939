#!/usr/bin/env bats
# When the disk is waited for, and what is said before it is full.
# shellcheck disable=SC2046,SC2154 # words of seq are meant to split; output, stderr and status are set by run

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

small_disk() { # SIZE MKFS…: its store is $NACRE_ROOT
	need_root
	rm -f image
	truncate -s "$1" image
	"${@:2}" image >/dev/null
	mkdir -p disk
	mount -o loop,"${mount_options:-rw}" image disk
	export NACRE_ROOT=$work/disk/store
}

@test "what cannot fit is refused before anything is written" {
	make_image docker first.tar --name first:1 --file first=first
	make_image docker big.tar --name big:1 --big data=6000000
	make_image docker two.tar --name two:1 --big a=2000000 --image --name two:2 --big b=2000000
	small_disk 4M mkfs.ext4 -q -O ^has_journal
	NACRE_DRIVER=erofs nacre load -q first.tar
	find disk -printf '%p %s %T@\n' | sort >before
	for archive in big.tar two.tar; do
		fails 73 nacre load -q $archive
		says 'no room in the store: at least'
		says 'the store is as it was'
	done
	find disk -printf '%p %s %T@\n' | sort >after
	grep -v -e catalog -e 'disk/store/nacre.lock' before >want
	grep -v -e catalog -e 'disk/store/nacre.lock' after | diff want -
}

@test "layers that are there need no room" {
	make_image docker big.tar --name big:1 --big data=2000000
	make_image docker more.tar --name more:1 --big data=2000000 --layer --file small=small
	small_disk 4M mkfs.ext4 -q -O ^has_journal
	NACRE_DRIVER=erofs nacre load -q big.tar
	nacre load -q more.tar
	nacre load -q big.tar
	nacre check --full
}

@test "what may yet fit is let in: members without content, and disks that compress" {
	make_image docker empty.tar --name empty:1 $(seq -f '--file f%g=' 16000)
	small_disk 12M mkfs.ext4 -q -O ^has_journal -N 20000
	[ "$(stat -f -c '%f' disk)" -lt "$(($(stat -c %s empty.tar) / $(stat -f -c %S disk)))" ]
	NACRE_DRIVER=overlay nacre load -q empty.tar
	nacre check --full
	umount disk
	make_image docker zeros.tar --name zeros:1 --big zeros=200000000
	mount_options=compress-force=zstd small_disk 150M mkfs.btrfs -q
	NACRE_DRIVER=erofs nacre load -q zeros.tar
	nacre save -q zeros:1 | tar -tf - >/dev/null
}
