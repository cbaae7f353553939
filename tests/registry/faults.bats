#!/usr/bin/env bats
# A registry behind a proxy that does everything wrong: a pull succeeds after retries, or fails with one clear line and the
# store as it was. Credentials go to nobody but the registry.

load helpers

setup_file() {
	make_files
	export NACRE_HTTP_TIMEOUT=3
	make_image docker "$files/app.tar" --name app:1 --file etc/motd=hello --big data=400000 --layer --file etc/new=new
	start_registry real
	sk copy -q --dest-tls-verify=false "docker-archive:$files/app.tar" "docker://$registry/app:1"
	serve foreign foreign --upstream "$registry"
	foreign=127.0.0.1:$port
	start_faulty --foreign "$foreign"
}
teardown_file() { drop_files; }

# with FAULT TIMES PART: pulls with credentials; they never reach the other host.
with() {
	echo "$*" >"$files/faults"
	pull --creds me:se-cret "$faulty/app:1"
}
untouched() { # the store has nothing, and nothing is left of the attempt that would show
	[ -z "$(nacre images -q)" ]
	nacre check
}
nobody_else_knows() { run ! grep 'authorization=[^-]' "$files/foreign/log"; }

@test "passing faults of blobs are overcome" {
	local fault
	for fault in cut delay 429 500 503 drop chunk stall foreign; do
		export NACRE_ROOT=$work/store-$fault
		with "$fault" 1 /blobs/
		seen "$fault"
		[ "$(nacre cat "$faulty/app:1:/etc/new")" = new ]
	done
	grep -q '^GET /v2/app/blobs/' "$files/foreign/log"
	nobody_else_knows
}

@test "what is waited for is told, as long as the registry asks for" {
	echo "429 1 /blobs/" >"$files/faults"
	run --separate-stderr nacre pull --tls-verify=false "$faulty/app:1"
	[ "$status" = 0 ]
	says "429"
	says "; trying again in 1."
}

@test "who is slow but steady is waited for, longer than one who is silent" {
	: >"$files/proxy/log"
	with trickle 1 /blobs/
	seen trickle
	[ "$(grep "^GET /v2/app/blobs/" "$files/proxy/log" | sort | uniq -d | grep -c .)" = 0 ]
	[ "$(nacre cat "$faulty/app:1:/etc/new")" = new ]
}

@test "a proxy that the environment names is used, but not for hosts that are excepted" {
	: >"$files/faults"
	: >"$files/proxy/log"
	http_proxy=http://$faulty pull "$registry/app:1"
	grep -q "^GET http://$registry/v2/app/blobs/" "$files/proxy/log"
	: >"$files/proxy/log"
	export NACRE_ROOT=$work/other
	http_proxy=http://$faulty no_proxy=localhost pull "$registry/app:1"
	[ ! -s "$files/proxy/log" ]
}

@test "passing faults of manifests are overcome" {
	local fault
	for fault in delay 429 500 503 drop; do
		export NACRE_ROOT=$work/store-$fault
		with "$fault" 1 /manifests/
		[ "$(nacre cat "$faulty/app:1:/etc/new")" = new ]
	done
}

@test "what does not pass fails with one line, and the store is as it was" {
	local fault
	for fault in 429 503 drop circle headers; do
		fails 69 with "$fault" 1000 /blobs/
		seen "$fault"
		untouched
	done
	for fault in circle headers; do
		fails 69 with "$fault" 1000 /manifests/
		untouched
	done
	nobody_else_knows
}

@test "what lies is refused" {
	fails 65 with corrupt 1000 /blobs/
	untouched
	fails 65 with corrupt 1000 /manifests/
	untouched
	run --separate-stderr with body 1000 /manifests/
	[[ $status = 65 || $status = 69 ]]
	[[ $stderr == "nacre: "* ]]
	untouched
	run --separate-stderr with short 1000 /blobs/
	[[ $status = 65 || $status = 69 ]]
	[[ $stderr == *"nacre: "* ]]
	untouched
}

@test "a blob that ends before its announced size is refused, one that comes whole is taken whatever its header says" {
	sk copy -q --src-tls-verify=false "docker://$registry/app:1" "dir:$work/dir"
	jq '.layers[0].size += 1000' "$work/dir/manifest.json" >"$work/longer"
	curl -sf -X PUT -H "Content-Type: $(jq -r .mediaType "$work/longer")" --data-binary "@$work/longer" \
		"http://$registry/v2/app/manifests/longer"
	fails 65 pull "$registry/app:longer"
	[[ $stderr == *" bytes of the "* ]]
	untouched
	with long 1000 /blobs/
	nacre check --full
}

