#!/usr/bin/env bats
# A push through a proxy that does everything wrong: it succeeds after retries, or fails with one clear line and no tag.

load helpers

setup_file() {
	make_files
	export NACRE_HTTP_TIMEOUT=3
	make_image docker "$files/app.tar" --name app:1 --file etc/motd=hello --big data=3000000 --layer --file etc/new=new
	start_registry real
	serve foreign foreign
	foreign=127.0.0.1:$port
	start_faulty --foreign "$foreign"
	export NACRE_ROOT=$files/store
	"$NACRE" load -q -i "$files/app.tar"
}
teardown_file() { drop_files; }
setup() {
	work=$files/work.$BATS_TEST_NUMBER
	mkdir "$work"
	cd "$work" || return 1
}

# with FAULT TIMES PART REPOSITORY
with() {
	echo "${*:1:3}" >"$files/faults"
	push --compression none --creds me:se-cret app:1 "$faulty/$4:1"
}
whole() { sk copy -q --src-tls-verify=false "docker://$registry/$1:1" "dir:$work/$1"; }
nobody_else_knows() { run ! grep 'authorization=[^-]' "$files/foreign/log"; }

@test "passing faults are overcome" {
	local fault part n=0
	for fault in 429 500 503 drop silent delay; do
		for part in HEAD:/blobs/ POST:/uploads/ PATCH:/uploads/ PUT:/uploads/ PUT:/manifests/; do
			n=$((n + 1))
			with "$fault" 1 "$part" "app$n"
			seen "$fault"
			whole "app$n"
		done
	done
	nobody_else_knows
}

@test "an upload that breaks goes on where it broke" {
	with half 2 PATCH:/uploads/ half
	seen half
	whole half
	# what came after the breaks was the second half, and the half of that
	[ "$(grep -c '^PATCH /v2/half/' "$files/proxy/log")" = 3 ]
	[ "$(grep -c '^POST /v2/half/' "$files/proxy/log")" = 3 ]	# two layers, one config
}

@test "an upload that cannot go on begins anew" {
	with lost 1 PATCH:/uploads/ lost
	seen lost
	whole lost
	[ "$(grep -c '^POST /v2/lost/' "$files/proxy/log")" = 4 ]
}

@test "one who finds a request too large gets smaller ones" {
	make_image docker "$work/large.tar" --name large:1 --big data=40000000
	echo "413 1 PATCH:/uploads/" >"$files/faults"
	nacre copy -q --compression none --tls-verify=false docker-archive:large.tar "docker://$faulty/large:1"
	whole large
	[ "$(grep -c '^PATCH /v2/large/' "$files/proxy/log")" = 4 ]
}

@test "what does not pass fails with one line, and there is no tag" {
	local fault part n=0
	for fault in 503 drop circle headers 413; do
		for part in POST:/uploads/ PATCH:/uploads/ PUT:/manifests/; do
			n=$((n + 1))
			fails 69 with "$fault" 1000 "$part" "none$n"
			[ -z "$(sk list-tags --tls-verify=false "docker://$registry/none$n" 2>/dev/null | jq -r '.Tags[]?')" ]
		done
	done
	fails 77 with denied 1000 POST:/uploads/ denied
	says "read only"
	fails 65 with liar 1000 PUT:/manifests/ liar
	fails 65 with liar 1000 PUT:/uploads/ liar2
	nobody_else_knows
}

@test "who is led to other hosts sends them no credentials, whatever they ask for" {
	run with elsewhere 1 POST:/uploads/ elsewhere
	fails 77 with login 1000 HEAD:/blobs/ login
	fails 77 with login 1000 POST:/uploads/ login
	grep -q '^HEAD /login' "$files/foreign/log"
	run ! grep /token "$files/foreign/log"
	nobody_else_knows
}

@test "a push that is killed leaves no tag; the next one sends what is missing" {
	echo "hang 1 PATCH:/uploads/" >"$files/faults"
	: >"$files/proxy/log"
	start "$NACRE" push -q --tls-verify=false --compression none app:1 "$faulty/killed:1"
	await '^fault hang' "$files/proxy/log"
	kill -KILL $pid
	wait $pid || true
	[ -z "$(sk list-tags --tls-verify=false "docker://$registry/killed" 2>/dev/null | jq -r '.Tags[]?')" ]
	nacre check
	digest=$(with none 0 - killed)
	whole killed
	[ "sha256:$(sha256sum "$work/killed/manifest.json" | cut -d' ' -f1)" = "$digest" ]
}
