# A root directory of Docker 1.6 to 1.9 opens as it is: read, exported, saved, mounted, added to, deleted from.
load helpers

old_root() { # [OPTION…]: the root in $root, the layers' tars in out/
	root=$work/store
	need_root
	"$stories/../root2015/make.py" "$root" out "$@"
	before=$(root_print)
}

# All that lies there: names, types, modes, owners, times, and what is in the files.
root_print() {
	(cd "$root" && find . -printf '%p %y %m %U:%G %T@ %s %l\n' | sort && find . -type f -exec sha256sum {} + | sort -k 2)
}

unchanged() {
	diff <(printf '%s\n' "$before") <(root_print)
}

id_of() {
	awk -v name="$1" '$1 == name { print $2 }' out/ids
}

exports_exactly() { # NAME…
	local name
	for name in "$@"; do
		nacre graph tar "$(id_of "$name")" | cmp - "out/$name.tar"
	done
}

# Its tar cannot be had, and the reason is said.
damaged() { # NAME REASON
	run --separate-stderr sh -c '"$NACRE" graph tar "$1" >part.tar' - "$(id_of "$1")"
	is "$status" 65
	says "$(id_of "$1" | cut -c1-12)"
	says "$2"
}

@test "looking changes not a byte" {
	old_root
	is "$(nacre images --format '{{.Name}}' | sort)" \
		"$(printf '%s\n' registry.example.org:5000/team/other:v1 web:1.0 web:latest)"
	is "$(nacre images -q --no-trunc web:1.0)" "$(id_of app)"
	is "$(nacre history --format '{{.CreatedBy}}' web | wc -l)" 3
	has "$(nacre history web)" 'COPY new files <&>'
	nacre inspect web >/dev/null
	nacre tree >/dev/null
	nacre df >/dev/null
	nacre info >/dev/null
	is "$(nacre cat web:/etc/motd)" changed
	is "$(nacre cat web:/lib/libx)" 'a library'
	hasnt "$(nacre ls web:/etc)" old
	exports_exactly base app top other
	nacre save -o saved.tar web:latest
	unchanged
}

@test "records of every release of old" {
	for writer in 0.9.4 0.9.6 0.9.11; do
		rm -rf store out
		old_root --writer $writer
		exports_exactly base app top other
		unchanged
	done
}

@test "what the writers of records got wrong is mended where that is proved, else named" {
	for writer in 0.9.4 0.9.6 0.9.11; do
		rm -rf store out
		old_root --writer $writer --bad faults
		exports_exactly base long pax latin end0 end1 end1even trailing-zeros linked plnk
		[ $writer != 0.9.4 ] || damaged lostlong 'does not fit its tar header'
		damaged endless 'the end of its archive'
		damaged global pax_global_header
		damaged body .wh.data
		unchanged
	done
}

@test "a record that does not fit the files is never replaced by the difference" {
	old_root --bad record
	damaged cut 'gzip stream ends early'
	damaged changed "'f' has other content"
	damaged shorter "'g' has 3 bytes instead of 7"
	damaged gone "'h'"
	refute nacre save -o saved.tar "$(id_of changed)"
	[ ! -e saved.tar ]
	is "$(nacre cat "$(id_of changed):/f")" kontent
	unchanged
}

@test "before Docker 1.8 there were no records: the layer is what its tree changed" {
	old_root --writer none
	is "$(nacre graph tar "$(id_of app)" | tar -t | sort | paste -sd' ')" 'etc/.wh.old etc/motd etc/new usr/lib/ usr/lib/libx'
	nacre graph tar "$(id_of app)" >once
	nacre graph tar "$(id_of app)" | cmp - once
	is "$(nacre images | wc -l)" 4
	nacre save -o saved.tar web:1.0
	unchanged
	nacre --root "$work/other" load -q -i saved.tar
	is "$(nacre --root "$work/other" cat web:1.0:/etc/motd)" changed
	refute nacre --root "$work/other" cat web:1.0:/etc/old
	is "$(nacre --root "$work/other" ls -lR web:1.0 | grep -v ' \.$')" "$(nacre ls -lR web:1.0 | grep -v ' \.$')"
}

