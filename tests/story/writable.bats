load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

load_app() {
	make_app app.tar
	id=$(nacre load -q app.tar)
}

layers_of() {
	nacre inspect "$1" | jq -r '.[0].layers | length'
}

@test "create, write, look, commit, remove" {
	load_app
	made=$(nacre create app:1 work)
	is "${#made}" 64
	is "$(nacre containers --format '{{.Name}} {{.Image}} {{.Path}}')" "work app:1 "
	is "$(nacre diff work)" ""
	root=$(nacre mount work)
	is "$(nacre mount work)" "$root"
	is "$(nacre containers --json | jq -r '.[0] | "\(.id) \(.image) \(.path)"')" "$made $id $root"
	is "$(nacre mount --format '{{.Name}}')" work
	echo mine >"$root/etc/mine"
	echo more >>"$root/etc/motd"
	rm "$root/data"
	mkdir -m 700 "$root/dir"
	ln "$root/etc/mine" "$root/dir/link"
	nacre umount work
	[ ! -e "$root" ]
	has "$(nacre diff work | paste -sd ' ')" "D /data A /dir A /dir/link"
	has "$(nacre diff work | paste -sd ' ')" "A /etc/mine C /etc/motd"
	is "$(nacre cat work:/etc/mine)" mine
	is "$(nacre cat app:1:/etc/motd)" changed
	image=$(nacre commit -q -m 'my work' -a 'A. Uthor' -c 'CMD ["/bin/mine"]' -c 'ENV ON=1' work app:2)
	is "$(nacre cat app:2:/etc/motd)" changedmore
	is "$(layers_of app:2)" 3
	is "$(nacre inspect app:2 | jq -c '.[0].config.cmd')" '["/bin/mine"]'
	has "$(nacre inspect app:2 | jq -c '.[0].config.env')" ON=1
	nacre inspect app:2 | jq -e '.[0].author == "A. Uthor" and .[0].config.labels.team == "web"'
	has "$(nacre history --no-trunc app:2 | sed -n 2p)" "nacre commit"
	nacre history --json app:2 | jq -e '.[0].comment == "my work"'
	is "$(nacre diff app:2 | sort)" "$(nacre diff work | sort)"
	nacre export app:2 | tar -tf - >listed
	refute grep -qx data listed
	[ -n "$image" ]
	nacre rm work
	is "$(nacre containers -q)" ""
	fails 2 nacre rm work
	nacre rm -f work
	nacre rmi app:1 app:2 >/dev/null
	is_clean
}

@test "the same changes are the same layer, and none are no layer" {
	load_app
	export SOURCE_DATE_EPOCH=1700000000
	for name in one two; do
		nacre create app:1 $name >/dev/null
		root=$(nacre mount $name)
		echo new >"$root/new"
		setfattr -n user.key -v value "$root/new" 2>/dev/null || true
		touch -d @1000.5 "$root/new" "$root"
		nacre umount $name
	done
	is "$(nacre commit -q one)" "$(nacre commit -q two)"
	image=$(nacre commit -q one)
	diff_id=$(nacre inspect "$image" | jq -r '.[0].layers[-1].diff_id')
	is "sha256:$(nacre diff --tar - one | sha256sum | cut -d ' ' -f 1)" "$diff_id"
	is "$(nacre graph tar "$(nacre inspect "$image" | jq -r '.[0].layers[-1].chain_id')" | sha256sum | cut -d ' ' -f 1)" \
		"${diff_id#sha256:}"
	nacre create app:1 none >/dev/null
	nacre commit -q -m nothing none same:1 >/dev/null
	is "$(layers_of same:1)" "$(layers_of app:1)"
	nacre history --json same:1 | jq -e '.[0].empty_layer and .[0].comment == "nothing"'
	is "$(nacre inspect same:1 | jq -r '.[0].created')" "2023-11-14T22:13:20Z"
}

@test "a commit can be saved and loaded elsewhere" {
	load_app
	nacre create app:1 work >/dev/null
	root=$(nacre mount work)
	echo new >"$root/etc/new file"
	rm "$root/etc/motd"
	# while it is mounted, too
	nacre commit -q work app:2 >/dev/null
	nacre save -q -o out.tar app:2
	NACRE_ROOT=$work/other nacre load -q out.tar
	is "$(NACRE_ROOT=$work/other nacre ls -R app:2 | paste -sd ' ')" "$(nacre ls -R work | paste -sd ' ')"
	NACRE_ROOT=$work/other nacre cat 'app:2:/etc/new file' | grep -qx new
}

