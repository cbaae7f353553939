# A registry on loopback for every file, a work directory and a store for every test. $NACRE is the command.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../story/start

# start_registry NAME [YAML]: serves $files/NAME on a free port; its address becomes $registry.
start_registry() {
	local dir=$files/$1 port
	mkdir -p "$dir/data"
	printf 'version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:0", secret: tests}\n%s\n' \
		"$dir" "${2:-}" >"$dir/config.yml"
	: >"$dir/log"
	env -u REGISTRY_AUTH_FILE docker-registry serve "$dir/config.yml" >>"$dir/log" 2>&1 3>&- &
	echo $! >>"$files/pids"
	for _ in $(seq 600); do
		port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/log")
		[ -z "$port" ] || { registry=localhost:$port; export registry; return 0; }
		sleep 0.05
	done
	cat "$dir/log"
	return 1
}

# serve NAME ARGUMENT...: one of servers.py, which logs to $files/NAME/log; its port becomes $port.
serve() {
	local name=$1
	shift
	mkdir -p "$files/$name"
	: >"$files/$name/log"
	python3 "$BATS_TEST_DIRNAME/servers.py" "$@" >>"$files/$name/log" 2>&1 3>&- &
	echo $! >>"$files/pids"
	for _ in $(seq 600); do
		port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$files/$name/log")
		[ -z "$port" ] || return 0
		sleep 0.05
	done
	cat "$files/$name/log"
	return 1
}

# The registry $registry as $faulty too: through a proxy that does what $files/faults says.
start_faulty() { # PROXY-OPTION…
	: >"$files/faults"
	serve proxy proxy --upstream "$registry" --faults "$files/faults" "$@"
	export faulty=localhost:$port
}
seen() { grep -q "^fault $1 " "$files/proxy/log"; }	# FAULT

# Requests that the registry NAME has answered since the last "mark NAME", one a line: "GET /v2/app/manifests/1".
requests() { # NAME
	tail -n "+$(($(cat "$files/$1/mark" 2>/dev/null || echo 0) + 1))" "$files/$1/log" |
		sed -n 's/.*"\(GET\|HEAD\|PUT\|POST\|PATCH\|DELETE\) \(\/[^ ]*\) HTTP.*/\1 \2/p'
}
mark() { wc -l <"$files/$1/log" >"$files/$1/mark"; }

make_files() {
	: "${NACRE:?the path of the command}"
	files=$(mktemp -d "${TMPDIR:-/var/tmp}/nacre-registry.XXXXXX")
	export files LC_ALL=C.UTF-8
	export CONTAINERS_REGISTRIES_CONF=$files/registries.conf NACRE_HTTP_RETRIES=2
	unset REGISTRY_AUTH_FILE NACRE_DRIVER SOURCE_DATE_EPOCH http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
	: >"$files/registries.conf"
}

drop_files() {
	[ -n "${files:-}" ] || return 0
	local pid
	while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$files/pids"
	rm -rf "$files"
}

setup() {
	work=$files/work.$BATS_TEST_NUMBER
	mkdir "$work"
	export NACRE_ROOT=$work/store
	cd "$work" || return 1
}

teardown() {
	cd /
	rm -rf "${work:?}"
}

nacre() { "$NACRE" "$@"; }
pull() { "$NACRE" pull -q --tls-verify=false "$@"; }
push() { "$NACRE" push -q --tls-verify=false "$@"; }
sk() { skopeo --insecure-policy "$@"; }
digest_at() { sk inspect --tls-verify=false --format '{{.Digest}}' "docker://$registry/$1"; }
# Waits until a line in a file fits a pattern.
await() { # PATTERN FILE
	for _ in $(seq 600); do
		! grep -q "$1" "$2" || return 0
		sleep 0.05
	done
	return 1
}
make_image() { "$BATS_TEST_DIRNAME/../story/make-image" "$@"; }

# fails CODE COMMAND…: ends with that code; its last line on stderr begins with "nacre: ", and nothing is on stdout.
fails() {
	local code=$1
	shift
	run --separate-stderr "$@"
	stderr=${stderr##*$'\n'}
	# shellcheck disable=SC2154
	if [ "$status" != "$code" ] || [ -n "$output" ] || [[ $stderr != "nacre: "* ]]; then
		printf 'expected exit %s and a line, got %s\nstdout: %s\nstderr: %s\n' "$code" "$status" "$output" "$stderr"
		return 1
	fi
}
says() { [[ $stderr == *"$1"* ]] || { printf 'not in: %s\n' "$stderr"; return 1; }; }
# Ctrl-C for what was started with its stderr in the file of that name: it ends at once, and says so.
interrupt() {
	local code=0
	kill -INT "$pid"
	wait "$pid" || code=$?
	[ $code = 130 ]
	[ "$(cat stderr)" = "nacre: interrupted; the store is as it was" ]
}
