#!/usr/bin/env bats
# Looking at a registry without bringing anything: tags and inspect.

load helpers

setup_file() {
	make_files
	start_registry plain
	make_image docker "$files/app.tar" --name app:1 --file etc/motd=hello --cmd /bin/app --label a=b --layer --file etc/new=new
	for tag in 1 2 x; do
		sk copy -q --dest-tls-verify=false "docker-archive:$files/app.tar" "docker://$registry/app:$tag"
	done
	: >"$files/faults"
	serve proxy proxy --upstream "$registry" --faults "$files/faults"
	export faulty=localhost:$port
}
teardown_file() { drop_files; }

tags() { "$NACRE" tags --tls-verify=false "$@"; }
look() { "$NACRE" inspect --tls-verify=false "$@"; }

@test "tags are those that skopeo lists" {
	[ "$(tags "$registry/app")" = "$(sk list-tags --tls-verify=false "docker://$registry/app" | jq -r '.Tags[]')" ]
	tags --json "$registry/app" | jq -e 'sort == ["1", "2", "x"]'
	[ ! -e store ]
}

@test "tags come in pages" {
	echo "pages 3 /tags/list" >"$files/faults"
	[ "$(tags "$faulty/app" | xargs)" = "t0 u0 t1 u1 t2 u2" ]
	echo "endless-pages 1000 /tags/list" >"$files/faults"
	fails 69 tags "$faulty/app"
	says "without an end"
}

@test "tags of a registry that has mirrors, and of a short name" {
	printf '[[registry]]\nprefix = "example.org"\nlocation = "%s"\ninsecure = true\n[[registry.mirror]]\nlocation = "localhost:1"\n' \
		"$registry" >conf
	export CONTAINERS_REGISTRIES_CONF=$work/conf
	[ "$(nacre tags example.org/app | sort | xargs)" = "1 2 x" ]
	printf 'unqualified-search-registries = ["%s"]\n' "$registry" >conf
	[ "$(tags app | sort | xargs)" = "1 2 x" ]
}

@test "what cannot be listed is said in one line" {
	fails 2 tags "$registry/none"
	fails 64 tags "$registry/app:1"
	says "the repository alone"
	fails 69 tags localhost:1/app
}

@test "inspect tells of an image at a registry what it tells of it in the store" {
	[ "$(look --config "docker://$registry/app:1" | sha256sum)" = "$(sk inspect --tls-verify=false --config --raw "docker://$registry/app:1" | sha256sum)" ]
	[ "$(look --manifest "docker://$registry/app:1" | sha256sum)" = "$(sk inspect --tls-verify=false --raw "docker://$registry/app:1" | sha256sum)" ]
	[ ! -e store ]
	look "docker://$registry/app:1" >there
	pull "$registry/app:1"
	look "$registry/app:1" >here
	facts='map(del(.size, .layers[].size, .history[].size))'
	[ "$(jq "$facts" there)" = "$(jq "$facts" here)" ]
	jq -e '.[0].size == null and .[0].layers[0].blob_size > 0' there
	[ "$(look --format '{{.Id}} {{.Config.Cmd}}' "docker://$registry/app:1" "$registry/app:1" | uniq | wc -l)" = 1 ]
	run --separate-stderr look "docker://$registry/app:none"
	[ "$status" = 2 ]
	[ "$output" = "[]" ]
	says "has no tag none"
	run --separate-stderr look docker://
	[ "$status" = 64 ]
}

@test "a pull can tell beforehand what it would fetch" {
	nacre pull --tls-verify=false --dry-run "$registry/app:1" >plan
	[ "$(grep -c 'to fetch$' plan)" = 2 ]
	grep -q "^$registry/app:1 from $registry/app: " plan
	[ ! -e store ]
	plan() { nacre pull --tls-verify=false --dry-run --json "$@"; }
	plan "$registry/app:1" | jq -e "(.layers | length) == 2 and .fetch_bytes == ([.layers[].size] | add) and .free_bytes == null and
		.needed_bytes >= .fetch_bytes and .name == \"$registry/app:1\" and .manifest_digest == \"$(digest_at app:1)\""
	pull "$registry/app:1"
	plan "$registry/app:1" | jq -e '.fetch_bytes == 0 and .needed_bytes == 0 and (.layers | all(.there)) and .free_bytes > 0'
	[ "$(plan "$registry/app:1" | jq -r .id)" = "$(nacre images -q --no-trunc)" ]
	fails 2 nacre pull --tls-verify=false --dry-run "$registry/app:none"
}
