load helpers

@test "load, look, save, remove" {
	make_app app.tar
	run --separate-stderr nacre load -i app.tar
	is "$status" 0
	is "$output" "Loaded image: app:1"

	nacre images >out
	is "$(head -1 out | tr -s ' ')" "REPOSITORY TAG IMAGE ID CREATED SIZE"
	has "$(tail -1 out | tr -s ' ')" "app 1 "
	id=$(nacre images -q --no-trunc)
	tar -xOf app.tar manifest.json | jq -r '.[0].Config' >config
	is "$id" "sha256:$(basename "$(cat config)" .json)"
	is "$(nacre images -q)" "$(cut -c 8-19 <<<"$id")"

	nacre inspect app:1 | jq -e --arg id "$id" '.[0].id == $id and .[0].repo_tags == ["app:1"] and
		.[0].config.labels.team == "web" and (.[0].layers | length) == 2'
	is "$(nacre inspect --config app:1 | sha256sum | cut -c 1-64)" "${id#sha256:}"
	is "$(nacre history app:1 | grep -c '')" 3
	has "$(nacre history app:1 | sed -n 2p)" "COPY new files"

	nacre save -o out.tar app:1
	nacre save app:1 >again.tar
	cmp out.tar again.tar
	is "$(nacre rmi app:1 | head -1)" "Untagged: app:1"
	is "$(nacre images -q)" ""
	is "$(nacre graph ls -q)" ""
	is_clean
	is "$(nacre load -q -i out.tar)" "$id"
	is "$(nacre images --format '{{.Name}}')" app:1
}

@test "load takes a file, an option, a pipe, and compressed ones" {
	make_app app.tar
	local expected
	expected=$(nacre load -q app.tar)
	[[ $expected =~ ^sha256:[0-9a-f]{64}$ ]]
	for compress in gzip zstd xz bzip2 cat; do
		export NACRE_ROOT=$work/$compress
		is "$($compress <app.tar | nacre load -q)" "$expected"
		$compress <app.tar >app.tar.z
		is "$(nacre load -q -i app.tar.z)" "$expected"
		is "$(nacre load -q -i - <app.tar)" "$expected"
	done
	rm app.tar.z
	export NACRE_ROOT=$work/store
	make_image oci layout --name app:1 --file a=b
	nacre load -q layout
	make_image oci-archive layout.tar --name app:1 --file a=b --gzip
	nacre load -q <layout.tar
	fails 64 nacre load -i app.tar app.tar
}

@test "load prints a line a name, and the ID of what has none" {
	make_image docker two.tar --name one:a --name one:b --file x=1 --image --name two:latest --file y=2 --image --file z=3
	nacre load -i two.tar >out
	is "$(sed -n 1,3p out)" "Loaded image: one:a
Loaded image: one:b
Loaded image: two:latest"
	[[ $(sed -n 4p out) =~ ^"Loaded image ID: sha256:"[0-9a-f]{64}$ ]]
	is "$(nacre load -q two.tar | grep -c '')" 3
	nacre load --json two.tar | jq -e 'length == 3 and .[0].names == ["docker.io/library/one:a", "docker.io/library/one:b"]
		and .[2].names == []'
	is "$(nacre images -q --filter dangling=true | grep -c '')" 1
}

@test "old archives get IDs by content, or keep theirs" {
	make_image v1 old.tar --name old:1 --file a=1 --layer --file b=2
	nacre load -i old.tar >out
	is "$(cat out)" "Loaded image: old:1"
	nacre inspect old:1 | jq -e '.[0].v1 == false and (.[0].id | startswith("sha256:"))'
	NACRE_ROOT=$work/kept nacre load --keep-ids -q -i old.tar >id
	is "$(cat id)" "$(tar -xOf old.tar repositories | jq -r .old.\"1\")"
	NACRE_ROOT=$work/kept nacre inspect old:1 | jq -e '.[0].v1'
}

@test "progress goes to stderr, in the form that is asked for" {
	make_app app.tar
	run --separate-stderr nacre load app.tar
	is "$output" "Loaded image: app:1"
	has "$stderr" "done"
	hasnt "$stderr" $'\033'
	run --separate-stderr nacre load -q app.tar
	is "$stderr" ""
	run --separate-stderr nacre load --progress none app.tar
	is "$stderr" ""
	NACRE_ROOT=$work/b nacre load --progress json app.tar 2>lines >/dev/null
	jq -e 'has("status") and has("progressDetail") and (.id | length) > 0' lines >/dev/null
	grep -q '^{"status":"loading layer: done","progressDetail":{},"id":"[0-9a-f]\{12\}"}$' lines
	jq -se 'any(.[]; .progressDetail.current > 0 and (.progress | length) > 0)' lines >/dev/null
	run --separate-stderr nacre load --progress json missing.tar
	is "$status" 2
	is "$stderr" "{\"errorDetail\":{\"message\":\"no file 'missing.tar'\"},\"error\":\"no file 'missing.tar'\"}"
	NACRE_ROOT=$work/c nacre load --progress tty app.tar 2>tty >/dev/null
	grep -q $'\033' tty
	fails 64 nacre load --progress loud app.tar
	is "$(script -qec "$NACRE load $work/app.tar" /dev/null </dev/null | grep -c 'Loaded image')" 1
	# a dumb terminal gets lines
	NACRE_ROOT=$work/d TERM=dumb script -qec "$NACRE load $work/app.tar" /dev/null </dev/null >dumb
	refute grep -q $'\033' dumb
}