@test "a blob is as long as its manifest says, also when the server announces no length" {
	local add fault
	sk copy -q --src-tls-verify=false "docker://$registry/app:1" "dir:$work/dir"
	for add in 7 -7; do
		jq ".layers[-1].size += $add" "$work/dir/manifest.json" >"$work/other"
		curl -sf -X PUT -H "Content-Type: $(jq -r .mediaType "$work/other")" --data-binary "@$work/other" \
			"http://$registry/v2/app/manifests/other"
		for fault in "delay 0" "chunked 1000"; do
			echo "$fault /blobs/" >"$files/faults"
			fails 65 pull "$faulty/app:other"
			untouched
		done
	done
}

# A registry with a mirror before it that has the same, behind the proxy.
mirrored() {
	printf '[[registry]]\nlocation = "%s"\ninsecure = true\n[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' \
		"$registry" "$faulty" >"$work/mirrored.conf"
	echo "$*" >"$files/faults"
	CONTAINERS_REGISTRIES_CONF=$work/mirrored.conf nacre pull --progress=plain "$registry/app:1" 2>"$work/progress"
}

@test "a mirror that gives bad data is left for the registry, with every driver" {
	local fault part driver
	for fault in corrupt short; do
		for part in /blobs/ /manifests/; do
			for driver in $(nacre info --json | jq -r '.drivers[] | select(.works and (.name | IN("erofs", "overlay", "btrfs", "vfs"))) | .name'); do
				export NACRE_ROOT=$work/store-$fault-${part//\//}-$driver NACRE_DRIVER=$driver
				mirrored "$fault" 1000 "$part"
				seen "$fault"
				[ "$(nacre cat "$registry/app:1:/etc/new")" = new ]
				nacre check --full
			done
		done
	done
	unset NACRE_DRIVER
}

@test "what an index names beside images comes from the registry, too, where a mirror gives bad data" {
	"$BATS_TEST_DIRNAME/make-layout" lay 1 --artifact
	nacre copy -q --all-platforms --tls-verify=false oci:lay:1 "docker://$registry/rich:1"
	printf '[[registry]]\nlocation = "%s"\ninsecure = true\n[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' \
		"$registry" "$faulty" >mirrored.conf
	echo "corrupt 1000 /blobs/" >"$files/faults"
	# what is not of images alone: those are there by now
	pull "$registry/rich:1"
	pull --platform linux/arm64 "$registry/rich:1"
	CONTAINERS_REGISTRIES_CONF=$work/mirrored.conf pull --all-platforms "$registry/rich:1"
	seen corrupt
	nacre check --full
	nacre save -q --all-platforms --format oci-dir -o out "$registry/rich:1"
	[ "$(ls out/blobs/sha256)" = "$(ls lay/blobs/sha256)" ]
	# and nothing of it stays where nobody has better bytes
	export NACRE_ROOT=$work/other
	fails 65 pull --all-platforms "$faulty/rich:1"
	[ -z "$(nacre images -q)" ]
	nacre prune -q
	[ -z "$(find "$NACRE_ROOT/blobs" -type f)" ]
}

@test "a mirror that fails is not asked for every blob anew" {
	mirrored drop 1000 /blobs/
	[ "$(grep -c 'next place' progress)" = 1 ]
	nacre check
}

@test "who all give bad data are refused" {
	printf '[[registry]]\nlocation = "%s"\ninsecure = true\n[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' \
		"$faulty" "$faulty" >mirrored.conf
	echo "corrupt 1000 /blobs/" >"$files/faults"
	export CONTAINERS_REGISTRIES_CONF=$work/mirrored.conf
	fails 65 nacre pull -q "$faulty/app:1"
	untouched
}

@test "a host that a registry leads to may ask for a login: it gets none, and no token is fetched for it" {
	local part
	for part in /blobs/ /manifests/; do
		fails 77 with login 1000 $part
		untouched
	done
	grep -q '^GET /login' "$files/foreign/log"
	run ! grep /token "$files/foreign/log"
	nobody_else_knows
}
