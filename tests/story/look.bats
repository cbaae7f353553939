load helpers

# Three images: two share a layer, one has no name.
load_three() {
	make_image docker three.tar --name base:1 --name base:latest --created 2024-01-01T00:00:00Z --file a=1 --label team=web \
		--image --name registry.example.org:5000/team/app:2 --created 2024-02-01T00:00:00Z --file a=1 --layer --file b=2 \
		--label team=api --label tier=1 \
		--image --created 2024-03-01T00:00:00Z --file c=3
	nacre load -q three.tar >ids
}

names() {
	nacre images --format '{{.Repository}}:{{.Tag}}' "$@" | paste -sd ' '
}

@test "images: rows, order, -q, --no-trunc, --digests, --noheading" {
	load_three
	is "$(nacre images | grep -c '')" 5
	is "$(names)" "<none>:<none> registry.example.org:5000/team/app:2 base:1 base:latest"
	is "$(nacre images -q | grep -c '')" 3
	is "$(nacre images -aq --no-trunc | sort)" "$(sort ids)"
	is "$(nacre images --digests | head -1 | tr -s ' ')" "REPOSITORY TAG DIGEST IMAGE ID CREATED SIZE"
	is "$(nacre images -n | grep -c '')" 4
	is "$(nacre images base | grep -c '')" 3
	is "$(nacre images base:latest | grep -c '')" 2
	nacre image ls >out
	nacre images | cmp - out
}

@test "images: filters" {
	load_three
	is "$(names --filter reference=base)" "base:1 base:latest"
	is "$(names --filter 'reference=*:latest')" "base:latest"
	is "$(names --filter 'reference=ba*' --filter 'reference=*:1')" "base:1"
	is "$(names --filter dangling=true)" "<none>:<none>"
	is "$(names --filter dangling=false)" "registry.example.org:5000/team/app:2 base:1 base:latest"
	is "$(names --filter label=team)" "registry.example.org:5000/team/app:2 base:1 base:latest"
	is "$(names --filter label=team=api)" "registry.example.org:5000/team/app:2"
	is "$(names --filter label=team --filter label=tier=1)" "registry.example.org:5000/team/app:2"
	is "$(names --filter label=team=web --filter label=tier=1)" ""
	is "$(names --filter before=registry.example.org:5000/team/app:2)" "base:1 base:latest"
	is "$(names --filter since=base:1)" "<none>:<none> registry.example.org:5000/team/app:2"
	is "$(names --filter since=base:1 --filter before="$(sed -n 3p ids)")" "registry.example.org:5000/team/app:2"
	is "$(names --filter until=2024-01-15T00:00:00Z)" "base:1 base:latest"
	is "$(names --filter until=2024-02-15T00:00:00Z --filter until=2024-01-15T00:00:00Z)" "base:1 base:latest"
	is "$(names --filter id="$(head -1 ids | cut -c 8-20)")" "base:1 base:latest"
	is "$(names --filter id="$(head -1 ids | cut -c 1-20)")" "base:1 base:latest"
	fails 64 nacre images --filter nonsense=1
	fails 64 nacre images --filter dangling=perhaps
	fails 64 nacre images --filter label
	fails 2 nacre images --filter before=missing
}

@test "images: formats" {
	load_three
	is "$(nacre images --format 'table {{.Tag}}\t{{.Repository}}' base:1 | tr -s ' ')" "TAG REPOSITORY
1 base"
	is "$(nacre images --format '{{json .}}' base:1 | jq -r .Tag)" 1
	is "$(nacre images --format json | jq length)" 3
	is "$(nacre images --format '{{if eq .Tag "1"}}one{{else}}other{{end}}' base | paste -sd ' ')" "one other"
	is "$(nacre images --format 'table {{.ID}}' --noheading base:1)" "$(nacre images -q base:1)"
	is "$(nacre images --format table base:1)" "$(nacre images base:1)"
	fails 64 nacre images --format '{{.Nope}}'
	says ".Repository .Tag"
	nacre rmi -f "$(head -1 ids)" >/dev/null
	fails 64 nacre images --format '{{.Nope}}' nothing
	fails 64 nacre images --format '{{.ID'
	nacre images --json | jq -e 'all(.[]; has("id") and has("names") and (.size | type == "number"))'
}

