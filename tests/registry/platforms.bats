#!/usr/bin/env bats
# Indexes of several platforms: one image out of them, or all of it, with the same digest wherever it goes.

load helpers

setup_file() {
	make_files
	start_registry plain
	local arch
	for arch in amd64 arm64; do
		make_image docker "$files/$arch.tar" --name "app:$arch" --file "etc/arch=$arch" --file etc/motd=hello
		mkdir "$files/$arch"
		tar -C "$files/$arch" -xf "$files/$arch.tar"
		config=$(jq -r '.[0].Config' "$files/$arch/manifest.json")
		jq -c ".architecture = \"$arch\"" "$files/$arch/$config" >"$files/$arch/new"
		mv "$files/$arch/new" "$files/$arch/$config"
		tar -C "$files/$arch" -cf "$files/$arch.tar" .
		sk copy -q --dest-tls-verify=false --format oci "docker-archive:$files/$arch.tar" "docker://$registry/app:$arch"
	done
	make_index app amd64 arm64
}
teardown_file() { drop_files; }

raw() { sk inspect --tls-verify=false --raw "docker://$registry/$1"; }
# An index of images that are there, as app:all.
make_index() { # REPOSITORY ARCHITECTURE…
	local arch items=()
	for arch in "${@:2}"; do
		raw "$1:$arch" >"$files/manifest"
		items+=("$(jq -cn --arg d "sha256:$(sha256sum "$files/manifest" | cut -d' ' -f1)" --arg a "$arch" \
			--arg t "$(jq -r .mediaType "$files/manifest")" --argjson s "$(stat -c %s "$files/manifest")" \
			'{mediaType: $t, digest: $d, size: $s, platform: {architecture: $a, os: "linux"}}')")
	done
	printf '%s\n' "${items[@]}" | jq -s '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: .}' >"$files/index"
	curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" --data-binary "@$files/index" \
		"http://$registry/v2/$1/manifests/all"
}

@test "the machine's platform, or the one asked for" {
	pull "$registry/app:all"
	[ "$(nacre cat "$registry/app:all:/etc/arch")" = amd64 ]
	pull --platform linux/arm64 "$registry/app:all"
	[ "$(nacre cat "$registry/app:all:/etc/arch")" = arm64 ]
	fails 2 pull --platform linux/s390x "$registry/app:all"
}

@test "all platforms: pulled, pushed elsewhere, saved, and copied, the index has the same digest" {
	index=$(raw app:all | sha256sum)
	pull --all-platforms "$registry/app:all"
	[ "$(nacre cat "$registry/app:all:/etc/arch")" = amd64 ]
	[ "$(nacre cat "$registry/app:all-linux-arm64:/etc/arch")" = arm64 ]
	nacre prune -q
	push --all-platforms "$registry/app:all" "$registry/whole:1"
	[ "$(raw whole:1 | sha256sum)" = "$index" ]
	sk copy -q --all --src-tls-verify=false "docker://$registry/whole:1" "oci:$work/by-skopeo"
	nacre copy -q --all-platforms --tls-verify=false "docker://$registry/app:all" "docker://$registry/copied:1"
	[ "$(raw copied:1 | sha256sum)" = "$index" ]
	nacre save --all-platforms --format oci-dir -o layout "$registry/app:all"
	[ "$(jq -r '.manifests | length' layout/index.json)" = 1 ]
	[ "sha256:${index%% *}" = "$(jq -r '.manifests[0].digest' layout/index.json)" ]
	sk copy -q --all oci:layout "dir:$work/dir"
	nacre copy -q --all-platforms --tls-verify=false "docker://$registry/app:all" oci-archive:out.tar
	nacre check --full
	# and what is pushed again is there
	mark plain
	push --all-platforms "$registry/app:all" "$registry/whole:2"
	run ! grep -E 'PATCH|POST' <(requests plain)
}

@test "Docker's manifest lists too" {
	sk copy -q --all --src-tls-verify=false --dest-tls-verify=false --format v2s2 "docker://$registry/app:all" "docker://$registry/list:1"
	[ "$(raw list:1 | jq -r .mediaType)" = application/vnd.docker.distribution.manifest.list.v2+json ]
	pull --all-platforms "$registry/list:1"
	push --all-platforms "$registry/list:1" "$registry/list:2"
	[ "$(raw list:2 | sha256sum)" = "$(raw list:1 | sha256sum)" ]
}

@test "what is no image is left out of a pull, and keeps the index from going out" {
	echo '{}' >config
	echo attested >layer
	local blob
	for blob in config layer; do
		curl -sf -X POST -D headers "http://$registry/v2/app/blobs/uploads/" -o /dev/null
		curl -sf -X PUT --data-binary @$blob -H 'Content-Type: application/octet-stream' \
			"$(sed -n 's/^Location: \(.*\)\r/\1/p' headers)&digest=sha256:$(sha256sum $blob | cut -d' ' -f1)"
	done
	jq -cn --arg c "sha256:$(sha256sum config | cut -d' ' -f1)" --arg l "sha256:$(sha256sum layer | cut -d' ' -f1)" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: 3},
		layers: [{mediaType: "application/vnd.in-toto+json", digest: $l, size: 9}]}' >manifest
	curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.manifest.v1+json" --data-binary @manifest \
		"http://$registry/v2/app/manifests/attestation"
	jq -c --arg d "sha256:$(sha256sum manifest | cut -d' ' -f1)" --argjson s "$(stat -c %s manifest)" \
		'.manifests += [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $s,
		platform: {architecture: "unknown", os: "unknown"}}]' "$files/index" >attested
	curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" --data-binary @attested \
		"http://$registry/v2/app/manifests/attested"
	nacre pull --progress=plain --all-platforms --tls-verify=false "$registry/app:attested" 2>progress
	grep -q "no image and is left out" progress
	[ "$(nacre images -q | wc -l)" = 2 ]
	fails 2 push --all-platforms "$registry/app:attested" "$registry/app:again"
	says "not all that the index"
}

@test "what cannot go out whole is said in one line" {
	pull "$registry/app:all"
	fails 2 push --all-platforms "$registry/app:all" "$registry/part:1"
	says "not all that the index"
	pull "$registry/app:amd64"
	fails 2 push --all-platforms "$registry/app:amd64" "$registry/part:1"
	says "without an index"
	pull --all-platforms --blobs drop "$registry/app:all"
	fails 64 push --all-platforms --compression zstd "$registry/app:all" "$registry/part:1"
	fails 64 nacre save --all-platforms -o out.tar "$registry/app:all"
	rm -r "$NACRE_ROOT"
	pull --all-platforms --blobs drop "$registry/app:all"
	fails 2 push --all-platforms "$registry/app:all" "$registry/part:1"
	says "were not kept"
	fails 64 nacre pull --tls-verify=false --all-platforms --name x:1 "$registry/app:all"
}
