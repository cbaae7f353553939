# What every story begins with: a fresh store, and a directory to work in. $NACRE is the command.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

setup() {
	: "${NACRE:?the path of the command}"
	stories=$BATS_TEST_DIRNAME
	work=$(mktemp -d) || return 1
	export NACRE_ROOT=$work/store LC_ALL=C.UTF-8 TZ=UTC
	unset NACRE_DRIVER SOURCE_DATE_EPOCH NO_COLOR COLUMNS
	cd "$work" || return 1
}

# What is mounted below DIR, the deepest first. Nothing is below "", which would else be everything there is.
mounts_below() { # DIR
	[[ ${1:-} == /?* ]] || return 0
	awk -v top="${1%/}/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}

teardown() {
	cd /
	[ -n "${work:-}" ] || return 0	# an empty one would mean every mount there is
	if [ -e "$work/store/nacre.json" ]; then
		"$NACRE" umount -a >/dev/null 2>&1 || true
	fi
	# what a failed test left mounted
	mounts_below "$work" | while read -r path; do umount -l "$path"; done
	rm -rf "$work"
}

nacre() {
	"$NACRE" "$@"
}

# killed_after SECONDS COMMAND…: kills it then, and returns when it is gone: one that is in a sync still has its locks. Fails
# when it was killed.
killed_after() {
	local delay=$1 victim
	shift
	"$@" 3>&- &
	victim=$!
	sleep "$delay"
	kill -KILL "$victim" 2>/dev/null || true
	wait "$victim" 2>/dev/null
}

make_image() {
	"$stories/make-image" "$@"
}

# The image that most stories use: two layers, the upper one changes and deletes.
make_app() { # FILE [OPTION…]
	make_image docker "$1" --name app:1 --dir etc --file etc/motd=hello --file etc/old=old --big data=5000 \
		--link etc/link=motd --cmd /bin/app --label team=web \
		--layer --by 'COPY new files' --file etc/new=new --delete etc/old --file etc/motd=changed "${@:2}"
}

# fails CODE COMMAND…: ends with that code, with one line that begins with "nacre: " on stderr and nothing on stdout.
fails() {
	local code=$1
	shift
	run --separate-stderr "$@"
	# shellcheck disable=SC2154
	if [ "$status" != "$code" ] || [ -n "$output" ] || [[ $stderr != "nacre: "* ]] ||
		[ "$(printf '%s\n' "$stderr" | grep -c '')" != 1 ]; then
		printf 'expected exit %s and one line, got %s\nstdout: %s\nstderr: %s\n' "$code" "$status" "$output" "$stderr"
		return 1
	fi
}

says() { # PATTERN: the error line of the last fails has it
	[[ $stderr == *"$1"* ]] || { printf 'not in: %s\n' "$stderr"; return 1; }
}

refute() { # COMMAND…: it must fail
	if "$@"; then
		printf 'did not fail: %s\n' "$*"
		return 1
	fi
}

is() { # ACTUAL EXPECTED
	[ "$1" = "$2" ] || { printf 'got:      %s\nexpected: %s\n' "$1" "$2"; return 1; }
}

has() { # TEXT PATTERN
	[[ $1 == *"$2"* ]] || { printf "'%s' is not in:\n%s\n" "$2" "$1"; return 1; }
}

hasnt() { # TEXT PATTERN
	[[ $1 != *"$2"* ]] || { printf "'%s' is in:\n%s\n" "$2" "$1"; return 1; }
}

# Everything of the store but the catalog, by content: to see that nothing changed.
store_print() {
	(cd "$NACRE_ROOT" && find . -type f ! -name 'catalog.db*' ! -path './graph/_tmp/*' -exec sha256sum {} + | sort -k 2)
}

# A store that nothing half-made was left in.
is_clean() {
	local left
	left=$(find "$NACRE_ROOT/graph/_tmp" -mindepth 1 2>/dev/null | head -5)
	[ -z "$left" ] || { printf 'left in the store:\n%s\n' "$left"; return 1; }
	is "$(nacre df --json | jq .rubbish_bytes)" 0
}

works() { # DRIVER: it does here
	nacre --root "$work/nothing-yet" info --json | jq -e --arg d "$1" '.drivers[] | select(.name == $d) | .works' >/dev/null
}

# Stories about files in the trees of layers have a driver that has such.
with_trees() {
	[ "$(nacre info --json | jq -r '.driver // [.drivers[] | select(.works)][0].name')" != erofs ] ||
		export NACRE_DRIVER=overlay
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}