@test "a store that is not there is an empty one to look at, and is not made" {
	is "$(nacre images | tr -s ' ')" "REPOSITORY TAG IMAGE ID CREATED SIZE"
	is "$(nacre images --json)" "[]"
	is "$(nacre images -q)" ""
	is "$(nacre tree --json)" "[]"
	is "$(nacre mount --json)" "[]"
	is "$(nacre graph ls -q)" ""
	nacre df >/dev/null
	nacre info --json | jq -e '.exists == false and (.drivers | length) > 0'
	nacre umount -a
	fails 2 nacre inspect nothing
	says "there is no store"
	fails 2 nacre rmi nothing
	fails 2 nacre tag a b
	[ ! -e "$NACRE_ROOT" ]
}

@test "inspect: several, missing ones, docker's field names" {
	load_three
	is "$(nacre inspect base:1 base:latest | jq length)" 2
	is "$(nacre inspect --format '{{.Id}} {{.Os}} {{len .RootFS.Layers}} {{index .Config.Labels "team"}}' base:1)" \
		"$(head -1 ids) linux 1 web"
	is "$(nacre inspect --format '{{range .RepoTags}}{{.}} {{end}}' base:1)" "base:1 base:latest "
	is "$(nacre inspect --format '{{json .Config.Labels}}' base:1)" '{"team":"web"}'
	run --separate-stderr nacre inspect base:1 missing
	is "$status" 2
	is "$(jq length <<<"$output")" 1
	has "$stderr" missing
	fails 2 nacre inspect --config missing
}

@test "history and tree" {
	load_three
	is "$(nacre history --no-trunc --format '{{.CreatedBy}}' registry.example.org:5000/team/app:2 | paste -sd ,)" \
		"layer 1,layer 0"
	nacre history --json base:1 | jq -e '.[0].comment == "made by make-image" and .[0].size == 1'
	nacre tree >out
	has "$(cat out)" "2 images"
	has "$(cat out)" "base:1, base:latest"
	has "$(cat out)" "registry.example.org:5000/team/app:2"
	nacre tree --json | jq -e 'length == 3 and ([.[].images | length] | sort) == [1, 1, 2]'
	nacre tree base:1 >out
	is "$(grep -c '' out)" 3
	has "$(cat out)" "registry.example.org:5000/team/app:2"
	fails 2 nacre tree missing
	LC_ALL=C nacre tree | LC_ALL=C grep -c '[^ -~]' | grep -qx 0
}

@test "ls, cat and diff" {
	make_app app.tar
	nacre load -q app.tar
	is "$(nacre ls app:1 | paste -sd ' ')" "data etc"
	is "$(nacre ls app:1:/etc | paste -sd ' ')" "link motd new"
	is "$(nacre ls app:1 /etc | paste -sd ' ')" "link motd new"
	is "$(nacre ls -R app:1 | paste -sd ' ')" "/data /etc /etc/link /etc/motd /etc/new"
	is "$(nacre ls -l app:1:/etc/motd | tr -s ' ')" "-rw-r--r-- 1 0 0 7 2023-11-14 22:13 motd"
	has "$(nacre ls -l app:1:/etc | head -1)" "link -> motd"
	has "$(nacre ls -lh app:1:/data)" "5kB"
	nacre ls --json app:1:/etc | jq -e '.[0].target == "motd" and .[1].path == "/etc/motd" and .[1].mode == "0644"'
	is "$(nacre cat app:1:/etc/motd)" changed
	is "$(nacre cat app:1:/etc/link app:1:/etc/new)" changednew
	fails 2 nacre cat app:1:/etc/old
	fails 64 nacre cat app:1
	fails 2 nacre ls app:1:/nothing
	is "$(nacre diff app:1)" "C /etc
C /etc/motd
A /etc/new
D /etc/old" || is "$(nacre diff app:1)" "C /etc/motd
A /etc/new
D /etc/old"
	nacre diff --json app:1 | jq -e 'any(.[]; .kind == "deleted" and .path == "/etc/old")'
	make_image docker one.tar --name one --file a=1
	nacre load -q one.tar
	has "$(nacre diff app:1 one)" "A /a"
}