@test "trees of the drivers overlay and aufs" {
	for driver in overlay aufs; do
		rm -rf store out
		old_root --driver $driver
		is "$(nacre images --format '{{.Name}}' | sort | paste -sd,)" \
			registry.example.org:5000/team/other:v1,web:1.0,web:latest
		exports_exactly base app top other
		is "$(nacre cat web:/lib/libx)" 'a library'
		hasnt "$(nacre ls web:/etc)" old
		nacre save -o saved-$driver.tar web:latest web:1.0
		unchanged
	done
	cmp saved-overlay.tar saved-aufs.tar
}

@test "adopted at the first change, and nothing of Docker's is touched" {
	old_root
	nacre tag web:1.0 web:2.0
	is "$(nacre images --format '{{.Name}}' | sort)" \
		"$(printf '%s\n' registry.example.org:5000/team/other:v1 web:1.0 web:2.0 web:latest)"
	is "$(jq -r .driver,.adopted store/nacre.json | paste -sd,)" vfs,docker
	exports_exactly base app top other
	nacre untag web:2.0
	# what was there is there still: only directories that something was added to have another time
	printf '%s\n' "$before" | awk '!/^\.(\/graph|\/graph\/_tmp)? /' >old
	root_print >new
	is "$(grep -vxFf new old)" ''
	rm -rf store/catalog.db*
	is "$(nacre images -q | wc -l)" 3
}

@test "saved and loaded elsewhere" {
	old_root
	nacre save -o saved.tar web:latest web:1.0
	nacre --root "$work/other" load -q -i saved.tar
	is "$(nacre --root "$work/other" images --format '{{.Name}}' | sort | paste -sd,)" web:1.0,web:latest
	is "$(nacre --root "$work/other" cat web:1.0:/etc/motd)" changed
	is "$(nacre --root "$work/other" inspect web | jq -r '.[0].layers[0].diff_id')" \
		"sha256:$(sha256sum <out/base.tar | cut -d' ' -f1)"
	unchanged
}

