# A store moves to another driver: whole, verified, and whatever happens on the way.
load helpers

driver_is() { # NAME: of the store; no other has trees, and nothing of a migration is left
	local other
	is "$(nacre info --format '{{.Driver}}')" "$1"
	for other in overlay vfs btrfs erofs; do
		[ "$other" = "$1" ] || refute test -e "$NACRE_ROOT/$other"
	done
	refute test -e "$NACRE_ROOT/nacre.migrate"
	is "$(ls "$NACRE_ROOT/graph/_tmp")" ""
}

# What must not change: nodes, and the bytes of each layer.
print_store() {
	local id
	nacre images --no-trunc --format '{{.Name}} {{.ID}} {{.Size}}'
	nacre graph ls --no-trunc --format '{{.ID}} {{.DiffID}}' | sort | while read -r id _; do
		echo "$id $(nacre graph tar "$id" 2>/dev/null | sha256sum)"
	done
	# of directories that no layer mentions each driver of then made something else
	nacre export "${1:-app:1}" >export.tar
	tar tf export.tar
	tar xOf export.tar | sha256sum
}

# Starts the command in the background with SIGINT as a terminal would have it.
start() { # COMMAND…
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" 3>&- &
	pid=$!
}

@test "to erofs, which keeps the tars, and back, where records are made" {
	need_root
	make_app app.tar
	nacre --driver erofs load -q app.tar || skip "no erofs here"
	print_store >before
	refute ls "$NACRE_ROOT"/graph/*/tar-data.json.gz
	nacre migrate -q --driver vfs
	driver_is vfs
	print_store >after
	diff before after
	nacre migrate -q --driver erofs
	driver_is erofs
	print_store >after
	diff before after
	nacre check -q
}

@test "from vfs to overlay and back" {
	need_root
	make_app app.tar
	nacre --driver vfs load -q app.tar
	print_store >before
	has "$(nacre migrate --driver overlay --dry-run)" '2 of 2 layers would be moved from vfs to overlay.'
	driver_is vfs
	is "$(nacre migrate -q --driver overlay)" 'Moved the store from vfs to overlay: 2 layers.'
	driver_is overlay
	print_store | diff before -
	mkdir mnt
	nacre mount app:1 mnt >/dev/null
	is "$(cat mnt/etc/motd)" changed
	fails 1 nacre migrate --driver vfs
	says 'is mounted at'
	nacre umount app:1
	is "$(nacre migrate -q --driver overlay)" 'The store has driver overlay.'
	is "$(nacre migrate -q --driver vfs --format '{{.Moved}} {{.From}} {{.To}}')" '2 overlay vfs'
	driver_is vfs
	print_store | diff before -
	# and it goes on as before
	make_image docker more.tar --name more:1 --file more=1
	nacre load -q more.tar
	is "$(nacre cat more:1:/more)" 1
	nacre rmi app:1
}

@test "what cannot be" {
	make_app app.tar
	nacre --driver vfs load -q app.tar
	fails 64 nacre migrate
	says '--driver'
	fails 64 nacre migrate --driver zfs
	says "no driver is called 'zfs'"
	fails 1 nacre migrate --driver memory
	fails 1 nacre migrate --driver aufs
	fails 64 nacre migrate --driver vfs operand
	fails 2 nacre --root "$work/none" migrate --driver vfs
	nacre create app:1 w >/dev/null
	fails 1 nacre migrate --driver overlay
	says 'writable layer'
	nacre rm w
	driver_is vfs
}

@test "roots of 2015, with every driver of then, move to one of today" {
	need_root
	local driver to name
	for driver in vfs overlay aufs; do
		rm -rf store out
		"$stories/../root2015/make.py" "$NACRE_ROOT" out --driver $driver
		print_store web:1.0 >before
		to=overlay
		[ $driver != overlay ] || to=vfs
		has "$(nacre migrate --driver $to --dry-run)" "from $driver to $to"
		nacre migrate -q --driver $to >/dev/null
		is "$(nacre info --format '{{.Driver}}')" $to
		print_store web:1.0 | diff before -
		while read -r name id; do
			[ ! -s "out/$name.tar" ] || nacre graph tar "$id" | cmp - "out/$name.tar"
		done <out/ids
		mkdir -p mnt
		nacre mount web:1.0 mnt >/dev/null
		is "$(cat mnt/etc/motd)" changed
		nacre umount web:1.0
	done
}

@test "without records the changes of the trees are moved" {
	need_root
	"$stories/../root2015/make.py" "$NACRE_ROOT" out --driver overlay --writer none
	print_store web:1.0 >before
	nacre migrate -q --driver vfs >/dev/null
	print_store web:1.0 | diff before -
	# what was in trees that share their files is now in trees of the layers
	nacre migrate -q --driver overlay >/dev/null
	print_store web:1.0 | diff before -
	is "$(find "$NACRE_ROOT/overlay" -mindepth 2 -maxdepth 2 -name diff | wc -l)" "$(nacre graph ls -q | wc -l)"
}

@test "a damaged layer is named, and nothing switches" {
	need_root
	make_app app.tar
	make_image docker more.tar --name more:1 --file more=1
	nacre --driver vfs load -q app.tar
	nacre load -q more.tar
	for file in "$NACRE_ROOT"/vfs/dir/*/more; do printf X >"$file"; done
	run --separate-stderr nacre migrate -q --driver overlay
	is "$status" 65
	says "$(nacre inspect --format '{{index .Layers 0 "id"}}' more:1 2>/dev/null | cut -c1-12)"
	says 'nacre: migrate: 1 of 3 layers cannot be moved; the store stays with driver vfs'
	is "$(nacre info --format '{{.Driver}}')" vfs
	is "$(nacre cat app:1:/etc/motd)" changed
	nacre rmi more:1 >/dev/null
	is "$(nacre migrate -q --driver overlay --format '{{.Moved}}')" 0
	driver_is overlay
}

