# Bad input: each time one clear line, the right exit code, and a store as it was.
load helpers

refused() { # CODE COMMAND…: as fails; and the store did not change
	make_image docker good.tar --name good:1 --file good=good
	nacre load -q good.tar >/dev/null
	local before after
	before=$(store_print)
	fails "$@"
	after=$(store_print)
	is "$after" "$before"
	is_clean
	is "$(nacre images --format '{{.Name}}')" good:1
}

@test "a file that is not there, is empty, or is something else" {
	refused 2 nacre load -i missing.tar
	says missing.tar
	: >empty
	refused 65 nacre load -q -i empty
	refused 65 nacre load -q </dev/null
	says "standard input"
	echo 'this is no archive at all, only a few words' >text
	refused 65 nacre load -q -i text
	mkdir directory
	refused 65 nacre load -q -i directory
	tar -cf plain.tar text
	refused 65 nacre load -q -i plain.tar
	head -c 100000 /dev/urandom >noise
	refused 65 nacre load -q -i noise
	fails 64 nacre load ''  || fails 2 nacre load ''
}

@test "a truncated archive" {
	make_app app.tar
	size=$(stat -c %s app.tar)
	for part in 1 2 3 5 7; do
		head -c $((size * part / 10)) app.tar >cut.tar
		refused 65 nacre load -q -i cut.tar
		refused 65 nacre load -q <cut.tar
	done
	gzip <app.tar | head -c 700 >cut.tar.gz
	refused 65 nacre load -q -i cut.tar.gz
}

@test "digests that do not fit" {
	for lie in layer config diff-id manifest; do
		make_app lie.tar --lie $lie
		refused 65 nacre load -q -i lie.tar
		refused 65 nacre load -q <lie.tar
	done
	for lie in layer config diff-id manifest size; do
		rm -rf layout
		make_image oci layout --name app:1 --gzip --file a=hello --lie $lie
		refused 65 nacre load -q layout
		make_image oci-archive layout.tar --name app:1 --file a=hello --lie $lie
		refused 65 nacre load -q layout.tar
	done
}

@test "members that point outside" {
	make_image docker evil.tar --name evil:1 --link escape="$work" --file escape/caught=yes
	run nacre --root "$work/evil" load -q -i evil.tar
	[ ! -e "$work/caught" ]
	make_image docker evil.tar --name evil:1 --file ../../../../caught=yes
	refused 65 nacre load -q -i evil.tar
	[ ! -e "$work/caught" ]
}

@test "a layout with a blob missing" {
	make_image oci layout --name app:1 --file a=1 --layer --file b=2
	rm "layout/blobs/sha256/$(find layout/blobs/sha256 -type f -size +1k -printf '%f\n' | head -1)"
	run --separate-stderr nacre load -q layout
	[ "$status" = 65 ] || [ "$status" = 2 ]
	is "$(nacre images -q)" ""
}

@test "names that match nothing, or several" {
	refused 2 nacre history missing
	says "nacre images"
	refused 2 nacre rmi missing
	refused 2 nacre save -o out.tar missing
	[ ! -e out.tar ]
	refused 2 nacre save -o out.tar good:1 missing
	[ ! -e out.tar ]
	refused 2 nacre export -o out.tar missing
	[ ! -e out.tar ]
	refused 2 nacre mount missing
	refused 2 nacre cat missing:/x
	refused 2 nacre history 0123456789ab
	for i in $(seq 20); do
		printf '%s ' --image --name "many:$i" --file "f=$i"
	done >words
	# shellcheck disable=SC2046
	make_image docker many.tar --name first:1 --file x=y $(cat words)
	nacre load -q many.tar >ids
	# with 22 images some two share their first digit
	digit=$(nacre images -q | cut -c 1 | sort | uniq -d | head -1)
	fails 1 nacre history "$digit"
	says "$digit"
}

@test "a directory that is no store" {
	mkdir other
	echo precious >other/file
	for command in "load -q -i good.tar" images info; do
		make_image docker good.tar --name good:1 --file good=good
		# shellcheck disable=SC2086
		fails 1 nacre --root other $command
		says other
	done
	is "$(ls other)" file
	chmod 755 other
	fails 1 nacre --root other images
	is "$(stat -c %a other)" 755
	fails 1 nacre --root other/file images || fails 2 nacre --root other/file images
	fails 2 nacre --root no/such/place load -q -i good.tar
	says "No such file"
}

@test "a store of a newer layout, and a damaged one" {
	make_image docker good.tar --name good:1 --file good=good
	nacre load -q good.tar
	cp "$NACRE_ROOT/nacre.json" kept
	sed -i 's/"layout": *1/"layout":99/' "$NACRE_ROOT/nacre.json"
	fails 1 nacre images
	says 99
	echo '{' >"$NACRE_ROOT/nacre.json"
	fails 65 nacre images
	cp kept "$NACRE_ROOT/nacre.json"
	nacre images -q | grep -q .
}

