# Defects of the graph of 2015 that show between processes; the others are in tests/unit/store/test_defects.c.
load helpers

@test "defect 2: listing and registering by several processes at once" {
	make_image tar layer.tar --file a=hello
	nacre graph register -q <layer.tar >/dev/null
	for i in 1 2; do
		for j in 1 2 3 4; do
			make_image tar "$i.tar" --file "a=$i $j"
			id=$(nacre graph register -q <"$i.tar") && nacre graph delete "$id" || exit 1
		done &
	done
	while [ -n "$(jobs -rp)" ]; do
		timeout 20 "$NACRE" graph ls -q >out
		[ "$(grep -c '' out)" -ge 1 ]
		timeout 20 "$NACRE" graph heads --json >/dev/null
	done
	wait
	is "$(nacre graph ls -q | grep -c '')" 1
	is_clean
}

@test "defect 3: what is not there is told by an exit code of its own" {
	make_image tar layer.tar --file a=hello
	id=$(nacre graph register -q <layer.tar)
	fails 2 nacre graph get 0123456789
	fails 3 nacre graph digest "$id"
	fails 64 nacre graph get ../..
	run nacre graph exists 0123456789
	is "$status" 2
	# a store that cannot be looked into does not say that nothing is there
	echo '{' >"$NACRE_ROOT/nacre.json"
	fails 65 nacre graph exists "$id"
}

@test "defect 8: a registrar that is killed leaves nothing" {
	make_image tar layer.tar --file a=hello --big b=100000
	for part in 1 2 3; do
		mkfifo pipe
		"$NACRE" graph register -q --id "$(printf '%064d' 7)" <pipe &
		pid=$!
		exec 9>pipe
		head -c $((part * 30000)) layer.tar >&9
		for _ in $(seq 100); do
			[ -z "$(find "$NACRE_ROOT/graph/_tmp" -name "$(printf '%064d' 7)" 2>/dev/null)" ] || break
			sleep 0.05
		done
		[ -n "$(find "$NACRE_ROOT/graph/_tmp" -name "$(printf '%064d' 7)")" ]
		kill -9 $pid
		wait $pid || true
		exec 9>&-
		rm pipe
		is "$(nacre graph ls -q)" ""
		is_clean
	done
	nacre graph register -q --id "$(printf '%064d' 7)" <layer.tar
}

@test "defect 9: a tree that cannot be removed is told, and goes later" {
	need_root
	make_image tar layer.tar --dir d --file d/a=hello
	export NACRE_DRIVER=vfs
	id=$(nacre graph register -q <layer.tar)
	mount -t tmpfs none "$(nacre graph path "$id")/d"
	run --separate-stderr nacre graph delete "$id"
	[ "$status" != 0 ]
	has "$stderr" "nacre: "
	awk -v top="$work/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | while read -r path; do umount "$path"; done
	run nacre graph ls -q
	is "$status" 0
	is_clean
	is "$(find "$NACRE_ROOT/vfs/dir" -mindepth 1)" ""
}

@test "defect 22: a full disk never leaves half a layer" {
	need_root
	make_image tar layer.tar --file a=hello --big b=300000
	id=$(sha256sum <layer.tar | cut -c 1-64)
	mkdir small
	for size in 100 200 400 600 1200; do
		mount -t tmpfs -o size=${size}k none small
		export NACRE_ROOT=$work/small/store
		if nacre graph register -q <layer.tar >said 2>why; then
			is "$(nacre graph tar "$id" | sha256sum | cut -c 1-64)" "$id"
		else
			has "$(cat why)" "No space left"
		fi
		umount small
	done
	is "$(cat said)" "$id"
}

@test "defect 25: a huge pad behind the archive takes no memory" {
	make_image tar layer.tar --file a=hello
	padded() {
		cat layer.tar
		head -c 200M /dev/zero
	}
	local limit=180000
	[ -z "${NACRE_SANITIZED:-}" ] || limit=unlimited	# the sanitizer's shadow takes terabytes of address space
	id=$(padded | (ulimit -v $limit; "$NACRE" graph register -q))
	is "$id" "$(padded | sha256sum | cut -c 1-64)"
	(ulimit -v $limit; "$NACRE" graph tar --verify "$id")
}