@test "changes as a layer, applied elsewhere" {
	make_app app.tar
	nacre load -q app.tar
	nacre diff --tar changes.tar app:1
	is "$(tar -tf changes.tar | paste -sd ' ')" "etc/.wh.old etc/motd etc/new" ||
		is "$(tar -tf changes.tar | paste -sd ' ')" "etc/ etc/.wh.old etc/motd etc/new"
	nacre diff --tar - app:1 | cmp - changes.tar
	make_image docker one.tar --name one --file a=1 --file etc/motd=one
	nacre load -q one.tar
	nacre diff -q --tar one-to-app.tar one app:1
	NACRE_ROOT=$work/other nacre load -q one.tar
	parent=$(nacre inspect one | jq -r '.[0].layers[0].chain_id')
	made=$(NACRE_ROOT=$work/other nacre graph register -q --parent "$parent" <one-to-app.tar)
	NACRE_ROOT=$work/other nacre ls -R --json "$made" >made.json
	nacre ls -R --json app:1 | cmp - made.json
	fails 64 nacre diff --json --tar x app:1
	fails 2 nacre diff --tar x missing
	refute test -e x
}

@test "names that would drive a terminal do not" {
	make_image docker bad.tar --name bad:1 --hex-file 1b5b33316d726564=x --hex-file ff=y --file $'t=a\033[31mb' \
		--by $'RUN \033]0;title\007'
	nacre load -q bad.tar
	# in a pipe names are what they are
	nacre ls bad:1 | grep -q $'\033'
	script -qec "$NACRE ls bad:1; $NACRE ls -R bad:1; $NACRE cat bad:1:/t; $NACRE history bad:1;
		$NACRE history --format '{{.CreatedBy}}' bad:1; $NACRE inspect bad:1; $NACRE ls --json bad:1" /dev/null \
		</dev/null >out
	refute grep -q $'\033\|\007' out
	has "$(cat out)" '?[31mred'
	nacre ls --json bad:1 | jq -e 'any(.[]; .path_hex == "2fff")'
}

@test "df and info tell what is there" {
	load_three
	nacre df --json | jq -e '.images == 3 and .active == 2 and .layers == 3 and
		.total_bytes == .tree_bytes + .blob_bytes + .metadata_bytes + .catalog_bytes + .rubbish_bytes and
		.reclaimable_bytes > 0 and .rubbish_bytes == 0'
	is "$(nacre df | head -1 | tr -s ' ')" "TYPE TOTAL ACTIVE SIZE RECLAIMABLE"
	nacre info --json | jq -e --arg r "$NACRE_ROOT" '.exists and .root == $r and .images == 3 and .names == 3'
	has "$(nacre info)" "Driver:"
	is "$(nacre info --format '{{.Images}}')" 3
}

@test "names: tag, untag, rmi" {
	make_app app.tar
	id=$(nacre load -q app.tar)
	nacre tag app:1 app:2 localhost:5000/x/y:z
	is "$(nacre images --format '{{.Name}}' | sort | paste -sd ' ')" "app:1 app:2 localhost:5000/x/y:z"
	nacre inspect docker.io/library/app:2 "$id" "${id:7:12}" "${id:0:20}" >/dev/null
	nacre untag app:2
	fails 2 nacre untag app:2
	fails 64 nacre tag app:1 'Bad Name'
	fails 1 nacre rmi "$id"
	nacre rmi app:1 | grep -qx 'Untagged: app:1'
	nacre rmi --json localhost:5000/x/y:z | jq -e --arg id "$id" '.[0] == {action: "untagged",
		object: "localhost:5000/x/y:z"} and any(.[]; .action == "deleted" and .object == $id)'
	is "$(nacre graph ls -q)" ""
	nacre load -q app.tar
	nacre tag app:1 app:2
	nacre rmi -f "$id" >out
	is "$(grep -c Untagged out)" 2
	grep -q "Deleted: $id" out
	nacre load -q app.tar
	nacre rmi --no-prune app:1 >/dev/null
	is "$(nacre graph ls -q | grep -c '')" 2
	# one of several that is not there: the others go
	nacre load -q app.tar
	run --separate-stderr nacre rmi missing app:1
	is "$status" 2
	is "$(nacre images -q)" ""
}

