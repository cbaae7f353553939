load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

load_app() {
	make_app app.tar
	id=$(nacre load -q app.tar)
}

is_mounted() {
	grep -q " $1 " /proc/self/mountinfo
}

@test "mount, look, mount again, umount, umount again" {
	load_app
	path=$(nacre mount app:1)
	is_mounted "$path"
	is "$(cat "$path/etc/motd")" changed
	[ ! -e "$path/etc/old" ]
	refute touch "$path/x"
	is "$(nacre mount app:1)" "$path"
	is "$(nacre mount | grep -c "$path")" 1
	nacre mount --json | jq -e --arg p "$path" --arg id "$id" '. == [{id: $id, path: $p, names: ["docker.io/library/app:1"]}]'
	nacre umount app:1
	refute is_mounted "$path"
	nacre umount app:1
	is "$(nacre mount --json)" "[]"
}

@test "a directory of one's own" {
	load_app
	mkdir here there
	is "$(nacre mount app:1 here)" "$work/here"
	is "$(nacre mount app:1 "$work/here")" "$work/here"
	nacre mount app:1 there >/dev/null
	is "$(nacre mount --format '{{.Path}}' | sort | paste -sd ' ')" "$work/here $work/there"
	nacre umount here
	refute is_mounted "$work/here"
	is_mounted "$work/there"
	nacre umount -a
	refute is_mounted "$work/there"
	fails 2 nacre mount app:1 missing
	nacre umount here
	fails 2 nacre umount missing
	fails 64 nacre umount
	fails 64 nacre umount -a here
}

@test "a mounted image is not removed" {
	load_app
	path=$(nacre mount app:1)
	fails 1 nacre rmi app:1
	says mounted
	fails 1 nacre rmi -f "$id"
	is "$(cat "$path/etc/motd")" changed
	nacre images -q | grep -q .
	nacre umount "$path"
	nacre rmi app:1 >/dev/null
	is "$(nacre images -q)" ""
}

@test "an image without layers is an empty root of its own" {
	make_image docker none.tar --name none:1 --no-layer
	for driver in vfs overlay erofs; do
		works $driver || continue
		export NACRE_ROOT=$work/$driver
		none=$(nacre --driver $driver load -q none.tar)
		path=$(nacre mount none:1)
		is_mounted "$path"
		is "$(stat -c '%a %u:%g %Y %F' "$path")" "755 0:0 0 directory"
		is "$(find "$path" -mindepth 1)" ""
		refute touch "$path/x"
		refute mkdir "$path/x"
		is "$(nacre mount none:1)" "$path"
		fails 1 nacre rmi none:1
		says mounted
		mkdir -p here
		is "$(nacre mount none:1 here)" "$work/here"
		nacre umount none:1
		refute is_mounted "$path"
		refute is_mounted "$work/here"
		is "$(nacre ls none:1)" ""
		is "$(nacre ls -R none:1)" ""
		fails 2 nacre cat none:1:/etc
		is "$(nacre diff none:1)" ""
		is "$(nacre export none:1 | tar -tvf - --numeric-owner --utc | tr -s ' ')" "drwxr-xr-x 0/0 0 1970-01-01 00:00 ./"
		for format in docker-archive oci-archive; do
			nacre save --format $format -o saved.tar none:1
			is "$(NACRE_ROOT=$work/again nacre load -q saved.tar)" "$none"
			rm -rf again saved.tar
		done
		nacre rmi none:1 >/dev/null
		is_clean
	done
}

@test "all drivers mount the same tree" {
	make_app app.tar
	for driver in vfs overlay erofs; do
		works $driver || continue
		export NACRE_ROOT=$work/$driver
		nacre --driver $driver load -q app.tar >/dev/null
		path=$(nacre mount app:1)
		# of a directory each file system says another size
		(cd "$path" && find . ! -path . -printf '%P %y %m %U %G %T@' \( -type d -printf '\n' -o -printf ' %s\n' \) | sort) >$driver.list
		nacre umount -a
	done
	cmp vfs.list overlay.list
	[ ! -e erofs.list ] || cmp vfs.list erofs.list
}

@test "the example program loads, lists and mounts" {
	local example
	example=$(dirname "$NACRE")/examples/list
	[ -x "$example" ] || skip "not built"
	make_app app.tar
	mkdir here
	"$example" "$NACRE_ROOT" app.tar here >out 2>/dev/null
	grep -q '^loaded [0-9a-f]\{64\}$' out
	grep -q 'docker.io/library/app:1 .* in 2 layers' out
	grep -qx 'found etc' out
	refute is_mounted "$work/here"
}
