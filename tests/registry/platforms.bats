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
	# without an index there is one alone
	digest=$(nacre inspect "$registry/app:all" | jq -r '.[0].digests[0]')
	pull --platform linux/arm64 "$registry/app@$digest"
	fails 2 pull --platform linux/amd64 "$registry/app@$digest"
	says "no image for platform linux/amd64; there is linux/arm64"
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

# Puts all of an OCI layout into a repository by hand: blobs, documents, and the index as a tag.
put_layout() { # DIRECTORY REPOSITORY TAG
	local hex type index file
	index=$(jq -r '.manifests[0].digest' "$1/index.json")
	for file in "$1"/blobs/sha256/*; do
		curl -sf -X POST -D "$work/headers" -o /dev/null "http://$registry/v2/$2/blobs/uploads/"
		curl -sf -X PUT --data-binary "@$file" -H 'Content-Type: application/octet-stream' \
			"$(sed -n 's/^Location: \(.*\)\r/\1/p' "$work/headers")&digest=sha256:${file##*/}"
	done
	# what a document names goes before it: as often as indexes may lie in one another
	for _ in 1 2 3; do
		for file in "$1"/blobs/sha256/*; do
			hex=${file##*/}
			type=$(jq -r 'try .mediaType // ""' "$file" 2>/dev/null) || continue
			[[ $type != application/vnd.oci.image.* ]] ||
				curl -s -o /dev/null -X PUT -H "Content-Type: $type" --data-binary "@$file" \
					"http://$registry/v2/$2/manifests/sha256:$hex"
		done
	done
	curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" \
		--data-binary "@$1/blobs/sha256/${index#sha256:}" "http://$registry/v2/$2/manifests/$3"
}
blobs_of() { (cd "$1/blobs/sha256" && ls); }

@test "attestations travel with an index: from skopeo to the store, elsewhere and to a layout, with the same digest" {
	index=$("$BATS_TEST_DIRNAME/make-layout" lay 1)
	sk copy -q --all --dest-tls-verify=false oci:lay:1 "docker://$registry/built:1"
	[ "$(digest_at built:1)" = "$index" ]
	pull --all-platforms "$registry/built:1"
	[ "$(nacre images -q --no-trunc | sort -u | wc -l)" = 2 ]
	[ "$(nacre cat "$registry/built:1-linux-arm64:/etc/arch")" = arm64 ]
	nacre prune -q
	push --all-platforms "$registry/built:1" "$registry/whole/built:1"
	[ "$(digest_at whole/built:1)" = "$index" ]
	nacre save -q --all-platforms --format oci-dir -o saved "$registry/built:1"
	[ "$(jq -r '.manifests[].digest' saved/index.json)" = "$index" ]
	[ "$(blobs_of saved)" = "$(blobs_of lay)" ]
	sk copy -q --all --src-tls-verify=false "docker://$registry/whole/built:1" oci:again:1
	sk copy -q --all oci:saved:1 "dir:$work/dir"
	[ "$(blobs_of again)" = "$(blobs_of lay)" ]
	nacre check -q --full
	# what is there is not fetched and not sent again
	mark plain
	pull --all-platforms "$registry/built:1"
	push --all-platforms "$registry/built:1" "$registry/whole/built:2"
	run ! grep -E 'PATCH|POST|GET /v2/built/blobs' <(requests plain)
	# without the option nothing is different
	NACRE_ROOT=$work/other pull "$registry/built:1"
	[ "$(NACRE_ROOT=$work/other nacre images -q | wc -l)" = 1 ]
}

@test "artifacts, an image compressed twice and an index in the index do, too" {
	index=$("$BATS_TEST_DIRNAME/make-layout" lay 1 --artifact --nested --twice)
	put_layout lay rich 1
	pull --all-platforms "$registry/rich:1"
	[ "$(nacre cat "$registry/rich:1-linux-s390x:/etc/motd")" = inside ]
	[ "$(nacre images -q --no-trunc | sort -u | wc -l)" = 3 ]
	nacre prune -q
	nacre check -q --full
	push --all-platforms "$registry/rich:1" "$registry/poor:1"
	[ "$(digest_at poor:1)" = "$index" ]
	nacre save -q --all-platforms --format oci-archive -o saved.tar "$registry/rich:1"
	mkdir saved
	tar -C saved -xf saved.tar
	[ "$(blobs_of saved)" = "$(blobs_of lay)" ]
	# past the store, and out of layouts
	nacre copy -q --all-platforms --tls-verify=false "docker://$registry/poor:1" oci-archive:past.tar
	nacre copy -q --all-platforms --tls-verify=false oci-archive:past.tar "docker://$registry/again:1"
	[ "$(digest_at again:1)" = "$index" ]
	export NACRE_ROOT=$work/other
	nacre load -q --all-platforms -i saved.tar
	push --all-platforms "$registry/rich:1" "$registry/loaded:1"
	[ "$(digest_at loaded:1)" = "$index" ]
	nacre copy -q --all-platforms oci:lay:1 graph:localhost/named:2
	[ "$(nacre cat localhost/named:2-linux-s390x:/etc/motd)" = inside ]
	push --all-platforms localhost/named:2 "$registry/named:2"
	[ "$(digest_at named:2)" = "$index" ]
}

@test "an index of what was there in part before is kept whole" {
	index=$("$BATS_TEST_DIRNAME/make-layout" lay 1)
	sk copy -q --all --dest-tls-verify=false oci:lay:1 "docker://$registry/part:0"
	pull --blobs drop "$registry/part:0"
	pull --blobs drop --platform linux/arm64 "$registry/part:0"
	fails 2 push --all-platforms "$registry/part:0" "$registry/part/again:0"
	pull --all-platforms "$registry/part:0"
	push --all-platforms "$registry/part:0" "$registry/part/again:0"
	[ "$(digest_at part/again:0)" = "$index" ]
	nacre check -q --full
}