@test "killed, at any moment, it goes on" {
	need_root
	local i
	make_image docker app.tar --name app:1 --big a=300000 --layer --big b=300000 --layer --big c=300000 --layer --big d=300000
	nacre --driver vfs load -q app.tar
	print_store >before
	for i in 0.01 0.02 0.03 0.05 0.08 0.13; do
		killed_after $i "$NACRE" migrate -q --driver overlay >/dev/null 2>&1 || true
		print_store | diff before -
	done
	nacre migrate -q --driver overlay >/dev/null
	driver_is overlay
	print_store | diff before -
	for i in 0.01 0.02 0.03 0.05; do
		killed_after $i "$NACRE" migrate -q --driver vfs >/dev/null 2>&1 || true
	done
	# given up
	[ "$(nacre info --format '{{.Driver}}')" = vfs ] || nacre migrate -q --driver overlay >/dev/null
	nacre migrate -q --driver "$(nacre info --format '{{.Driver}}')" >/dev/null
	driver_is "$(nacre info --format '{{.Driver}}')"
	print_store | diff before -
}

@test "interrupted it keeps what it has, and others are told to wait" {
	need_root
	make_image docker app.tar --name app:1 --big a=20000000 --layer --big b=20000000 --layer --big c=20000000
	nacre --driver vfs load -q app.tar
	start "$NACRE" migrate --driver overlay >/dev/null 2>log
	while [ ! -e "$NACRE_ROOT/nacre.migrate/plan" ]; do kill -0 $pid; sleep 0.01; done
	kill -STOP $pid	# it must not be done before the others have asked
	fails 75 nacre images
	says 'it is being migrated to another driver'
	fails 75 nacre load app.tar
	kill -INT $pid
	kill -CONT $pid
	local code=0
	wait $pid || code=$?
	is $code 130
	has "$(cat log)" 'the same command goes on with it'
	is "$(nacre info --format '{{.Driver}}')" vfs
	nacre migrate -q --driver overlay >/dev/null
	driver_is overlay
}

@test "to btrfs and from it" {
	need_root
	command -v mkfs.btrfs >/dev/null || skip "needs mkfs.btrfs"
	truncate -s 300M disk
	mkfs.btrfs -q disk >/dev/null 2>&1
	mkdir store
	mount -o loop disk store || skip "needs loop devices"
	export NACRE_ROOT=$work/store/s
	make_app app.tar
	nacre --driver overlay load -q app.tar
	print_store >before
	nacre migrate -q --driver btrfs >/dev/null
	driver_is btrfs
	print_store | diff before -
	is "$(find "$NACRE_ROOT/btrfs/subvolumes" -mindepth 1 -maxdepth 1 -inum 256 | wc -l)" 2
	nacre migrate -q --driver vfs >/dev/null
	driver_is vfs
	print_store | diff before -
	nacre migrate -q --driver btrfs >/dev/null
	nacre rmi app:1 >/dev/null
	is "$(ls "$NACRE_ROOT/btrfs/subvolumes")" ""
	# one of 2015
	export NACRE_ROOT=$work/store/old
	"$stories/../root2015/make.py" "$NACRE_ROOT" out --driver btrfs
	print_store web:1.0 >before
	nacre migrate -q --driver overlay >/dev/null
	print_store web:1.0 | diff before -
	umount store
}
