#!/usr/bin/env bats
# Several blobs are under way at once, counted where they are asked for; what one of them does to the others.

load helpers

setup_file() {
	make_files
	export NACRE_HTTP_TIMEOUT=60
	start_registry real
	make_image docker "$files/five.tar" --name five:1 --noise a=300000 --layer --noise b=310000 --layer --noise c=320000 \
		--layer --noise d=330000 --layer --noise e=340000
	sk copy -q --dest-tls-verify=false "docker-archive:$files/five.tar" "docker://$registry/five:1"
	start_faulty
}
teardown_file() { drop_files; }
setup() {
	work=$files/work.$BATS_TEST_NUMBER
	mkdir "$work"
	export NACRE_ROOT=$work/store
	cd "$work" || return 1
	: >"$files/faults"
	: >"$files/proxy/log"
}

# The digest of a layer, from 1 on.
layer() { sk inspect --tls-verify=false --raw "docker://$registry/five:1" | jq -r ".layers[$1 - 1].digest" | cut -d: -f2; }
# fault FAULT LAYER…: the next request ($method: of those) for each of these layers gets it.
fault() {
	local number
	for number in "${@:2}"; do echo "$1 1 ${method:+$method:}$(layer "$number")"; done >>"$files/faults"
}
most_together() { sed -n "s/^together \([0-9]*\) $1\$/\1/p" "$files/proxy/log" | sort -n | tail -1; }
given() { sed -n 's/^gave \([0-9]*\) of .*blobs.*/\1/p' "$files/proxy/log" | awk '{ sum += $1 } END { print sum + 0 }'; }
lying() { find "$NACRE_ROOT/blobs/partial" -type f -printf '%s\n' 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'; }
partials() { find "$NACRE_ROOT/blobs/partial" -type f -size +0 | wc -l; }
# Runs nacre, which must not take 64 MiB.
small() {
	python3 - "$NACRE" "$@" <<-'END'
	import resource, subprocess, sys
	subprocess.run(sys.argv[1:], check=True)
	used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
	print(used, "KiB")
	sys.exit(used > 64 * 1024)
	END
}
untouched() { # an empty store, but for what a next pull goes on with
	[ -z "$(nacre images -q)" ]
	nacre check
	[ -z "$(ls "$NACRE_ROOT/graph/_tmp")" ]
}

@test "three blobs come at once, and never more" {
	fault meet 1 2 3
	fault delay 4 5
	pull "$faulty/five:1"
	[ "$(grep -c '^fault meet' "$files/proxy/log")" = 3 ]
	[ "$(most_together GET)" = 3 ]
	nacre check --full
	[ ! -e "$NACRE_ROOT/blobs/partial" ]
}

@test "a layer that is refused stops the others: one sentence, and a store as it was" {
	fault most 1 2
	fault denied 3
	fails 77 pull "$faulty/five:1"
	says "nacre: layer 3 of $faulty/five:1: layer "
	says "refuses blobs/sha256:$(layer 3) (read only)"
	# shellcheck disable=SC2154
	[ "${#stderr_lines[@]}" = 1 ]
	untouched
	# what came of the others is not lost
	: >"$files/faults"
	pull "$faulty/five:1"
	nacre check --full
}

@test "killed with three layers on their way, each is continued" {
	fault most 1 2 3
	start "$NACRE" pull -q --tls-verify=false "$faulty/five:1"
	for number in 1 2 3; do await "^gave .*$(layer $number)" "$files/proxy/log"; done
	sleep 0.3
	kill -KILL $pid
	wait $pid || true
	[ "$(partials)" = 3 ]
	size=$(sk inspect --tls-verify=false --raw "docker://$registry/five:1" | jq '[.layers[].size] | add')
	: >"$files/proxy/log"
	nacre pull --progress plain --tls-verify=false "$faulty/five:1" 2>progress
	[ "$(grep -c 'MB are here from before' progress)" = 3 ]
	[ "$(given)" -lt $((size - 800000)) ]
	nacre check --full
	[ ! -e "$NACRE_ROOT/blobs/partial" ]
}

@test "Ctrl-C stops all of them at once" {
	fault most 1 2 3
	start "$NACRE" pull -q --tls-verify=false "$faulty/five:1" 2>stderr
	for number in 1 2 3; do await "^gave .*$(layer $number)" "$files/proxy/log"; done
	interrupt
	untouched
	pull "$faulty/five:1"
}

@test "what came ahead and is bad is fetched anew" {
	fault corrupt 2 3
	printf '[[registry]]\nlocation = "%s"\ninsecure = true\n[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' \
		"$registry" "$faulty" >mirrored.conf
	CONTAINERS_REGISTRIES_CONF=$work/mirrored.conf pull "$registry/five:1"
	[ "$(grep -c '^fault corrupt' "$files/proxy/log")" = 2 ]
	nacre check --full
	[ ! -e "$NACRE_ROOT/blobs/partial" ]
}

@test "three blobs go at once, all layers before the config, and that before the manifest" {
	local method=PUT config line
	pull "$registry/five:1"
	: >"$files/proxy/log"
	fault meet 1 2 3
	push "$registry/five:1" "$faulty/sent:1"
	[ "$(most_together PUT)" = 3 ]
	[ "$(digest_at sent:1)" = "$(digest_at five:1)" ]
	config=$(sk inspect --tls-verify=false --raw "docker://$registry/five:1" | jq -r .config.digest)
	line=$(grep -n "^PUT .*$config" "$files/proxy/log" | cut -d: -f1)
	[ "$(head -n "$line" "$files/proxy/log" | grep -c '^answers PUT .*/blobs/uploads/')" = 5 ]
	[ "$(sed -n 's/^answers PUT //p' "$files/proxy/log" | tail -1)" = /v2/sent/manifests/1 ]
}

@test "what the registry has is asked of three layers at once, of each once" {
	local method=HEAD
	pull "$registry/five:1"
	push "$registry/five:1" "$registry/asked:1"
	: >"$files/proxy/log"
	fault meet 1 2 3
	push "$registry/five:1" "$faulty/asked:2"
	[ "$(grep -c '^fault meet' "$files/proxy/log")" = 3 ]
	[ "$(grep -c '^HEAD /v2/asked/blobs/' "$files/proxy/log")" = 6 ]	# five layers, one config
	run ! grep -E '^(POST|PATCH|PUT) .*/blobs/' "$files/proxy/log"
}

@test "a layer that is not taken stops the others: one sentence, and no tag" {
	local method=PUT
	pull "$registry/five:1"
	fault hang 1 2
	fault denied 3
	fails 77 push "$registry/five:1" "$faulty/denied:1"
	says "nacre: layer 3 of graph:$registry/five:1: $faulty/denied refuses blob sha256:$(layer 3) (read only)"
	# shellcheck disable=SC2154
	[ "${#stderr_lines[@]}" = 1 ]
	run ! sk inspect --tls-verify=false "docker://$registry/denied:1"
	: >"$files/faults"
	push "$registry/five:1" "$faulty/denied:1"
}

@test "Ctrl-C stops all that go at once" {
	local method=PUT
	pull "$registry/five:1"
	fault hang 1 2 3
	start "$NACRE" push -q --tls-verify=false "$registry/five:1" "$faulty/stopped:1" 2>stderr
	for number in 1 2 3; do await "^fault hang .*$(layer $number)" "$files/proxy/log"; done
	interrupt
	run ! sk inspect --tls-verify=false "docker://$registry/stopped:1"
}

@test "a layer that an image has twice comes once" {
	local mode
	make_image docker twice.tar --name twice:1 --noise a=300000 --layer --noise b=310000 --layer --noise a=300000
	sk copy -q --dest-tls-verify=false docker-archive:twice.tar "docker://$registry/twice:1"
	for mode in keep drop; do
		: >"$files/proxy/log"
		NACRE_ROOT=$work/$mode pull --blobs $mode "$faulty/twice:1"
		[ "$(grep -c '^GET .*/blobs/' "$files/proxy/log")" = 3 ]	# and the config
		NACRE_ROOT=$work/$mode nacre check --full
	done
}

@test "no more lies in the store unread than half of what is to come, and 16 MiB; the rest comes when its turn has come" {
	local size limit there=0
	make_image docker large.tar --name large:1 --noise a=300000 $(for i in 1 2 3; do printf -- '--layer --big n%s=40000000 ' "$i"; done)
	nacre load -q -i large.tar
	push --compression none large:1 "$registry/large:none"
	rm -r large.tar "$NACRE_ROOT"
	sk inspect --tls-verify=false --raw "docker://$registry/large:none" >manifest
	size=$(jq '[.layers[].size] | add' manifest)
	limit=$((size / 3 + (2 * 16 << 20) / 3))
	echo "held 1 $(jq -r '.layers[0].digest' manifest | cut -d: -f2)" >"$files/faults"
	start "$NACRE" pull -q --tls-verify=false "$faulty/large:none"
	for _ in $(seq 1000); do
		there=$(lying)
		[ "$there" -lt $((limit - 500000)) ] || break
		sleep 0.05
	done
	[ "$there" -ge $((limit - 500000)) ]
	sleep 0.5
	[ "$(lying)" -le $((limit + 2000000)) ]
	: >"$files/faults"
	wait $pid
	nacre check --full
	[ ! -e "$NACRE_ROOT/blobs/partial" ]
}

@test "many layers, large ones: the memory stays small" {
	make_image docker large.tar --name large:1 $(for i in $(seq 8); do printf -- '--layer --noise n%s=16000000 ' "$i"; done)
	sk copy -q --dest-tls-verify=false docker-archive:large.tar "docker://$registry/large:1"
	rm large.tar
	small pull -q --tls-verify=false "$registry/large:1"
	nacre check --full
	small push -q --tls-verify=false "$registry/large:1" "$registry/sent/large:1"
	small push -q --tls-verify=false --compression zstd "$registry/large:1" "$registry/sent/large:zstd"
}

@test "progress: the grand total is of all layers, whatever is under way; a line a layer" {
	local sum from=$faulty/five:1 to=$registry/told:1
	sum=$(sk inspect --tls-verify=false --raw "docker://$registry/five:1" | jq '[.layers[].size] | add')
	fault delay 1 2 3 4 5
	TERM=xterm COLUMNS=120 nacre pull --progress tty --tls-verify=false "$from" 2>tty
	grep -aq "total [^ ]*B of $(awk "BEGIN { printf \"%.3gMB\", $sum / 1e6 }"), [^ ]*B/s, .* left" tty
	[ "$(grep -ac 'pulling layer [0-9a-f]*: done, ' tty)" = 5 ]
	nacre push --progress json --tls-verify=false "$from" "$to" 2>lines
	jq -se 'map(select(.status == "pushing layer: done")) | length == 5' lines
	jq -se --argjson sum "$sum" '[.[] | select(.status == "pushing layer")] | group_by(.id) | map(.[-1].progressDetail) |
		length == 5 and all(.current == .total) and (map(.total) | add) == $sum' lines
	nacre push --progress plain --tls-verify=false "$from" "$to" 2>plain
	[ "$(grep -c 'pushing layer [0-9a-f]*: there already' plain)" = 5 ]
	NACRE_ROOT=$work/json nacre pull --progress json --tls-verify=false "$from" 2>lines
	jq -se '[.[] | select(.id)] | group_by(.id) | length == 5 and all(.[-1].status == "pulling layer: done")' lines
	NACRE_ROOT=$work/other nacre pull --progress plain --tls-verify=false "$from" 2>plain
	[ "$(grep -c 'pulling layer [0-9a-f]*: done, ' plain)" = 5 ]
	[ "$(tail -1 plain | grep -c '^total .*/s$')" = 1 ]
}

@test "two pulls of images that share layers do not disturb each other" {
	make_image docker other.tar --name other:1 --noise a=300000 --layer --noise b=310000 --layer --noise x=500000
	sk copy -q --dest-tls-verify=false docker-archive:other.tar "docker://$registry/other:1"
	fault delay 1 2 3 4 5
	start "$NACRE" pull -q --tls-verify=false "$faulty/five:1"
	pull "$faulty/other:1"
	wait $pid
	nacre check --full
	[ ! -e "$NACRE_ROOT/blobs/partial" ]
	[ "$(nacre images -q | wc -l)" = 2 ]
}