@test "what an index names is kept as long as its image, and goes with it" {
	"$BATS_TEST_DIRNAME/make-layout" lay 1 --artifact --nested >layout
	nacre copy -q --all-platforms oci:lay:1 graph:localhost/kept:1
	kept=$(ls "$NACRE_ROOT/blobs/sha256" | wc -l)
	nacre tag localhost/kept:1 localhost/kept:2
	nacre rmi localhost/kept:1
	nacre prune -q
	[ "$(ls "$NACRE_ROOT/blobs/sha256" | wc -l)" = "$kept" ]
	# another name means the index, too
	push --all-platforms localhost/kept:2 "$registry/kept:2"
	[ "$(digest_at kept:2)" = "$(cat layout)" ]
	# a prune says before what it frees: all that no image of another platform has
	nacre untag localhost/kept:2
	said=$(nacre prune --dry-run --json | jq -S 'del(.dry_run)')
	[ "$(nacre df --json | jq .reclaimable)" = "$(jq .bytes <<<"$said")" ] || nacre df --json
	[ "$(nacre prune --json | jq -S 'del(.dry_run)')" = "$said" ]
	[ "$(ls "$NACRE_ROOT/blobs/sha256" | wc -l)" = 4 ]
	nacre check -q --full
}

@test "what is damaged or missing of an index is named, and comes again" {
	index=$("$BATS_TEST_DIRNAME/make-layout" lay 1 --artifact)
	nacre copy -q --all-platforms oci:lay:1 graph:localhost/hurt:1
	thing=$(printf 'a thing' | sha256sum | cut -d' ' -f1)
	rm "$NACRE_ROOT/blobs/sha256/$thing"
	run ! nacre check
	[[ $output == *blob-missing*"blobs/sha256/$thing"* ]]
	fails 2 nacre save -q --all-platforms --format oci-dir -o out localhost/hurt:1
	says "$thing"
	nacre copy -q --all-platforms oci:lay:1 graph:localhost/hurt:1
	nacre check -q
	printf 'a thinG' >"$NACRE_ROOT/blobs/sha256/$thing"
	nacre check -q
	run ! nacre check --full
	[[ $output == *blob-damaged*"blobs/sha256/$thing"* ]]
	fails 65 nacre save -q --all-platforms --format oci-dir -o out localhost/hurt:1
	[ ! -e out ]
	printf 'a' >"$NACRE_ROOT/blobs/sha256/$thing"
	run ! nacre check
	[[ $output == *blob-damaged*"blobs/sha256/$thing"* ]]
	run nacre check --repair
	nacre copy -q --all-platforms oci:lay:1 graph:localhost/hurt:1
	nacre check -q --full
	nacre save -q --all-platforms --format oci-dir -o out localhost/hurt:1
	[ "$(blobs_of out)" = "$(blobs_of lay)" ]
}

@test "indexes that lie are refused" {
	"$BATS_TEST_DIRNAME/make-layout" lay 1 --deep 20 >layout
	fails 65 nacre copy -q --all-platforms oci:lay:1 graph:localhost/deep:1
	says "indexes in one another"
	"$BATS_TEST_DIRNAME/make-layout" lies 1 --artifact >layout
	index=$(jq -r '.manifests[0].digest[7:]' lies/index.json)
	# an artifact with another size than it says: in the index, and in its manifest
	relabel() { # JQ-PROGRAM
		rm -rf lied
		cp -r lies lied
		jq -c "$1" "lies/blobs/sha256/$index" >lied/new
		hex=$(sha256sum lied/new | cut -d' ' -f1)
		jq -c --arg d "sha256:$hex" --argjson s "$(stat -c %s lied/new)" \
			'.manifests[0] += {digest: $d, size: $s}' lies/index.json >lied/index.json
		mv lied/new "lied/blobs/sha256/$hex"
	}
	relabel '.manifests[4].size += 1'
	fails 65 nacre copy -q --all-platforms oci:lied:1 graph:localhost/lied:1
	relabel '.manifests[4].size = 5000000'
	fails 65 nacre copy -q --all-platforms oci:lied:1 graph:localhost/lied:1
	relabel '.manifests += [.manifests[2] | .size += 1]'
	fails 65 nacre copy -q --all-platforms oci:lied:1 graph:localhost/lied:1
	says "another size elsewhere"
	relabel ".manifests += [range(100000) | {mediaType: \"application/x\", digest: \"sha256:$(printf '%064d' 1)\", size: 1}]"
	fails 65 nacre copy -q --all-platforms oci:lied:1 graph:localhost/lied:1
	# what is only said to lie elsewhere is not looked for there
	relabel ".manifests += [{mediaType: \"application/x\", digest: \"sha256:$(printf '%064d' 1)\", size: 1,
		urls: [\"http://$registry/v2/stolen\"]}]"
	mark plain
	fails 2 nacre copy -q --all-platforms oci:lied:1 graph:localhost/lied:1
	[ -z "$(requests plain)" ]
	[ -z "$(nacre images -q)" ]
	nacre prune -q
	nacre check -q --full
	[ ! -e "$NACRE_ROOT/blobs" ] || [ -z "$(find "$NACRE_ROOT/blobs/sha256" -type f)" ]
	# an index of nothing that runs has no image to hang on
	relabel '.manifests |= map(select(.platform.os != "linux"))'
	fails 2 nacre copy -q --all-platforms oci:lied:1 graph:localhost/lied:1
	says "names no image"
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
