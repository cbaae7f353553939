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
	run nacre check -q
	is "$status" 65
	is "$output" ""
}

sound() {
	run nacre check
	[ "$status" = 0 ] || { echo "$output"; return 1; }
}

# The store with app:1 in it; $image, $top and $base are the directories of its nodes.
fill() {
	[ -e app.tar ] || make_app app.tar
	nacre load -q -i app.tar >/dev/null
	image=$NACRE_ROOT/graph/$(nacre inspect app:1 | jq -r '.[0].id[7:]')
	top=$NACRE_ROOT/graph/$(nacre inspect app:1 | jq -r '.[0].layers[1].chain_id')
	base=$NACRE_ROOT/graph/$(nacre inspect app:1 | jq -r '.[0].layers[0].chain_id')
}

# damaged KIND COMMAND…: a store that COMMAND damages has this finding alone
damaged() {
	local kind=$1
	shift
	rm -rf "$NACRE_ROOT"
	fill
	sound
	"$@"
	finds $kind
}

put() { # TEXT FILE
	printf '%s' "$1" >"$2"
}

@test "a sound store, an empty one and none" {
	fails 2 nacre check
	fill
	sound
	has "$output" "Sound: 3 nodes, 1 names"
	nacre rmi app:1 >/dev/null
	sound
}

@test "files of nodes" {
	fill
	damaged json-damaged put '{' "$top/json"
	damaged json-damaged rm "$top/json"
	damaged json-damaged truncate -s 20 "$base/json"
	damaged diffid-damaged put sha256:00 "$top/diffid"
	damaged diffid-damaged rm "$top/diffid"
	damaged record-missing rm "$top/tar-data.json.gz"
	damaged record-damaged put zeros "$top/tar-data.json.gz"
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
	cp "$NACRE_ROOT/catalog.db" old.db
	nacre tag app:1 app:2
	cp old.db "$NACRE_ROOT/catalog.db"
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