@test "a terminal is neither read from nor written to" {
	make_app app.tar
	nacre load -q app.tar
	script -qec "$NACRE load; echo code \$?" /dev/null </dev/null >out
	has "$(cat out)" "code 64"
	script -qec "$NACRE save app:1; echo code \$?" /dev/null </dev/null >out
	has "$(cat out)" "code 64"
	script -qec "$NACRE export app:1; echo code \$?" /dev/null </dev/null >out
	has "$(cat out)" "code 64"
	script -qec "$NACRE graph tar \$($NACRE graph ls -q | head -1); echo code \$?" /dev/null </dev/null >out
	has "$(cat out)" "code 64"
}

@test "every format of save loads again with the same ID" {
	make_image oci layout --name app:1 --gzip --file a=b --layer --file c=d
	local id digest format
	id=$(nacre load -q layout)
	digest=$(jq -r '.manifests[0].digest' layout/index.json)
	for format in docker-archive oci-archive oci-dir docker-dir; do
		nacre save --format $format -o saved-$format app:1
		is "$(NACRE_ROOT=$work/$format nacre load -q saved-$format)" "$id"
	done
	# the manifest and the compressed layers came in and go out unchanged
	is "$(jq -r '.manifests[0].digest' saved-oci-dir/index.json)" "$digest"
	nacre save --format oci-archive app:1 | cmp - saved-oci-archive
	fails 64 nacre save --format oci-dir app:1
	says "-o DIR"
}

@test "what is saved by a name keeps that one, and what is saved by an ID or a digest has none" {
	make_app app.tar
	nacre load -q -i app.tar
	nacre save -q --format oci-archive -o oci.tar app:1
	nacre rmi -f app:1
	nacre load -q -i oci.tar
	nacre tag app:1 app:2
	local id digest what
	id=$(nacre inspect app:1 | jq -r '.[0].id')
	digest=$(nacre inspect app:1 | jq -r '.[0].digests[0]')
	is "$(nacre save -q app:2 | tar xO manifest.json | jq -c '.[0].RepoTags')" '["docker.io/library/app:2"]'
	for what in "$id" "${id#sha256:}" "${id:7:12}" "$digest" "app@$digest"; do
		is "$(nacre save -q "$what" | tar xO manifest.json | jq -c '.[0].RepoTags')" null
	done
}

@test "copy from place to place" {
	make_app app.tar
	nacre copy docker-archive:app.tar oci:layout:app >out
	has "$(cat out)" "Copied image"
	[ ! -e "$NACRE_ROOT" ]
	nacre copy oci:layout:app graph: >/dev/null
	nacre copy --name other:2 docker-archive:app.tar graph: >/dev/null
	nacre images --format '{{.Name}}' | grep -q other:2
	nacre copy graph:other:2 docker-archive:- >stream.tar
	nacre copy -q docker-archive:- dir:plain <stream.tar >id
	is "$(cat id)" "$(nacre images -q --no-trunc other:2)"
	fails 64 nacre copy nonsense:x graph:
	fails 64 nacre copy docker-archive:app.tar
	fails 2 nacre copy docker-archive:missing.tar graph:
	fails 2 nacre copy graph:missing oci:x
	[ ! -e x ]
}

@test "import makes an image, export gives the tree" {
	make_image tar root.tar --dir etc --file etc/name=me
	export SOURCE_DATE_EPOCH=1700000000
	nacre import -q -c 'CMD ["/bin/sh"]' -c 'ENV A=b' -m 'from a tar' root.tar mine:1 >id
	[[ $(cat id) =~ ^sha256:[0-9a-f]{64}$ ]]
	nacre inspect mine:1 | jq -e '.[0].config.cmd == ["/bin/sh"] and (.[0].config.env | index("A=b")) and
		.[0].created == "2023-11-14T22:13:20Z"'
	has "$(nacre history mine:1)" "from a tar"
	is "$(gzip <root.tar | nacre import -q -c 'CMD ["/bin/sh"]' -c 'ENV A=b' -m 'from a tar' -)" "$(cat id)"
	nacre export -q mine:1 >tree.tar
	is "$(tar -xOf tree.tar etc/name)" me
	nacre export -q -o again.tar mine:1
	cmp tree.tar again.tar
	is "$(find . -name '*.nacre-*')" ""
	nacre import --json root.tar | jq -e '.names == []'
	fails 64 nacre import -c 'NONSENSE x' root.tar
	fails 64 nacre import root.tar 'Not A Name'
}

@test "a file that is linked to itself, and then replaced" {
	make_image tar layer --file a=one --hard a=a --file b=two --hard b=./b --file b=three --hard c=b
	for driver in erofs overlay vfs; do
		works $driver || continue
		export NACRE_ROOT=$work/$driver
		nacre --driver $driver import -q layer self:1
		nacre graph tar "$(nacre graph ls --json | jq -r '.[] | select(.diff_id) | .id')" | cmp - layer
		is "$(nacre cat self:1:/a)$(nacre cat self:1:/b)$(nacre cat self:1:/c)" onethreethree
	done
}
