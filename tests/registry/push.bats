#!/usr/bin/env bats
# What nacre pushes to Debian's docker-registry has the digests that it had, is sent once, and is what skopeo and podman
# pull.

load helpers

setup_file() {
	make_files
	start_registry plain
	make_image docker "$files/app.tar" --name app:1 --dir etc --file etc/motd=hello --big data=3000000 --cmd /bin/app \
		--layer --file etc/new=new --delete etc/motd
	make_image oci "$files/zstd" --name 1 --file etc/motd=other
	for format in v2s2 oci; do
		sk copy -q --dest-tls-verify=false --format $format "docker-archive:$files/app.tar" "docker://$registry/from:$format"
	done
	sk copy -q --dest-tls-verify=false --format oci --dest-compress-format zstd "docker-archive:$files/app.tar" \
		"docker://$registry/from:zstd"
}
teardown_file() { drop_files; }

config_at() { sk inspect --tls-verify=false --raw "docker://$registry/$1" | jq -r .config.digest; }

@test "pulled and pushed elsewhere: the same manifest digest, and podman and skopeo take it" {
	local format
	for format in v2s2 oci zstd; do
		pull "$registry/from:$format"
		[ "$(push "$registry/from:$format" "$registry/to/$format:1")" = "$(digest_at "from:$format")" ]
		[ "$(digest_at "to/$format:1")" = "$(digest_at "from:$format")" ]
		sk copy -q --src-tls-verify=false "docker://$registry/to/$format:1" "dir:$work/$format"
	done
	podman --root "$work/podman" --runroot "$work/run" --storage-driver vfs pull -q --tls-verify=false "$registry/to/oci:1"
	podman --root "$work/podman" --runroot "$work/run" --storage-driver vfs image inspect "$registry/to/oci:1" |
		jq -e ".[0].Digest == \"$(digest_at from:oci)\""
	podman --root "$work/podman" --runroot "$work/run" --storage-driver vfs system reset -f
}

@test "blobs that another repository has are mounted, not sent" {
	pull "$registry/from:oci"
	mark plain
	push "$registry/from:oci" "$registry/mounted:1"
	[ "$(requests plain | grep -c 'POST .*mount=')" = 3 ]
	[ "$(requests plain | grep -c PATCH)" = 0 ]
	[ "$(requests plain | grep -c PUT)" = 1 ]
	mark plain
	nacre copy -q --tls-verify=false "docker://$registry/from:oci" "docker://$registry/mounted:2"
	[ "$(requests plain | grep -c 'GET .*blobs')" = 1 ]	# the config
	[ "$(digest_at mounted:2)" = "$(digest_at from:oci)" ]
}

@test "what is there is not sent again: one request" {
	pull "$registry/from:v2s2"
	push "$registry/from:v2s2" "$registry/once:1"
	mark plain
	push "$registry/from:v2s2" "$registry/once:1"
	[ "$(requests plain)" = "HEAD /v2/once/manifests/1" ]
	mark plain
	push "$registry/from:v2s2" "$registry/once:2"
	run ! grep -E 'PATCH|POST' <(requests plain)
}

@test "layers without a blob are compressed, always to the same bytes" {
	local kind
	nacre load -q -i "$files/app.tar"
	for kind in gzip zstd none; do
		first=$(push --compression $kind app:1 "$registry/packed:$kind")
		[ "$(push --compression $kind app:1 "$registry/packed-again:$kind")" = "$first" ]
		sk copy -q --src-tls-verify=false "docker://$registry/packed:$kind" "oci:$work/$kind"
		nacre save -q --format oci-dir --compression $kind -o "$work/saved-$kind" app:1
		[ "$(jq -r '.manifests[0].digest' "$work/saved-$kind/index.json")" = "$first" ]
		[ "$(config_at "packed:$kind")" = "sha256:$(nacre inspect app:1 | jq -r '.[0].id' | cut -d: -f2)" ]
	done
	[ "$(push app:1 "$registry/packed:auto")" = "$(digest_at packed:gzip)" ]
	pull "$registry/packed:zstd"
	[ "$(nacre cat "$registry/packed:zstd:/etc/new")" = new ]
}

