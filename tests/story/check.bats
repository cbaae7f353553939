# Damage is found, by its right name, and nothing else is.
load helpers

# What nacre check says is wrong: the kinds, one a line.
kinds() {
	run --separate-stderr nacre check --json
	[ "$status" = 0 ] || [ "$status" = 65 ] || { echo "$stderr"; return 1; }
	jq -r '.findings[].kind' <<<"$output" | sort -u | tr '\n' ' '
}

finds() { # KIND…: these and no others
	is "$(kinds)" "$(printf '%s\n' "$@" | sort | tr '\n' ' ')"
}

sound() {
	run nacre check
	[ "$status" = 0 ] || { echo "$output"; return 1; }
}

# The store with app:1 in it, and a copy of it, pristine; $image, $top and $base are the directories of its nodes.
fill() {
	[ -e app.tar ] || make_app app.tar
	nacre load -q -i app.tar >/dev/null
	image=$NACRE_ROOT/graph/$(nacre inspect app:1 | jq -r '.[0].id[7:]')
	top=$NACRE_ROOT/graph/$(nacre inspect app:1 | jq -r '.[0].layers[1].chain_id')
	base=$NACRE_ROOT/graph/$(nacre inspect app:1 | jq -r '.[0].layers[0].chain_id')
	[ -e pristine ] || cp -a "$NACRE_ROOT" pristine
}

# damaged KIND COMMAND…: a store that COMMAND damages has this finding alone
damaged() {
	local kind=$1
	shift
	rm -rf "$NACRE_ROOT"
	cp -a pristine "$NACRE_ROOT"
	"$@"
	finds $kind
}

put() { # TEXT FILE
	printf '%s' "$1" >"$2"
}

flip() { # FILE OFFSET: another byte there; below 0: from the end
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]), 0 if int(sys.argv[2]) >= 0 else 2)
    byte = f.read(1)[0]
    f.seek(-1, 1)
    f.write(bytes([byte ^ 0x55]))' "$1" "$2"
}

@test "a sound store, an empty one and none" {
	fails 2 nacre check
	fill
	sound
	has "$output" "Sound: 3 nodes, 1 names"
	put x "$top/tarsize"
	run nacre check -q
	is "$status" 65
	is "$output" ""
	nacre check --repair -q
	nacre rmi app:1 >/dev/null
	sound
}

@test "files of nodes" {
	with_trees
	fill
	damaged json-damaged put '{' "$top/json"
	damaged json-damaged rm "$top/json"
	damaged json-damaged truncate -s 20 "$base/json"
	damaged diffid-damaged put sha256:00 "$top/diffid"
	damaged diffid-damaged rm "$top/diffid"
	if [ -e "$top/tar-data.json.gz" ]; then
		damaged record-missing rm "$top/tar-data.json.gz"
		damaged record-damaged put zeros "$top/tar-data.json.gz"
	fi
	damaged tarsize-damaged put -1 "$top/tarsize"
	damaged layersize-damaged rm "$top/layersize"
	damaged config-damaged put '{}' "$image/config"
	damaged config-damaged sed -i 's/web/bew/' "$image/config"
	damaged "node-damaged parent-missing tree-stray" eval 'rm -r "$top" && touch "$top"'
	damaged "catalog-stale parent-missing tree-stray" rm -r "$base"
	damaged layers-wrong sed -i "s/${top##*/}/${base##*/}/" "$image/json"
	run nacre check
	has "$output" "layers-wrong: $(basename "$image" | cut -c 1-12): graph/${image##*/}/json: "
	rm -rf "$NACRE_ROOT"
	fill
	sed -i "s/\"created\"/\"parent\":\"${top##*/}\",\"created\"/" "$base/json"
	has "$(kinds)" parent-cycle
}

@test "names, sessions and writable layers" {
	fill
	damaged name-damaged put '{' "$NACRE_ROOT/names/docker.io/library/app/_tags/1"
	damaged "catalog-stale name-dangling" sed -i "s/${image##*/}/$(printf '%064d' 7)/" "$NACRE_ROOT/names/docker.io/library/app/_tags/1"
	rm -rf "$NACRE_ROOT"
	fill
	nacre hold --session keep app:1 >/dev/null
	sound
	sed -i "s/${image##*/}/$(printf '%064d' 7)/" "$NACRE_ROOT/holds/keep"
	finds hold-dangling
	put '{' "$NACRE_ROOT/holds/keep"
	finds hold-damaged
}