@test "mounted, deleted from, added to" {
	old_root
	mkdir mnt
	nacre mount web mnt
	is "$(cat mnt/etc/motd)" changed
	fails 1 nacre rmi web:latest
	says mounted
	nacre umount mnt
	make_app app.tar
	nacre load -q -i app.tar
	tar -cf more.tar -C mnt .
	child=$(nacre graph register --parent "$(id_of app)" --id "$(sha256sum <more.tar | cut -d' ' -f1)" -q <more.tar)
	is "$(nacre cat "$child:/etc/new")" new
	fails 1 nacre graph delete "$(id_of app)"
	nacre graph delete "$child"
	is "$(nacre cat app:1:/etc/motd)" changed
	nacre rmi web:latest >/dev/null
	refute nacre graph json "$(id_of top)"
	[ ! -e "store/vfs/dir/$(id_of top)" ]
	exports_exactly base app other
	nacre rmi web:1.0 >/dev/null
	[ ! -e "store/vfs/dir/$(id_of app)" ]
	exports_exactly base other
	nacre rmi registry.example.org:5000/team/other:v1 >/dev/null
	is "$(nacre images --format '{{.Name}}')" app:1
	# containers are not ours to remove
	[ "$(find store/vfs/dir -mindepth 1 -maxdepth 1 -name '*-init' | wc -l)" = 1 ]
	[ -e store/graph/_tmp/*/json ]
}

@test "hostile nodes are named, and everything else works" {
	old_root --bad lies --bad missing_parent --bad cycle --bad self --bad types --bad nul --bad nesting --bad no_json \
		--bad no_tree --bad no_node --bad layersize
	run --separate-stderr nacre images --format '{{.Name}}'
	is "$status" 0
	is "$(printf '%s\n' "$output" | grep -c :)" 3
	has "$stderr" damaged
	exports_exactly base app top other size0 size3 nosize
	has "$(nacre graph ls --json | jq -r '.[] | select(.damaged) | .id')" "$(id_of lies)"
	is "$(nacre graph get "$(id_of size3)" | jq .size)" 0
	is "$(nacre history --json "$(id_of size3)" | jq '.[0].size')" 0
	nacre tree >/dev/null 2>&1
	nacre df >/dev/null
	unchanged
	nacre tag web:1.0 web:2.0
	nacre rmi registry.example.org:5000/team/other:v1 >/dev/null
	exports_exactly base app top
	for name in lies orphan ring1 ring2 ring3 self types nul deep nojson; do
		[ -d "store/graph/$(id_of $name)" ]
	done
	# asked for, they go
	nacre graph delete "$(id_of lies)"
	[ ! -e "store/graph/$(id_of lies)" ]
	for name in self ring1 ring2 ring3 types deep emptyjson; do
		nacre graph delete "$(id_of $name)"
		[ ! -e "store/graph/$(id_of $name)" ]
		[ ! -e "store/vfs/dir/$(id_of $name)" ]
	done
	fails 1 nacre graph delete "$(id_of base)"
	exports_exactly base app top
}

@test "old and young spellings of a description" {
	old_root --bad old
	for name in command case trailing nine ninefile undated; do
		is "$(nacre history --format '{{.CreatedBy}}' "$(id_of $name)" | wc -l)" 2
		exports_exactly $name
		nacre save -o saved.tar "$(id_of $name)"
	done
	is "$(nacre inspect "$(id_of case)" | jq -r '.[0].author')" last
	unchanged
}

@test "names that lead nowhere, and a list of names that is cut off" {
	old_root --bad names
	run --separate-stderr nacre images --format '{{.Name}}'
	is "$status" 0
	has "$stderr" "web:gone"
	unchanged
	nacre tag web:1.0 web:2.0
	run --separate-stderr nacre images --format '{{.Name}}'
	has "$stderr" "web:gone"
	rm store/nacre.left-out
	run --separate-stderr nacre images --format '{{.Name}}'
	is "$stderr" ''
	rm -rf store out
	old_root --bad repositories
	run --separate-stderr nacre images
	is "$status" 0
	has "$stderr" repositories-vfs
	exports_exactly base app top other
	unchanged
}

@test "several drivers, and drivers that nacre does not read" {
	old_root
	mkdir -p store/overlay
	is "$(nacre images -q | wc -l)" 3
	echo '{"Repositories":{}}' >store/repositories-overlay
	fails 1 nacre images
	says "vfs, overlay"
	is "$(nacre --driver vfs images -q | wc -l)" 3
	rm -r store/overlay store/repositories-overlay store/vfs store/repositories-vfs
	mkdir -p store/devicemapper/devicemapper
	run nacre images
	has "$output" "docker save"
	rm -r store/devicemapper
	fails 1 nacre images
}

# Kills the command before each call that changes a file, every fifth of them.
@test "killed during adoption, at any moment" {
	local strike n count
	strike=$(dirname "$NACRE")/tests/crash/strike
	[ -x "$strike" ] || skip "needs strike"
	local -x ASAN_OPTIONS=detect_leaks=0	# the leak checker cannot work under another tracer
	old_root
	cp -a store pristine
	run --separate-stderr "$strike" -n 0 -p "$work/store" -- "$NACRE" tag web:1.0 web:2.0
	is "$status" 0
	count=$(sed -n 's/.*counted=\([0-9]*\).*/\1/p' <<<"$stderr")
	[ "$count" -gt 20 ]
	for ((n = 1; n <= count; n += 5)); do
		rm -rf store
		cp -a pristine store
		"$strike" -n $n -m before -p "$work/store" -- "$NACRE" tag web:1.0 web:2.0 2>/dev/null || true
		# a root of 2015, or an adopted one
		[ -e store/nacre.json ] || [ "$(nacre images --format '{{.Name}}' | wc -l)" = 3 ]
		nacre tag web:1.0 web:3.0
		is "$(nacre images --format '{{.Name}}' | grep -vx web:2.0 | sort | paste -sd,)" \
			registry.example.org:5000/team/other:v1,web:1.0,web:3.0,web:latest
		[ ! -e store/nacre.tmp ]
	done
	exports_exactly base app top other
}

@test "adopted by several at once" {
	old_root
	local i
	for i in 1 2 3 4 5; do
		nacre tag web:1.0 "web:n$i" &
	done
	wait
	is "$(nacre images --format '{{.Name}}' | grep -c '^web:n')" 5
	is "$(nacre images --format '{{.Name}}' | wc -l)" 8
}

@test "what a later Docker took over can only be read" {
	old_root
	mkdir -p store/image/vfs/layerdb
	is "$(nacre images -q | wc -l)" 3
	run nacre tag web:1.0 web:2.0
	is "$status" 1
	has "$output" 'can only be read'
	[ ! -e store/nacre.json ]
	rm -r store/image
	mkdir store/names
	run nacre tag web:1.0 web:2.0
	has "$output" "'names'"
	[ ! -e store/nacre.json ]
}

@test "all that an image of 2015 says" {
	old_root
	is "$(nacre inspect web | jq -c '.[0] | [.config.env, .config.cmd, .config.labels, .size, .v1]')" \
		'[["PATH=/bin"],["/bin/top"],{"team":"web"},10269,true]'
	is "$(nacre images -f label=team=web -q | wc -l)" 3
	is "$(nacre graph get "$(id_of app)" | jq -c '[.kind,.diff_id,.size,.parent]')" \
		"[\"layer\",null,20,\"$(id_of base)\"]"
	nacre save --format oci-dir -o layout web
	nacre --root "$work/other" load -q layout
	nacre --root "$work/other" cat web:/etc/motd | grep -qx changed
	unchanged
}

@test "written on top of" {
	old_root
	nacre create web work >/dev/null
	dir=$(nacre mount work)
	echo more >"$dir/more"
	rm "$dir/etc/new"
	is "$(nacre diff work | sort | paste -sd,)" 'A /more,D /etc/new'
	nacre umount work >/dev/null
	nacre commit work mine:1 >/dev/null
	nacre rm work >/dev/null
	is "$(nacre cat mine:1:/more)" more
	refute nacre cat mine:1:/etc/new
	is "$(nacre inspect mine:1 | jq -c '.[0].config.env')" '["PATH=/bin"]'
	is "$(nacre history --format '{{.CreatedBy}}' mine:1 | wc -l)" 4
	nacre rmi mine:1 >/dev/null
	exports_exactly base app top other
}

@test "the same once more beside it" {
	old_root
	# an archive of that time, with the IDs that lie here already
	mkdir v1
	for name in base app; do
		mkdir "v1/$(id_of $name)"
		cp "store/graph/$(id_of $name)/json" "v1/$(id_of $name)/json"
		cp "out/$name.tar" "v1/$(id_of $name)/layer.tar"
		echo -n 1.0 >"v1/$(id_of $name)/VERSION"
	done
	tar -C v1 -cf v1.tar .
	nacre load -q --keep-ids -i v1.tar
	is "$(nacre graph ls -q | wc -l)" 4
	printf x >>"v1/$(id_of app)/layer.tar"
	head -c 2048 /dev/zero >"v1/$(id_of app)/layer.tar"
	tar -C v1 -cf v1.tar .
	run nacre load -q --keep-ids -i v1.tar
	is "$status" 1
	has "$output" 'other content'
	exports_exactly base app
	# and as a today's image
	nacre load -q -i v1.tar
	is "$(nacre graph ls -q | wc -l)" 7
}

@test "trees of the driver btrfs" {
	need_root
	nacre --root "$work/none" info --json 2>/dev/null | grep -q '"btrfs"' || skip "no such driver"
	command -v mkfs.btrfs >/dev/null || skip "needs mkfs.btrfs"
	truncate -s 160M disk
	mkfs.btrfs -q disk
	mkdir store
	mount -o loop disk store
	old_root --driver btrfs
	is "$(nacre images --format '{{.Name}}' | sort | paste -sd,)" \
		registry.example.org:5000/team/other:v1,web:1.0,web:latest
	exports_exactly base app top other
	unchanged
	nacre rmi web:latest >/dev/null
	exports_exactly base app other
	umount store
}
