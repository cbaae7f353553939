#!/usr/bin/env bats
# A pull that ends too early leaves what it has fetched, and the next one goes on from there.

load helpers

setup_file() {
	make_files
	export NACRE_HTTP_TIMEOUT=20
	# 2 MB that do not get smaller, and 1 MB on top
	python3 -c 'import random; print(random.Random(1).randbytes(2000000).hex())' >"$files/first"
	python3 -c 'import random; print(random.Random(2).randbytes(1000000).hex())' >"$files/second"
	mkdir "$files/a" "$files/b"
	cp "$files/first" "$files/a/first"
	cp "$files/second" "$files/b/second"
	tar -C "$files/a" --owner=0 --group=0 -cf "$files/a.tar" .
	tar -C "$files/b" --owner=0 --group=0 -cf "$files/b.tar" .
	start_registry real
	NACRE_ROOT=$files/maker
	export NACRE_ROOT
	"$NACRE" import -q "$files/a.tar" app:1
	"$NACRE" create app:1 work >/dev/null
	cp "$files/second" "$("$NACRE" mount work)/second"
	"$NACRE" umount work
	"$NACRE" commit -q work app:1 >/dev/null
	push app:1 "$registry/app:1"
	start_faulty
}
teardown_file() { drop_files; }

fault() { echo "$*" >"$files/faults"; }
given() { sed -n 's/^gave \([0-9]*\) of .*blobs.*/\1/p' "$files/proxy/log" | awk '{ sum += $1 } END { print sum + 0 }'; }
whole() {
	cmp "$files/first" <(nacre cat "$faulty/app:1:/first")
	cmp "$files/second" <(nacre cat "$faulty/app:1:/second")
	nacre check --full
	[ ! -e "$NACRE_ROOT/blobs/partial" ]
	nacre df --json | jq -e '.rubbish_bytes == 0'
}
# The digests of the layers.
layers() { sk inspect --tls-verify=false --raw "docker://$registry/app:1" | jq -r ".layers[].digest" | cut -d: -f2; }
# Begins a pull and kills it when most of a layer has come.
kill_at() { # DIGEST [OPTION…]
	local digest=$1
	: >"$files/proxy/log"
	fault most 1 "$digest"
	start "$NACRE" pull -q --tls-verify=false "${@:2}" "$faulty/app:1"
	await "^gave .*$digest" "$files/proxy/log"
	sleep 0.3
	kill -KILL $pid
	wait $pid || true
}

@test "killed at 90 per cent the next pull fetches at most 15 per cent, whatever is kept, with every driver" {
	local driver mode
	fault
	: >"$files/proxy/log"
	pull "$faulty/app:1"
	all=$(given)
	for driver in $(nacre info --json | jq -r '.drivers[] | select(.works and (.name | IN("erofs", "overlay", "vfs"))) | .name'); do
		for mode in keep drop; do
			export NACRE_ROOT=$work/store-$driver-$mode NACRE_DRIVER=$driver
			kill_at "$(layers | tail -1)" --blobs $mode
			fault
			: >"$files/proxy/log"
			pull --blobs $mode "$faulty/app:1"
			[ "$(given)" -lt $((all * 15 / 100)) ]
			whole
		done
	done
	unset NACRE_DRIVER
	[ "$(nacre inspect "$faulty/app:1" | jq -r '.[0].layers[0].blob')" = null ]
	NACRE_ROOT=$work/store-overlay-keep push "$faulty/app:1" "$registry/again:1"
	[ "$(digest_at again:1)" = "$(digest_at app:1)" ]
}

@test "a pull that fails, and one that is stopped, are continued too" {
	NACRE_HTTP_TIMEOUT=1 NACRE_HTTP_RETRIES=0
	export NACRE_HTTP_TIMEOUT NACRE_HTTP_RETRIES
	fault most 1 "$(layers | head -1)"
	fails 69 pull "$faulty/app:1"
	[ -e "$NACRE_ROOT/blobs/partial" ]
	nacre check
	fault
	nacre pull --dry-run --json --tls-verify=false "$faulty/app:1" |
		jq -e '.layers[0].fetched > 1000000 and .fetch_bytes == ([.layers[] | .size - .fetched] | add)'
	nacre pull --progress=plain --tls-verify=false "$faulty/app:1" 2>progress
	grep -q "MB are here from before" progress
	whole
}

@test "what was kept and is damaged is fetched anew" {
	kill_at "$(layers | head -1)"
	partial=$NACRE_ROOT/blobs/partial/$(layers | head -1)
	head -c 100000 /dev/zero | dd of="$partial" bs=1000 seek=100 conv=notrunc status=none
	fault
	pull "$faulty/app:1"
	whole
	rm -r "$NACRE_ROOT"
	kill_at "$(layers | head -1)"
	head -c 9000000 /dev/zero >"$NACRE_ROOT/blobs/partial/$(layers | head -1)"	# longer than the blob is
	fault
	pull "$faulty/app:1"
	whole
}

@test "prune drops it, and says so before" {
	kill_at "$(layers | head -1)"
	nacre images >/dev/null
	nacre df --json | jq -e '.rubbish_bytes > 1000000 and .reclaimable_bytes > 1000000'
	nacre prune --dry-run --json | jq -e '[.removed[] | select(.kind == "partial blob")] | length == 2'
	[ -e "$NACRE_ROOT/blobs/partial" ]
	nacre prune -q
	[ ! -e "$NACRE_ROOT/blobs/partial" ]
	nacre df --json | jq -e '.rubbish_bytes == 0 and .reclaimable_bytes == 0'
}

@test "what a running pull has fetched is left alone by a prune; two pulls of one image do not disturb each other" {
	fault most 1 "$(layers | head -1)"
	: >"$files/proxy/log"
	start "$NACRE" pull -q --tls-verify=false "$faulty/app:1"
	await "^gave .*$(layers | head -1)" "$files/proxy/log"
	nacre prune -q
	[ -e "$NACRE_ROOT/blobs/partial" ]
	kill -INT $pid
	wait $pid || [ $? = 130 ]
	fault
	start "$NACRE" pull -q --tls-verify=false "$faulty/app:1"
	pull "$faulty/app:1"
	wait $pid
	whole
}
