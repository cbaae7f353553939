# The graph of nodes by hand, and what holds them.
load helpers

@test "create: nodes with IDs of their own" {
	make_image tar layer.tar --file a=hello
	base=$(nacre graph create -q -m 'the first' -a me layer.tar)
	[[ $base =~ ^[0-9a-f]{64}$ ]]
	nacre graph raw "$base" | jq -e --arg id "$base" '.id == $id and .comment == "the first" and .author == "me" and .Size == 5'
	nacre graph tar "$base" | cmp - layer.tar
	top=$(gzip <layer.tar | nacre graph create -q --parent "${base:0:12}" --container "$(printf '%064d' 7)" \
		--container-config '{"Cmd":["/bin/sh","-c","make it"]}' --config '{"Cmd":["run"]}' -)
	is "$(nacre graph get --format '{{.Parent}}' "$top")" "$base"
	nacre history --no-trunc "$top" | grep -q 'make it'
	# an image of 2015, as images go
	nacre tag "$top" made:1
	is "$(nacre images --format '{{.Name}} {{.ID}}' --no-trunc)" "made:1 $top"
	bare=$(nacre graph create --parent "$top")
	is "$(nacre graph get --format '{{.HasLayer}}' "$bare")" false
	fails 64 nacre graph create --container "$(printf '%064d' 7)"
	says "without its config"
	fails 2 nacre graph create --parent 0123456789
	fails 2 nacre graph create missing.tar
	fails 65 nacre graph create --config '{' layer.tar
	is_clean
	is "$(nacre graph ls -q | grep -c '')" 3
}

@test "register: the same layer whatever it is compressed with" {
	make_image tar layer.tar --file a=hello --big zeros=70000
	id=$(sha256sum <layer.tar | cut -c 1-64)
	for tool in cat gzip bzip2 xz 'zstd -q'; do
		# shellcheck disable=SC2086
		is "$($tool <layer.tar | nacre graph register -q)" "$id"
		nacre graph tar "$id" | cmp - layer.tar
		nacre graph delete "$id"
	done
	is_clean
}

@test "tar --spool: nothing is written of a layer that is damaged" {
	make_image tar layer.tar --file a=hello --file b=jello --big zeros=200000
	export NACRE_DRIVER=vfs
	id=$(nacre graph register -q <layer.tar)
	nacre graph tar --spool "$id" 2>progress | cmp - layer.tar
	has "$(cat progress)" "Buffering to disk"
	nacre graph tar --spool -q -o out.tar "$id"
	cmp out.tar layer.tar
	cd "$(nacre graph path "$id")"
	echo -n jallo >b
	cd "$work"
	nacre graph tar "$id" >half.tar 2>/dev/null || true
	[ -s half.tar ]
	fails 65 nacre graph tar --spool -q "$id"
	says b
	fails 65 nacre graph tar --spool -q -o other.tar "$id"
	[ ! -e other.tar ]
	is_clean
}

@test "gzip tells the digest of what it wrote" {
	make_image tar layer.tar --file a=hello
	said=$(nacre graph gzip -q -o layer.tar.gz layer.tar)
	is "$said" "sha256:$(sha256sum <layer.tar.gz | cut -c 1-64) $(stat -c %s layer.tar.gz)"
	gzip -dc layer.tar.gz | cmp - layer.tar
	is "$(nacre graph gzip -q -o again.gz <layer.tar)" "$said"
	is "$(nacre graph gzip -q --json -o again.gz <layer.tar | jq -r '"\(.digest) \(.size)"')" "$said"
	fails 64 nacre graph gzip layer.tar
	fails 2 nacre graph gzip -q -o other.gz missing
	[ ! -e other.gz ]
	fails 73 nacre graph gzip -q -o /dev/full layer.tar
}

@test "path: where the files are" {
	make_image tar layer.tar --file a=hello
	if works erofs; then
		id=$(nacre --root archives --driver erofs graph register -q <layer.tar)
		fails 1 nacre --root archives graph path "$id"
		says 'the erofs driver keeps no directories'
	fi
	with_trees
	id=$(nacre graph register -q <layer.tar)
	is "$(cat "$(nacre graph path "${id:0:10}")/a")" hello
	bare=$(nacre graph create)
	fails 1 nacre graph path "$bare"
	says "no layer"
}

@test "init: a skeleton that follows no link" {
	mkdir layer outside
	ln -s ../outside layer/etc
	nacre graph init layer
	nacre graph init layer
	is "$(cd layer && find . -mindepth 1 -printf '%y%m %P %l\n' | sed 's/ *$//' | LC_ALL=C sort)" \
		"$(printf '%s\n' 'd755 dev' 'd755 dev/pts' 'd755 dev/shm' 'd755 etc' 'd755 proc' 'd755 sys' \
			'f755 .dockerenv' 'f755 .dockerinit' 'f755 dev/console' 'f755 etc/hostname' 'f755 etc/hosts' \
			'f755 etc/resolv.conf' 'l777 etc/mtab /proc/mounts')"
	is "$(ls outside)" ""
	fails 2 nacre graph init missing
}

@test "hold, holds, release" {
	make_app app.tar
	id=$(nacre load -q app.tar)
	is "$(nacre holds)" "$(nacre --root "$work/none" holds)"
	session=$(nacre hold app:1)
	fails 1 nacre rmi app:1
	says "$session"
	fails 1 nacre graph delete "$id"
	is "$(nacre holds -q)" "$session"
	nacre holds --json | jq -e --arg s "$session" --arg id "${id#sha256:}" \
		'. == [{"session": $s, "persistent": true, "pid": null, "ids": [$id]}]'
	nacre release "$session"
	fails 2 nacre release "$session"
	# a layer stays when its image goes
	base=$(nacre inspect app:1 | jq -r '.[0].layers[0].chain_id')
	is "$(nacre hold --session kept "$base")" kept
	nacre rmi app:1 >/dev/null
	is "$(nacre graph ls -q)" "$base"
	nacre release kept "$base"
	is "$(nacre holds -q)" ""
	nacre graph delete "$base"
	is_clean
}

@test "what a process holds, it holds as long as it lives" {
	make_app app.tar
	nacre load -q app.tar >/dev/null
	sleep 100 &
	pid=$!
	nacre hold --session mine --pid $pid app:1
	is "$(nacre holds --format '{{.Owner}}')" "process $pid"
	fails 1 nacre rmi app:1
	fails 1 nacre hold --session mine app:1
	kill $pid
	wait $pid || true
	is "$(nacre holds -q)" ""
	fails 2 nacre hold --pid $pid app:1
	fails 64 nacre hold --pid x app:1
	nacre rmi app:1
	is "$(ls "$NACRE_ROOT/holds")" ""
}

@test "sessions on a file system that is read-only" {
	need_root
	make_app app.tar
	nacre load -q app.tar >/dev/null
	nacre hold --session kept app:1
	mkdir frozen
	mount --bind store frozen
	mount -o remount,bind,ro frozen
	is "$(nacre --root frozen holds -q)" kept
	fails 77 nacre --root frozen hold app:1
	fails 77 nacre --root frozen release kept
	nacre --root frozen graph tar --spool -q "$(nacre inspect app:1 | jq -r '.[0].layers[0].chain_id')" | tar -t >/dev/null
	umount frozen
}
