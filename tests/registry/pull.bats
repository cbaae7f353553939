#!/usr/bin/env bats
# What skopeo pushed to Debian's docker-registry comes into the store with the same IDs and digests.

load helpers

setup_file() {
	make_files
	start_registry plain
	make_image docker "$files/app.tar" --name app:1 --dir etc --file etc/motd=hello --big data=300000 --cmd /bin/app \
		--layer --file etc/new=new --delete etc/motd
	sk copy -q --dest-tls-verify=false "docker-archive:$files/app.tar" "docker://$registry/app:1"
	sk copy -q --dest-tls-verify=false --format oci --dest-compress-format zstd "docker-archive:$files/app.tar" \
		"docker://$registry/app:zstd"
}
teardown_file() { drop_files; }

@test "an image comes whole, with its manifest's digest, its config's ID and its name" {
	[ "$(pull "$registry/app:1")" = "sha256:$(sk inspect --tls-verify=false --raw "docker://$registry/app:1" |
		jq -r .config.digest | cut -d: -f2)" ]
	[ "$(nacre inspect "$registry/app:1" | jq -r '.[0].digests[0]')" = "$(digest_at app:1)" ]
	[ "$(nacre cat "$registry/app:1:/etc/new")" = new ]
	run ! nacre cat "$registry/app:1:/etc/motd"
}

@test "OCI manifests and zstd layers" {
	pull "$registry/app:zstd"
	[ "$(nacre inspect "$registry/app:zstd" | jq -r '.[0].digests[0]')" = "$(digest_at app:zstd)" ]
	nacre save -o again.tar "$registry/app:zstd"
}

@test "an image that is up to date costs one request, one that shares layers brings only what is new" {
	pull "$registry/app:1"
	mark plain
	pull "$registry/app:1"
	[ "$(requests plain)" = "GET /v2/app/manifests/1" ]
	mark plain
	pull "$registry/app:zstd"
	[ "$(requests plain | wc -l)" = 2 ]
}

@test "by digest, without a name" {
	digest=$(digest_at app:1)
	id=$(pull "$registry/app@$digest")
	[ "$(nacre inspect "$id" | jq -c '.[0].names')" = "[]" ]
	nacre cat "$id:/etc/new"
}

@test "copies to a place without a store, and JSON" {
	nacre copy -q --tls-verify=false "docker://$registry/app:1" dir:out
	[ "sha256:$(sha256sum out/manifest.json | cut -d' ' -f1)" = "$(digest_at app:1)" ]
	pull --json "$registry/app:1" | jq -e ".[0].manifest_digest == \"$(digest_at app:1)\""
}

@test "what is not there is said in one line" {
	fails 2 pull "$registry/app:none"
	says "$registry/app has no tag none"
	fails 2 pull "$registry/nothing"
	says "nothing has no"
	fails 69 nacre pull -q nowhere.invalid/app
	says nowhere.invalid
	fails 69 pull localhost:1/app
	says localhost:1
	fails 69 nacre pull -q --tls-verify=true "$registry/app:1"
	says "does not speak TLS"
	fails 64 pull "$registry/APP"
}

upload() { # FILE: it is a blob of the repository then; its digest
	local place digest
	digest=sha256:$(sha256sum <"$1" | cut -d' ' -f1)
	place=$(curl -sfi -X POST "http://$registry/v2/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //pi')
	curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$place&digest=$digest"
	echo "$digest"
}

@test "what is no image is said in one line" {
	printf '{}' >config
	printf hello >layer
	jq -n --arg config "$(upload config)" --arg layer "$(upload layer)" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.empty.v1+json", digest: $config, size: 2},
		layers: [{mediaType: "application/vnd.example.thing", digest: $layer, size: 5}]}' >artifact
	curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @artifact \
		"http://$registry/v2/app/manifests/artifact"
	fails 65 pull "$registry/app:artifact"
	says "its config is 'application/vnd.oci.empty.v1+json': it is no image"
	[ -z "$(nacre images -q)" ]
}

@test "what does not fit on the disk is said in one line, and leaves nothing" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir small
	mount -t tmpfs -o size=4m none small
	# noise, so that it is known beforehand, and then a layer that is more than it says
	make_image docker big.tar --name big:1 --noise noise=5000000
	sk copy -q --dest-tls-verify=false docker-archive:big.tar "docker://$registry/app:noise"
	make_image docker big.tar --name big:1 --big zeros=9000000
	sk copy -q --dest-tls-verify=false docker-archive:big.tar "docker://$registry/app:zeros"
	fails 73 nacre --root "$PWD/small/store" pull -q --tls-verify=false "$registry/app:noise"
	fails 73 nacre --root "$PWD/small/store" pull -q --tls-verify=false "$registry/app:zeros"
	[ -z "$(nacre --root "$PWD/small/store" images -q)" ]
	nacre --root "$PWD/small/store" prune -q >/dev/null
	nacre --root "$PWD/small/store" check --full
	umount small
}