@test "Docker manifests become OCI's where their layers change" {
	pull "$registry/from:v2s2"
	push --compression zstd "$registry/from:v2s2" "$registry/changed:zstd"
	[ "$(sk inspect --tls-verify=false --raw "docker://$registry/changed:zstd" | jq -r '.layers[0].mediaType')" = \
		application/vnd.oci.image.layer.v1.tar+zstd ]
	pull "$registry/changed:zstd"
}

@test "by its own name; more tags; JSON" {
	nacre load -q -i "$files/app.tar"
	nacre tag app:1 "$registry/named:1"
	digest=$(push --name "$registry/named:2" "$registry/named:1")
	[ "$(digest_at named:1)" = "$digest" ]
	[ "$(digest_at named:2)" = "$digest" ]
	push --json "$registry/named:1" | jq -e ".[0].manifest_digest == \"$digest\" and .[0].names == [\"$registry/named:1\"]"
	run --separate-stderr nacre push --tls-verify=false "$registry/named:1"
	[ "$output" = "Pushed image: $registry/named:1" ]
}

@test "copies from archives, without a store" {
	nacre copy -q --tls-verify=false "docker-archive:$files/app.tar" "docker://$registry/copied:1"
	pull "$registry/copied:1"
	[ "$(nacre cat "$registry/copied:1:/etc/new")" = new ]
	sk copy -q --src-tls-verify=false "docker://$registry/from:zstd" "oci:$work/layout:x"
	nacre copy -q --tls-verify=false "oci:$work/layout:x" "docker://$registry/copied:zstd"
	[ "$(digest_at copied:zstd)" = "$(digest_at from:zstd)" ]
}

@test "an image without layers, and one with an empty layer twice" {
	make_image oci empty --name 1 --no-layer
	nacre copy -q --tls-verify=false oci:empty:1 "docker://$registry/empty:1"
	pull "$registry/empty:1"
	make_image docker twice.tar --name twice:1 --layer
	nacre load -q -i twice.tar
	push twice:1 "$registry/twice:1"
	pull "$registry/twice:1"
}

@test "what cannot be pushed is said in one line" {
	nacre load -q -i "$files/app.tar"
	fails 2 push none:1 "$registry/x:1"
	fails 64 push "$(nacre images -q)"
	says "does not say where to"
	fails 64 push app:1 "$registry/x@sha256:$(printf '%064d' 0)"
	says "has a digest"
	fails 64 push app:1 "$registry/X:1"
	fails 64 push --name "$registry/y:1" app:1 "$registry/x:1"
	says "another repository"
	fails 69 push app:1 localhost:1/x
	says localhost:1
	run --separate-stderr nacre push --progress plain app:1 localhost:1/x
	[[ $stderr != *compressing* ]]
	fails 69 nacre push -q app:1 nowhere.invalid/app
	fails 69 nacre push -q --tls-verify=true app:1 "$registry/x:1"
	says "does not speak TLS"
	printf '[[registry]]\nlocation = "%s"\nblocked = true\n' "$registry" >blocked.conf
	CONTAINERS_REGISTRIES_CONF=$work/blocked.conf fails 77 push app:1 "$registry/x:1"
	says "is blocked by"
}

@test "Ctrl-C ends a push at once, and the tag is not there" {
	nacre load -q -i "$files/app.tar"
	echo "hang 1 PATCH:/uploads/" >hangs
	serve hanging proxy --upstream "$registry" --faults "$work/hangs"
	start "$NACRE" push -q --tls-verify=false --compression none app:1 "localhost:$port/stopped:1" 2>stderr
	await '^fault hang' "$files/hanging/log"
	interrupt
	run ! sk inspect --tls-verify=false "docker://$registry/stopped:1"
}