@test "names, and what is in use" {
	load_app
	nacre create app:1 work >/dev/null
	fails 1 nacre create app:1 work
	says work
	for bad in '' -x .x a/b "$(printf 'x%.0s' {1..65})" "$id"; do
		fails 1 nacre create app:1 -- "$bad" || fails 64 nacre create app:1 -- "$bad"
	done
	fails 2 nacre create missing other
	fails 2 nacre commit other
	fails 1 nacre rmi app:1
	says "writable layer 'work'"
	fails 1 nacre rmi -f "$id"
	nacre tag app:1 app:again
	nacre rmi app:again >/dev/null
	mkdir here there
	nacre mount work here >/dev/null
	fails 1 nacre rm work
	says "$work/here"
	fails 75 nacre mount work there
	nacre umount here
	nacre mount work there >/dev/null
	nacre rm -f work
	refute grep -q "$work/there" /proc/self/mountinfo
	nacre rmi app:1 >/dev/null
}

@test "on an image of 2015" {
	make_image docker one.tar --name one --file a=1
	nacre load -q one.tar
	nacre export -q one >base.tar
	base=$(nacre graph create -q --config '{"Env":["A=1"]}' base.tar)
	nacre tag "$base" old:1
	nacre create old:1 work >/dev/null
	root=$(nacre mount work)
	echo new >"$root/new"
	made=$(nacre commit -q -m 'as then' -c 'CMD ["/a"]' work old:2)
	is "${#made}" 64
	nacre graph raw "$made" | jq -e --arg base "$base" '.parent == $base and .config.Cmd == ["/a"] and .config.Env == ["A=1"] and
		.comment == "as then" and .Size == 4 and (.container | length) == 64'
	is "$(nacre ls old:2 | paste -sd ' ')" "a new"
	nacre umount work
}

@test "two at once get one name" {
	load_app
	for _ in 1 2 3 4; do
		nacre create app:1 work >>made 2>>failed &
	done
	wait
	is "$(grep -c '' made)" 1
	is "$(nacre containers -q --no-trunc)" "$(cat made)"
	is "$(find "$NACRE_ROOT/writable" -mindepth 1 -maxdepth 1 | grep -c '')" 1
	is_clean
}

@test "killed while it is made or removed, nothing half is left" {
	load_app
	for delay in 0.001 0.004 0.008 0.012 0.02 0.03; do
		killed_after $delay "$NACRE" create app:1 work >/dev/null 2>&1 || true
		for made in $(nacre containers -q --no-trunc); do
			is "$(nacre cat work:/etc/motd)" changed
			killed_after $delay "$NACRE" rm work >/dev/null 2>&1 || true
		done
		nacre rm -f work
		is "$(nacre containers -q)" ""
		is "$(find "$NACRE_ROOT/writable" -mindepth 1 2>/dev/null | head -1)" ""
	done
	nacre create app:1 work >/dev/null
	nacre rm work
	is_clean
}

@test "a description that is damaged is passed over" {
	load_app
	made=$(nacre create app:1 work)
	nacre create app:1 other >/dev/null
	echo '{"name":"work","image":"../..","created":"now"}' >"$NACRE_ROOT/writable/$made/writable.json"
	is "$(nacre containers --format '{{.Name}}')" other
	fails 2 nacre mount work
	nacre rm "$made"
	is "$(find "$NACRE_ROOT/writable" -mindepth 1 -maxdepth 1 | grep -c '')" 1
}

@test "vfs, an empty image, and a driver without any" {
	make_app app.tar
	export NACRE_ROOT=$work/vfs NACRE_DRIVER=vfs
	nacre load -q app.tar
	nacre create app:1 work >/dev/null
	root=$(nacre mount work)
	echo vfs >"$root/etc/vfs"
	nacre umount work
	is "$(nacre diff work | paste -sd ' ')" "A /etc/vfs" || has "$(nacre diff work | paste -sd ' ')" "A /etc/vfs"
	nacre commit -q work app:2 >/dev/null
	is "$(nacre cat app:2:/etc/vfs)" vfs
	nacre df --json | jq -e '.rubbish_bytes == 0'
}