@test "a driver that is not there, or not the store's" {
	make_image docker good.tar --name good:1 --file good=good
	fails 1 nacre --driver nonsense load -q good.tar || fails 64 nacre --driver nonsense load -q good.tar
	nacre --driver vfs load -q good.tar
	fails 1 nacre --driver overlay images
	says vfs
	is "$(NACRE_DRIVER=vfs nacre info --format '{{.Driver}}')" vfs
}

@test "a full disk" {
	need_root
	make_image docker big.tar --name big:1 --big zeros=3000000
	make_image docker good.tar --name good:1 --file good=good
	mkdir small
	mount -t tmpfs -o size=2m none small
	export NACRE_ROOT=$work/small/store
	nacre load -q good.tar
	fails 73 nacre load -q big.tar
	is "$(nacre images --format '{{.Name}}')" good:1
	is_clean
	# nobody knows how much comes out of a pipe
	run --separate-stderr bash -c 'gzip -c big.tar | "$NACRE" import -q - big:2'
	is "$status" 73
	is "$(nacre images --format '{{.Name}}')" good:1
	is_clean
	# results that cannot be written
	export NACRE_ROOT=$work/store
	nacre load -q big.tar
	run --separate-stderr bash -c '"$NACRE" images >/dev/full'
	is "$status" 73
	run --separate-stderr bash -c '"$NACRE" save -q big:1 >/dev/full'
	is "$status" 73
	run --separate-stderr bash -c '"$NACRE" export -q big:1 >/dev/full'
	is "$status" 73
	run --separate-stderr bash -c '"$NACRE" cat big:1:/zeros >/dev/full'
	is "$status" 73
	fails 73 nacre save -q -o small/out.tar big:1
	fails 73 nacre export -q -o small/out.tar big:1
	is "$(ls small)" store
	umount small
}

@test "a pipe whose reader has gone is no news" {
	make_image docker big.tar --name big:1 --big zeros=3000000
	nacre load -q big.tar
	for command in "save -q big:1" "export -q big:1" "cat big:1:/zeros"; do
		# shellcheck disable=SC2086
		{ nacre $command 2>err || echo $? >code; } | head -c 10 >/dev/null
		is "$(cat err)" ""
		is "$(cat code)" 1
	done
	# a table longer than one buffer
	for i in $(seq 200); do
		nacre tag big:1 "a-name-that-is-long-enough-to-fill-a-buffer-or-two:$i"
	done
	{ nacre images 2>err || echo $? >code; } | true
	is "$(cat err)" ""
	is "$(cat code)" 1
	run --separate-stderr bash -c '"$NACRE" images >&-'
	is "$status" 1
}

@test "an ordinary user" {
	need_root
	make_image docker good.tar --name good:1 --file good=good
	nacre load -q good.tar
	chmod 755 "$work"
	local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	"${nobody[@]}" true || skip "no setpriv"
	cp "$NACRE" "$work/nacre"
	export LD_LIBRARY_PATH
	LD_LIBRARY_PATH=$(dirname "$NACRE")
	"${nobody[@]}" "$work/nacre" version || skip "the library cannot be read by others"
	fails 77 "${nobody[@]}" "$work/nacre" images
	says "--root"
	fails 77 "${nobody[@]}" "$work/nacre" load -q good.tar
	# a store of their own
	mkdir home
	chown 65534:65534 home
	unset NACRE_ROOT
	"${nobody[@]}" env HOME="$work/home" "$work/nacre" info --json | jq -e --arg r "$work/home/.local/share/nacre" '.root == $r'
	"${nobody[@]}" env XDG_DATA_HOME="$work/home/data" "$work/nacre" info --json | jq -e --arg r "$work/home/data/nacre" '.root == $r'
	# which does not help where the owners of files are somebody else
	chmod 644 good.tar
	fails 77 "${nobody[@]}" env HOME="$work/home" "$work/nacre" load -q -i good.tar
	says "(run as root)"
}

@test "errors can be asked for their code" {
	run --separate-stderr nacre --log-level debug load -q -i missing.tar
	is "$status" 2
	has "$stderr" "debug: code -4 (not found)"
}

@test "damage in one image does not hide the others" {
	make_image docker two.tar --name one:1 --file x=1 --image --name two:1 --file y=2
	nacre load -q two.tar >ids
	one=$(head -1 ids)
	printf '{' >"$NACRE_ROOT/graph/${one#sha256:}/config"
	rm -f "$NACRE_ROOT"/catalog.db*
	run --separate-stderr nacre images --format '{{.Name}}'
	is "$status" 0
	is "$output" two:1
	has "$stderr" "warning: 1 damaged image"
}

@test "a store on a file system that is read-only" {
	need_root
	make_image docker good.tar --name good:1 --file good=good
	nacre load -q good.tar
	mkdir frozen
	mount --bind store frozen
	mount -o remount,bind,ro frozen
	for command in images "ls good:1" "cat good:1:/good" "save -q -o saved.tar good:1" "export -q -o tree.tar good:1" df; do
		# shellcheck disable=SC2086
		nacre --root frozen $command >/dev/null
	done
	for command in "load -q good.tar" "rmi good:1" "tag good:1 other:1"; do
		# shellcheck disable=SC2086
		fails 77 nacre --root frozen $command
		says "Read-only file system"
	done
	umount frozen
}