@test "trees, blobs and stages" {
	with_trees
	fill
	path() { nacre graph path "${top##*/}"; }
	damaged tree-missing eval 'tree=$(path); rm -r "${tree%/diff}"'
	damaged tree-stray eval 'tree=$(path); tree=${tree%/diff}; cp -a "$tree" "${tree%/*}/$(printf "%064d" 7)"'
	damaged blob-stray put x "$NACRE_ROOT/blobs/sha256/$(printf '%064d' 7)"
	damaged stage-stray mkdir -p "$NACRE_ROOT/graph/_tmp/$(printf '%032d' 7)"
	nacre tag app:1 app:2	# whoever writes clears it away
	sound
}

@test "what overlay keeps beside a tree" {
	NACRE_DRIVER=overlay nacre info >/dev/null && nacre info --json | jq -e '.drivers[] | select(.name == "overlay") | .works' ||
		skip "no overlay here"
	export NACRE_DRIVER=overlay
	fill
	damaged tree-layout put x "$NACRE_ROOT/overlay/${top##*/}/link"
	damaged tree-layout rm "$NACRE_ROOT/overlay/${top##*/}/lower"
	damaged tree-layout eval 'rm "$NACRE_ROOT/overlay/l/$(cat "$NACRE_ROOT/overlay/${top##*/}/link")"'
}

@test "the catalog" {
	fill
	damaged catalog-missing rm "$NACRE_ROOT/catalog.db"
	damaged catalog-damaged put garbage "$NACRE_ROOT/catalog.db"
	rm -rf "$NACRE_ROOT"
	fill
	mkdir old
	cp "$NACRE_ROOT"/catalog.db* old
	nacre tag app:1 app:2
	cp old/* "$NACRE_ROOT"
	finds catalog-stale
	rm "$NACRE_ROOT/catalog.db"
	nacre images >/dev/null
	sound
}

@test "a check changes nothing" {
	fill
	nacre tag app:1 app:2
	rm "$NACRE_ROOT/catalog.db"
	mkdir "$NACRE_ROOT/graph/_tmp/$(printf '%032d' 7)"
	find "$NACRE_ROOT" -printf '%p %i %C@ %s\n' | sort >before
	run nacre check
	is "$status" 65
	find "$NACRE_ROOT" -printf '%p %i %C@ %s\n' | sort >after
	diff before after
}

@test "no false alarms while others load, tag, hold and remove" {
	make_app app.tar
	make_image docker other.tar --name other:1 --dir etc --file etc/motd=hello --layer --file b=new
	for archive in app other; do
		for _ in 1 2 3 4 5 6; do
			nacre load -q -i $archive.tar && nacre tag $archive:1 $archive:2 && nacre hold --session $archive $archive:1 &&
				nacre release $archive && nacre rmi -f $archive:1 $archive:2 || true
		done >/dev/null 2>&1 3>&- &
	done
	while [ -n "$(jobs -rp)" ]; do
		run --separate-stderr nacre check
		[ "$status" = 0 ] || [ "$status" = 2 ] || { echo "$output$stderr"; return 1; }
	done
	wait
	sound
}

# full_finds KIND PATTERN: a full check finds this alone, and says it so; a quick one nothing
full_finds() {
	sound
	run --separate-stderr nacre check --full --progress none --json
	is "$status" 65
	is "$(jq -r '[.findings[].kind] | unique | join(" ")' <<<"$output")" "$1"
	has "$(jq -r '.findings[] | "/\(.path) \(.text)"' <<<"$output")" "$2"
}

whole() {
	run --separate-stderr nacre check --full --progress none
	[ "$status" = 0 ] || { echo "$output"; return 1; }
}

# What the image shows, with all that a tree has.
tree_print() {
	nacre ls -R --json app:1:/ | jq -S 'map(del(.links))'
	nacre cat app:1:/etc/motd
}

@test "what only a full check sees in a tree is mended out of the tree itself" {
	need_root
	local tree command
	for NACRE_DRIVER in overlay vfs; do
		export NACRE_DRIVER
		nacre info --json | jq -e --arg d $NACRE_DRIVER '.drivers[] | select(.name == $d) | .works' >/dev/null || continue
		rm -rf "$NACRE_ROOT"
		fill
		whole
		tree_print >before
		while IFS='|' read -r command words; do
			tree=$(nacre graph path "${top##*/}")
			eval "$command"
			full_finds tree-damaged "$words"
			run nacre check --full --repair --progress none
			is "$status" 0
			has "$output" "repaired: tree-damaged: "
			whole
			tree_print | diff before -
		done <<-'DONE'
			chmod 600 "$tree/etc/motd"|/etc/motd its mode
			chown 5:7 "$tree/etc/new"|/etc/new its owner
			touch -d 2001-01-01 "$tree/etc/motd"|/etc/motd its time
			setfattr -n user.some -v thing "$tree/etc/motd"|/etc/motd its attributes
			touch -r "$tree/etc" ref; touch "$tree/etc/stray"; touch -r ref "$tree/etc"|/etc/stray it is no part
			mkdir -m 755 "$tree/dir"|/dir it is no part
		DONE
		is_clean
	done
}