@test "the graph: ls, heads, children, get, raw, exists, size, tar" {
	make_app app.tar
	id=$(nacre load -q app.tar)
	is "$(nacre graph ls -q | grep -c '')" 3
	is "$(nacre graph heads -q)" "${id#sha256:}"
	top=$(nacre graph get --format '{{.Parent}}' "$id")
	is "$(nacre graph children -q "$top")" "${id#sha256:}"
	nacre graph get "${top:0:10}" | jq -e --arg id "$top" '.id == $id and .kind == "layer" and .has_layer'
	nacre graph raw "$top" | jq -e --arg id "$top" '.id == $id'
	nacre graph exists "$top"
	run nacre graph exists 0123456789
	is "$status" 2
	is "$output" ""
	is "$(nacre graph size "$top")" 10
	rm "$NACRE_ROOT/graph/$top/layersize" "$NACRE_ROOT"/catalog.db*
	is "$(nacre graph get --format '{{.Size}}' "$top")" 10
	is "$(cat "$NACRE_ROOT/graph/$top/layersize")" 10
	fails 3 nacre graph digest "$top"
	nacre graph digest "${top:0:12}" "sha256:$top"
	is "$(nacre graph digest "$top")" "sha256:$top"
	fails 64 nacre graph digest "$top" sha256:b
	says "64 hex digits"
	fails 2 nacre graph digest 0123456789
	is "sha256:$(nacre graph tar "$top" | sha256sum | cut -c 1-64)" "$(nacre graph get --format '{{.DiffID}}' "$top")"
	nacre graph tar -o layer.tar "$top"
	nacre graph tar --verify "$top"
	is "$(tar -tf layer.tar | paste -sd ' ')" "etc/new etc/.wh.old etc/motd"
	fails 2 nacre graph get 0123456789
	fails 1 nacre graph delete "$top"
}

@test "the graph: register and delete" {
	make_image tar layer.tar --file a=hello
	is "$(nacre graph register <layer.tar)" "$(sha256sum <layer.tar | cut -c 1-64)"
	base=$(gzip <layer.tar | nacre graph register -q)
	is "$base" "$(sha256sum <layer.tar | cut -c 1-64)"
	two=$(printf '%064d' 2)
	echo '{"comment":"mine"}' >about.json
	fails 64 nacre graph register -q --id "$two" --parent "$base" --json about.json <layer.tar
	says parent
	echo "{\"id\": \"$two\", \"parent\":\"$base\",\"comment\":\"mine\"}" >about.json
	is "$(nacre graph register -q --id "$two" --parent "${base:0:8}" --json about.json <layer.tar)" "$two"
	nacre graph raw "$two" | cmp - about.json
	is "$(nacre graph register -q --id "$two" --parent "$base" --json about.json <layer.tar)" "$two"
	make_image tar other.tar --file a=jello
	fails 1 nacre graph register -q --id "$two" --parent "$base" <other.tar
	nacre graph tar "$two" | cmp - layer.tar
	fails 65 nacre graph register -q --diff-id "sha256:$base" <other.tar
	fails 64 nacre graph register -q --no-layer
	three=$(printf '%064d' 3)
	is "$(nacre graph register -q --no-layer --id "$three" --parent "$two")" "$three"
	fails 1 nacre graph delete "$two"
	nacre graph delete "$three" "$two" "$base"
	is "$(nacre graph ls -q)" ""
	is_clean
}