@test "contents that are damaged need a source" {
	local tree
	with_trees
	fill
	tree_print >before
	for command in 'printf CHANGED >"$tree/etc/motd"' 'truncate -s 3 "$tree/etc/motd"' 'rm "$tree/etc/motd"' \
		'rm "$tree/etc/motd"; mkdir "$tree/etc/motd"' 'truncate -s 50 "$top/tar-data.json.gz"'; do
		tree=$(nacre graph path "${top##*/}")
		eval "$command"
		full_finds content-damaged "${top##*/}"
		run nacre check --full --repair --progress none
		is "$status" 65
		has "$output" "give --from"
		nacre load -q -i app.tar >/dev/null	# which reads nothing that is there
		run nacre check --full --progress none
		is "$status" 65
		run nacre check --repair --from docker-archive:app.tar --progress none
		is "$status" 0
		whole
		tree_print | diff before -
	done
	printf CHANGED >"$(nacre graph path "${top##*/}")/etc/motd"
	nacre load -q --repair -i app.tar >/dev/null
	whole
	tree_print | diff before -
	is "$(nacre inspect app:1 | jq -r '.[0].id[7:]')" "${image##*/}"
	is_clean
}

@test "what erofs keeps: tar, index and merged index are found damaged, and mended" {
	works erofs || skip "no erofs here"
	export NACRE_DRIVER=erofs
	local command kind from tree
	fill
	tree=$NACRE_ROOT/erofs/${top##*/}
	tree_print >before
	path=$(nacre mount app:1)
	(cd "$path" && find . -type f -exec sha256sum {} + | sort) >mounted
	nacre umount -a
	whole
	# what the layer itself proves needs no source
	while read -r kind command; do
		eval "$command"
		finds "$kind"
		run nacre check --repair --progress none
		[ "$status" = 0 ] || { echo "$command: $output"; return 1; }
		whole
		tree_print | diff before -
		path=$(nacre mount app:1)
		(cd "$path" && find . -type f -exec sha256sum {} + | sort) | diff mounted -
		nacre umount -a
	done <<-'DONE'
		tree-layout rm "$tree/index"
		tree-layout truncate -s 1000 "$tree/index"
		tree-layout truncate -s -512 "$tree/index"
		tree-layout flip "$tree/index" 1200
		tree-layout flip "$tree/index" -700
		tree-layout flip "$tree/merged" -700
		tree-layout truncate -s 100 "$tree/merged"
		tree-layout rm "$tree/lower"
		tree-layout put zzz "$tree/lower"
	DONE
	for command in 'flip "$tree/tar" 600' 'truncate -s -512 "$tree/tar"' 'rm "$tree/tar"' 'rm -r "$tree"' \
		'flip "${tree%/*}/${base##*/}/tar" 5'; do
		eval "$command"
		run nacre check --full --progress none
		is "$status" 65
		run nacre check --repair --progress none --from docker-archive:app.tar
		[ "$status" = 0 ] || { echo "$command: $output"; return 1; }
		whole
		tree_print | diff before -
		path=$(nacre mount app:1)
		(cd "$path" && find . -type f -exec sha256sum {} + | sort) | diff mounted -
		nacre umount -a
	done
	is_clean
}

@test "a source mends layers of what is there, and brings nothing else" {
	local tree
	with_trees
	fill
	make_image docker other.tar --name other:1 --dir etc --file etc/motd=hello
	nacre load -q -i other.tar >/dev/null
	nacre save --format oci-dir -o both app:1 other:1
	nacre rmi other:1 >/dev/null
	nacre tag app:1 app:2
	store_print | grep -v "${top##*/}" >before
	tree=$(nacre graph path "${top##*/}")
	rm -r "${tree%/diff}"
	run nacre check --repair --from oci:both --progress none
	is "$status" 0
	whole
	is "$(nacre images -q | sort -u | grep -c '')" 1
	store_print | grep -v "${top##*/}" | diff before -
	# the wrong source changes nothing
	tree=$(nacre graph path "${top##*/}")
	rm -r "${tree%/diff}"
	run --separate-stderr nacre check --repair --from docker-archive:other.tar --progress none
	is "$status" 65
	has "$output" tree-missing
	run --separate-stderr nacre check --repair --from docker-archive:none.tar --progress none
	has "$stderr" none.tar
	nacre check --repair --from oci:both --progress none >/dev/null
	# nothing is seen to be wrong without reading it all, but what was asked for was not done
	run --separate-stderr nacre check --repair --from docker-archive:none.tar --progress none
	is "$status" 1
	has "$output" Sound
	fails 64 nacre check --from oci:both
}

@test "a kept blob mends its layer, and is checked itself" {
	local tree blob
	with_trees
	fill
	nacre save --format oci-dir --compression gzip -o packed app:1
	rm -rf "$NACRE_ROOT"
	nacre load -q -i packed >/dev/null
	tree_print >before
	whole
	has "$output" "2 blobs"
	tree=$(nacre graph path "${base##*/}")
	rm -r "${tree%/diff}"
	run nacre check --repair --progress none
	is "$status" 0
	tree_print | diff before -
	blob=$(find "$NACRE_ROOT/blobs" -type f | head -1)
	printf x >>"$blob"
	full_finds blob-damaged "blobs/sha256/${blob##*/}"
	run nacre check --full --repair --progress none
	is "$status" 0
	has "$output" "set aside: blob-damaged: "
	has "$output" "1 files lie in aside/"
	is "$(cat "$NACRE_ROOT"/aside/*/from)" "blobs/sha256/${blob##*/}"
	mv "$NACRE_ROOT"/aside/*/item "$NACRE_ROOT/$(cat "$NACRE_ROOT"/aside/*/from)"
	full_finds blob-damaged "blobs/sha256/${blob##*/}"
}

@test "what is proved by something else is written again" {
	fill
	store_print >before
	for command in 'put { "$top/json"' 'rm "$image/json"' 'rm "$base/diffid"' 'put x "$top/tarsize"' 'rm "$base/layersize"' \
		'sed -i "s/${top##*/}/${base##*/}/" "$image/json"' 'rm "$NACRE_ROOT/catalog.db"' 'put garbage "$NACRE_ROOT/catalog.db"' \
		'sed -i "s/\"created\"/\"parent\":\"${top##*/}\",\"created\"/" "$base/json"' \
		'mkdir "$NACRE_ROOT/graph/_tmp/$(printf "%032d" 7)"' 'put x "$NACRE_ROOT/blobs/sha256/$(printf "%064d" 7)"'; do
		eval "$command"
		run nacre check --repair --progress none
		[ "$status" = 0 ] || { echo "$command: $output"; return 1; }
		whole
		store_print | diff before - || { echo "$command"; return 1; }
	done
	is_clean
}

@test "names that mean nothing are set aside, and can be put back" {
	fill
	cp "$NACRE_ROOT/names/docker.io/library/app/_tags/1" name
	put '{' "$NACRE_ROOT/names/docker.io/library/app/_tags/1"
	run nacre check --repair
	is "$status" 0
	has "$output" "set aside: name-damaged: "
	is "$(nacre images --json | jq '.[0].names | length')" 0
	is "$(cat "$NACRE_ROOT"/aside/*/from)" names/docker.io/library/app/_tags/1
	cp name "$NACRE_ROOT/$(cat "$NACRE_ROOT"/aside/*/from)"
	nacre check --rebuild >/dev/null
	is "$(nacre images --json | jq -r '.[0].repo_tags[]')" app:1
}
