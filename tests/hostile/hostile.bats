# Images from strangers, by the behaviours B1 to B30 of docs/security.md: what they attack stays as it was, on each driver,
# and they are refused whole or do no more than an honest layer could.
bats_require_minimum_version 1.5.0
load ../story/helpers

make_image() {
	"$BATS_TEST_DIRNAME/../story/make-image" "$@"
}

hostile() { # OUT SCRIPT
	"$BATS_TEST_DIRNAME/make-hostile" "$@"
}

# Something of the host's that no image may touch.
make_victim() {
	mkdir -p "$work/victim"
	echo secret >"$work/victim/file"
	chmod 600 "$work/victim/file"
	touch -d @1000000000 "$work/victim/file" "$work/victim"
}

victim_is_whole() {
	is "$(stat -c '%a %u %Y %h' "$work/victim/file")" '600 0 1000000000 1'
	is "$(cat "$work/victim/file")" secret
	is "$(ls -A "$work/victim")" file
	is "$(stat -c %Y "$work/victim")" 1000000000
}

each_driver() { # FUNCTION: once with a store of each driver
	local driver
	for driver in erofs overlay vfs; do
		export NACRE_ROOT=$work/store-$driver NACRE_DRIVER=$driver
		rm -rf "$NACRE_ROOT"
		mkdir -p "$work/mnt-$driver"
		"$@" "$work/mnt-$driver" || { echo "driver $driver"; return 1; }
		nacre umount -a >/dev/null 2>&1 || true
	done
}

# refused SCRIPT WORDS…: the archive is bad data, the line says why, and no store shows anything of it.
refused() {
	hostile bad.tar "$1"
	each_driver refused_here "${@:2}"
}
refused_here() {
	local word
	fails 65 nacre load -q -i bad.tar
	for word in "${@:1:$#-1}"; do says "$word"; done
	is "$(nacre images -aq; nacre graph ls -q)" ""
	is "$(ls "$NACRE_ROOT/graph")" "_tmp"
	is "$(find "$NACRE_ROOT/graph/_tmp" "$NACRE_ROOT/$NACRE_DRIVER" -mindepth 1 ! -name l ! -name dir ! -name empty)" ""
}

# taken SCRIPT CHECK: it is loaded; each layer comes back byte for byte; then CHECK runs with the mount point as $1.
taken() {
	hostile image.tar "$1"
	each_driver taken_here "$2"
}
taken_here() {
	local chain diff
	nacre load -q -i image.tar >/dev/null
	while read -r chain diff; do
		is "sha256:$(nacre graph tar "$chain" | sha256sum | cut -d' ' -f1)" "$diff"
	done < <(nacre inspect hostile:1 | jq -r '.[0].layers[] | "\(.chain_id) \(.diff_id)"')
	nacre mount hostile:1 "$2" >/dev/null
	"$1" "$2"
}

@test "B1: no path leads out of the layer" {
	make_victim
	leads_nowhere() { victim_is_whole; is "$(find "$1" -name caught | wc -l)" 1; }
	taken "link('out', '$work/victim'); file('out/caught', b'x')" leads_nowhere
	taken "link('out', '$work/victim'); layer(); file('out/caught', b'x')" leads_nowhere
	taken "dir('d'); link('d/out', '../../../../../../../..$work/victim'); file('d/out/caught', b'x')" leads_nowhere
	taken "link('a', 'b'); link('b', '$work'); file('a/victim/caught', b'x')" leads_nowhere
	taken "file('$work/victim/caught', b'x')" leads_nowhere
	refused "file('../caught')" '..'
	refused "dir('d'); file('d/../../../caught')" '..'
	refused "file('..')" '..'
	victim_is_whole
}

@test "B2: the last component is replaced, never followed" {
	make_victim
	is_replaced() { victim_is_whole; is "$(cat "$1/f")" new; [ ! -L "$1/f" ]; }
	taken "link('f', '$work/victim/file'); file('f', b'new\n')" is_replaced
	taken "link('f', '$work/victim/file'); layer(); file('f', b'new\n')" is_replaced
	taken "hard_to = 'g'; file('g', b'g'); hard('f', 'g'); file('f', b'new\n')" is_replaced
}

@test "B3: no program is started to read a layer" {
	make_victim
	mkdir bin
	for program in xz gzip bzip2 zstd unpigz pigz tar; do
		printf '#!/bin/sh\ntouch %s/started\n' "$work" >"bin/$program"
		chmod +x "bin/$program"
	done
	hostile image.tar "file('f', b'x')"
	for program in xz bzip2 gzip zstd; do
		$program -c image.tar >"image.$program"
		PATH=$work/bin:$PATH nacre --root "$work/store-$program" load -q -i "image.$program" >/dev/null
	done
	[ ! -e started ]
}

@test "B4: names and digests that are paths are refused" {
	for name in ../evil '../../evil:1' '/evil' 'a/../b' '.:1' 'a:..' 'a:../x' 'A:1' 'a b'; do
		hostile bad.tar "file('f'); names(['$name'])"
		run nacre load -q -i bad.tar
		[ "$status" = 65 ] || [ -z "$(find . -name 'evil*')" ]
		is "$(find "$NACRE_ROOT" -path '*..*' -o -name 'evil*' | wc -l)" 0
	done
	refused "manifest('[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]')"
	refused "manifest('[{\"Config\":\"@CONFIG@\",\"Layers\":[\"../../../etc/passwd\"]}]')"
	for id in ../x .. '' "$(printf 'A%.0s' {1..64})" "$(printf 'a%.0s' {1..65})"; do
		fails 64 nacre graph raw "$id" || fails 2 nacre graph raw "$id"
	done
}

@test "B5: nothing in an image configures anything" {
	hostile image.tar "file('etc/f', b'x'); config(Labels={'nacre.root': '/', 'io.containers.mount': '/etc'}, Volumes={'$work/volume': {}}, \
		WorkingDir='$work/dir', User='0:0', Healthcheck={'Test': ['CMD', 'touch', '$work/ran']})"
	nacre load -q -i image.tar >/dev/null
	nacre mount hostile:1 >/dev/null
	is "$(mounts_below "$work" | grep -c '')" 1
	nacre umount hostile:1
	[ ! -e volume ] && [ ! -e dir ] && [ ! -e ran ]
}

@test "B6: what changes while it is read never leads out" {
	make_victim
	hostile image.tar "dir('d'); file('d/file', b'inside')"
	never_secret() {
		local swapper tries
		nacre load -q -i image.tar >/dev/null
		nacre create hostile:1 work >/dev/null
		nacre mount work "$1" >/dev/null
		mkdir "$1/e"
		echo inside >"$1/e/file"
		ln -s "$work/victim" "$1/l"
		# a directory and a link to the host's change places as fast as they can
		python3 -c '
import ctypes, sys
libc = ctypes.CDLL(None)
while libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2) == 0:
    pass' "$1/e" "$1/l" 3>&- &
		swapper=$!
		for tries in $(seq 25); do
			run "$NACRE" diff -q --tar - work
			hasnt "$output" secret
			run "$NACRE" commit -q work "race:$tries"
		done
		kill $swapper
		wait $swapper || true
		nacre umount "$1"
		while read -r id; do
			run "$NACRE" graph tar "$id"
			hasnt "$output" secret
		done < <(nacre graph ls -q)
		victim_is_whole
	}
	each_driver never_secret
}

@test "B7: the root can only be a directory" {
	refused "link('.', '/etc')" root
	refused "link('./', '/etc')" root
	refused "file('.', b'x')" root
	refused "hard('/', 'f')" root
	root_has_its_mode() { is "$(stat -c %a "$1")" 700; }
	taken "dir('.', mode=0o700); file('f')" root_has_its_mode
}

@test "B8: mode, owner, times and attributes never go through a link" {
	make_victim
	taken "link('f', '$work/victim/file', mode=0o777, uid=7, gid=7, mtime=5); dir('d'); link('d/l', '$work/victim', uid=9, mtime=9, \
		xattrs={'user.x': 'y'} if False else {})" victim_is_whole_at
	taken "link('l', '$work/victim'); layer(); dir('l', mode=0o777, uid=5, mtime=5)" victim_is_whole_at
}
victim_is_whole_at() { victim_is_whole; }

@test "B9: hard links stay inside, and link to no directory" {
	make_victim
	refused "hard('f', '$work/victim/file')" hard
	refused "hard('f', '../../../../../..$work/victim/file')"
	refused "link('out', '$work/victim'); hard('f', 'out/file')"
	refused "dir('d'); hard('f', 'd')"
	link_is_linked() { victim_is_whole; [ -L "$1/f" ]; is "$(readlink "$1/f")" "$work/victim/file"; }
	taken "link('l', '$work/victim/file'); hard('f', 'l')" link_is_linked
	victim_is_whole
}

@test "B10: a directory that became a link is a link" {
	make_victim
	leads_in() { victim_is_whole; [ ! -e "$work/victim/b" ]; }
	taken "dir('d'); file('d/a'); link('d', '$work/victim'); file('d/b', b'x')" leads_in
	taken "dir('d'); dir('d/e'); file('d/e/a'); link('d', '$work/victim'); file('d/e/b', b'x')" leads_in
	taken "dir('d'); file('d/.wh.e'); dir('d/e'); link('d/e', '$work/victim'); file('d/e/b')" leads_in
}

@test "B11: looking into an image follows links inside it, and opens files only" {
	make_victim
	hostile image.tar "link('f', '$work/victim/file'); link('d', '$work/victim'); node('fifo', 'p'); node('zero', 'c', 1, 5); link('loop', 'loop'); \
		link('up', '../../../../../../..$work/victim/file')"
	nacre load -q -i image.tar >/dev/null
	for path in f d/file up loop fifo zero; do
		run timeout 10 "$NACRE" cat "hostile:1:/$path"
		[ "$status" != 0 ] && [ "$status" != 124 ]
		hasnt "$output" secret
	done
	run nacre ls hostile:1:/d
	hasnt "$output" file
}

@test "B12: mounts are made by descriptor, and nothing in an image says where" {
	make_victim
	hostile image.tar "dir('d'); file('d/f'); layer(); link('proc', '$work/victim'); link('dev', '$work/victim'); link('work', '$work/victim'); \
		link('diff', '$work/victim'); link('merged', '$work/victim')"
	by_descriptor() {
		local calls=trace=mount,umount2,move_mount,open_tree,fsconfig,mkdir,mkdirat
		nacre load -q -i image.tar >/dev/null
		nacre create hostile:1 work >/dev/null
		ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e $calls "$NACRE" mount hostile:1 "$1" >/dev/null
		mkdir -p "$1-work"
		ASAN_OPTIONS=detect_leaks=0 strace -f -o trace-work -e $calls "$NACRE" mount work "$1-work" >/dev/null
		nacre bundle work "$1-bundle" >/dev/null
		# what is mounted, and where, is a descriptor; a path is one of the store's own that no layer can name
		cat trace trace-work >traces
		is "$(grep -cE 'move_mount\([0-9]+, "", [0-9]+, ""' traces)" 2
		is "$(grep -E '(^|[^_])mount\("|umount2\("|open_tree\([^,]*, "[^"]' traces)" ""
		is "$(grep -E 'fsconfig.*/(d|proc|dev|work|merged)"' traces | grep -v /proc/self/fd/)" ""
		nacre umount "$1-work"
		victim_is_whole
	}
	each_driver by_descriptor
}

@test "B13: attributes of overlay's own never take effect, and come back in the tar" {
	nothing_is_hidden() { is "$(ls "$1/d")" low; is "$(cat "$1/other/f")" other; [ ! -e "$1/moved/low" ]; }
	for space in trusted user; do
		taken "dir('d'); file('d/low'); dir('other'); file('other/f', b'other\n'); layer(); dir('d', xattrs={'$space.overlay.opaque': 'y'}); \
			dir('moved', xattrs={'$space.overlay.redirect': '/d'}); dir('other', xattrs={'$space.overlay.metacopy': '', '$space.overlay.origin': 'x'})" nothing_is_hidden
	done
}

@test "B14: device 0:0 is refused, and whiteouts hide parents only" {
	refused "node('d', 'c', 0, 0)" '0:0'
	refused "dir('d'); file('d/.wh.')" .wh.
	refused "dir('d'); file('d/.wh..')" .wh.
	refused "dir('d'); file('d/.wh...')" .wh.
	own_stays() { is "$(ls "$1/d")" new; }
	taken "dir('d'); file('d/low'); layer(); dir('d'); file('d/new'); file('d/.wh..wh..opq')" own_stays
	taken "dir('d'); file('d/low'); layer(); file('d/.wh..wh..opq'); dir('d'); file('d/new')" own_stays
	root_is_empty() { is "$(ls -A "$1")" new; }
	taken "dir('d'); file('d/low'); layer(); file('.wh..wh..opq'); file('new')" root_is_empty
	both_stay() { is "$(ls "$1")" a; is "$(cat "$1/a")" mine; }
	taken "file('a', b'theirs'); layer(); file('a', b'mine\n'); file('.wh.a')" both_stay
	taken "file('a', b'theirs'); layer(); file('.wh.a'); file('a', b'mine\n')" both_stay
	none_shows() { is "$(find "$1" -name '.wh.*')" ""; }
	taken "dir('d'); file('d/.wh.gone'); file('.wh..wh.plnk'); dir('.wh..wh.orph')" none_shows
}

@test "B15: lower layers come from a store of one's own" {
	hostile image.tar "file('su', b'x', mode=0o4755)"
	refused_to_others() {
		nacre load -q -i image.tar >/dev/null
		chown nobody "$NACRE_ROOT"
		for command in images "mount hostile:1 $1" "create hostile:1" "load -q -i image.tar" "export hostile:1"; do
			# shellcheck disable=SC2086 # words
			fails 77 nacre $command
			says 'belongs to another user'
		done
		chown root "$NACRE_ROOT"
		is "$(nacre images -q | wc -l)" 1
	}
	each_driver refused_to_others
	chmod 711 "$work"
	fails 77 runuser -u nobody -- "$NACRE" --root "$work/store-vfs" images
}

@test "B16: what lies in a store is its owner's alone, whatever the umask and the layer say" {
	hostile image.tar "dir('.', mode=0o777); file('su', b'x', mode=0o4755); dir('open', mode=0o777)"
	modes_are_closed() {
		local mask
		for mask in 000 077; do
			rm -rf "$NACRE_ROOT"
			(umask $mask; nacre load -q -i image.tar >/dev/null; nacre tag hostile:1 again:1)
			is "$(stat -c %a "$NACRE_ROOT")" 700
			is "$(find "$NACRE_ROOT" -path "$NACRE_ROOT/$NACRE_DRIVER/*" -prune -o -perm /077 -print)" ""
		done
		run runuser -u nobody -- ls "$NACRE_ROOT/$NACRE_DRIVER"
		[ "$status" != 0 ]
	}
	each_driver modes_are_closed
}

@test "B17: setuid bits, owners and capabilities arrive together" {
	all_are_there() {
		is "$(stat -c '%a %u %g' "$1/su")" '6755 1000 1001'
		is "$(getfattr --absolute-names --only-values -n security.capability "$1/cap" | od -An -tx1 | tr -d ' \n')" 0100000200200000000000000000000000000000
		is "$(stat -c %Y "$1/su")" 12345
	}
	taken "file('su', b'x', mode=0o6755, uid=1000, gid=1001, mtime=12345); file('cap', b'x', mode=0o755, uid=5, \
		xattrs={'security.capability': bytes.fromhex('0100000200200000000000000000000000000000').decode('latin-1')})" all_are_there
}

@test "B18: numbers that do not fit are refused, none is cut" {
	refused "header('f', uid=b'\x80\0\0\1\0\0\0\0')" owner
	refused "header('f', uid=b'\xff\xff\xff\xff\xff\xff\xff\xff')"
	refused "pax({'uid': '4294967295'}); entry('f')"
	refused "pax({'uid': '18446744073709551616'}); entry('f')"
	refused "pax({'gid': '-1'}); entry('f')"
	refused "header('f', size=b'\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff')" size
	refused "pax({'size': '-5'}); entry('f', content=b'hello')"
	refused "pax({'size': '99999999999999999999'}); entry('f')"
	refused "header('d', type=b'3', devmajor=b'\xff\xff\xff\xff\xff\xff\xff\xff')"
	refused "header('f', size=b'zzzzzzzzzzz')"
	big_owner() { is "$(stat -c '%u %g' "$1/f")" '4294967294 2000000'; }
	taken "file('f', uid=4294967294, gid=2000000)" big_owner
}

within() { # COMMAND…: with at most 64 MiB resident, else it ends with 250
	python3 - "$@" <<-'PY'
		import os, resource, subprocess, sys
		code = subprocess.run(sys.argv[1:]).returncode
		used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
		too_much = used > 64 << 10 and not os.environ.get('NACRE_SANITIZED')
		sys.exit(250 if too_much else code)
	PY
}

@test "B19: memory is bounded, whatever comes" {
	hostile zeros.tar "file('f'); raw(bytes(200 << 20))"
	hostile pax.tar "pax({'comment': 'x' * (64 << 20)}); entry('f')"
	hostile long.tar "entry('././@LongLink', b'L', b'a' * (64 << 20)); entry('f')"
	hostile deep.tar "[dir('d/' * i + 'd') for i in range(1, 1500, 100)]"
	hostile many.tar "[file(f'f{i}') for i in range(20000)]"
	hostile sparse.tar "pax({'GNU.sparse.major': 1, 'GNU.sparse.minor': 0, 'GNU.sparse.name': 's', 'GNU.sparse.realsize': 1 << 40}); \
		entry('s', content=padded(b'1000000000\n' + b'0\n0\n' * 1000))"
	for image in zeros pax long deep many sparse; do
		run within "$NACRE" --root "$work/store-$image" load -q -i $image.tar
		[ "$status" != 250 ]
		rm -f $image.tar
	done
	refused "pax({'comment': 'x' * (2 << 20)}); entry('f')"
	refused "entry('././@LongLink', b'L', b'a' * (2 << 20)); entry('f')"
}

@test "B19: each archive of the corpus comes back byte for byte or is refused, within 64 MiB" {
	local file plain id taken=0
	for file in "$BATS_TEST_DIRNAME"/../corpus/tar/*.*; do
		[[ $file != *.md ]] || continue
		within "$NACRE" import -q "$file" corpus:1 >id 2>line || { refused_well $?; continue; }
		taken=$((taken + 1))
		id=$("$NACRE" inspect corpus:1 | jq -r '.[0].layers[0].chain_id')
		plain=$(unpacked "$file" | sha256sum)
		within "$NACRE" graph tar "$id" >out.tar
		is "$(sha256sum <out.tar)" "$plain"
		within "$NACRE" export corpus:1 >/dev/null
		within "$NACRE" ls -R corpus:1 >/dev/null
		nacre rmi -q corpus:1 >/dev/null
	done
	[ "$taken" -gt 40 ]
	nacre prune -q
	is "$(nacre graph ls -q)" ""
}
refused_well() { # STATUS
	is "$1" 65
	is "$(grep -c '' line)" 1
	grep -q '^nacre: ' line
}
unpacked() { # FILE
	case $(file_kind "$1") in
	1f8b*) gzip -dc "$1" ;;
	425a68*) bzip2 -dc "$1" ;;
	28b52ffd*) zstd -dc "$1" ;;
	*) cat "$1" ;;
	esac
}
file_kind() { # FILE: its first bytes
	od -An -tx1 -N4 "$1" | tr -d ' \n'
}

@test "B20: headers that disagree hide nothing" {
	inner="header('hidden', size=0)"
	one_file() { is "$(ls "$1")" f; }
	taken "pax({'size': '512'}); header('f', size=0); $inner" one_file
	refused "pax({'path': 'x'}); pax({'path': 'y'}, b'g'); raw(b'\x01' * 512)"
	refused "pax(b'99999 path=x\n'); entry('f')"
	refused "pax(b'5 a=b'); entry('f')"
	refused "pax(b'10 path=x\0y\n'); entry('f')"
	refused "pax({'path': 'f'})"
	refused "entry('././@LongLink', b'L', b'name')"
	refused "pax({'GNU.sparse.major': 1, 'GNU.sparse.minor': 0, 'GNU.sparse.name': 's', 'GNU.sparse.realsize': 10}); entry('s', content=padded(b'2\n0\n5\n3\n5\n') + b'x' * 10)"
	refused "pax({'GNU.sparse.major': 1, 'GNU.sparse.minor': 0, 'GNU.sparse.name': 's', 'GNU.sparse.realsize': 10}); entry('s', content=padded(b'1\n8\n5\n') + b'x' * 5)"
}

@test "B21: a stream that breaks leaves no lock" {
	hostile image.tar "file('f', b'x' * 100000)"
	xz -c image.tar | head -c 300 >broken.tar.xz
	fails 65 timeout 20 "$NACRE" load -q -i broken.tar.xz
	timeout 20 "$NACRE" load -q -i image.tar >/dev/null
}

@test "B22: documents are bounded, and say each thing once" {
	refused "manifest('[' * 100000)"
	refused "manifest('[{\"Config\":\"@CONFIG@\",\"Layers\":[' + '\"x\",' * 2000000 + '\"x\"]}]')"
	refused "manifest('[{\"Config\":\"@CONFIG@\",\"Config\":\"other.json\",\"Layers\":[]}]')"
	refused "config(Env=['x' * (5 << 20)])"
}

@test "B24: an image without layers is an empty tree of our own" {
	make_image docker image.tar --name hostile:1 --no-layer
	is_empty() {
		nacre load -q -i image.tar >/dev/null
		nacre mount hostile:1 "$1" >/dev/null
		is "$(ls -A "$1")" ""
		is "$(stat -c '%a %u %F' "$1")" '755 0 directory'
		refute touch "$1/x"
		fails 2 nacre cat hostile:1:/etc/passwd
	}
	each_driver is_empty
}

@test "B25: content is known by its digest, never by a claim" {
	hostile image.tar "file('f', b'one'); names(['first:1'])"
	nacre load -q -i image.tar >/dev/null
	first=$(nacre inspect first:1 | jq -r '.[0].id')
	hostile other.tar "file('f', b'two'); names(['${first#sha256:}'])"
	run nacre load -q -i other.tar
	is "$(nacre cat first:1:/f)" one
	is "$(nacre inspect "$first" | jq -r '.[0].id')" "$first"
	is "$(nacre cat "$first:/f")" one
}

@test "B26: a document that is two things is refused" {
	make_image oci layout --name app:1 --file a=1
	digest=$(jq -r '.manifests[0].digest' layout/index.json)
	jq -c '. + {manifests: []}' "layout/blobs/${digest/:/\/}" >both
	new=$(sha256sum both | cut -d' ' -f1)
	cp both "layout/blobs/sha256/$new"
	jq -c --arg d "sha256:$new" --argjson s "$(stat -c %s both)" '.manifests[0] += {digest: $d, size: $s}' layout/index.json >index
	cp index layout/index.json
	fails 65 nacre load -q layout
	jq -c '.manifests[0].mediaType = "application/vnd.oci.image.index.v1+json"' layout/index.json >index
	cp index layout/index.json
	fails 65 nacre load -q layout
}

@test "B27: every blob has its size and digest, or nothing is taken" {
	for lie in layer config size manifest; do
		rm -rf layout
		make_image oci layout --name app:1 --gzip --file a=hello --lie $lie
		fails 65 nacre load -q layout
		is "$(nacre images -aq)" ""
	done
}

@test "B28: layers of foreign URLs are not fetched" {
	for type in application/vnd.oci.image.layer.nondistributable.v1.tar+gzip application/vnd.docker.image.rootfs.foreign.diff.tar.gzip; do
		rm -rf layout
		make_image oci layout --name app:1 --gzip --file a=hello
		digest=$(jq -r '.manifests[0].digest' layout/index.json)
		blob=layout/blobs/$(jq -r '.layers[0].digest' "layout/blobs/${digest/:/\/}" | tr : /)
		rm "$blob"
		jq -c --arg t $type '.layers[0] += {mediaType: $t, urls: ["http://127.0.0.1:9/secret"]}' "layout/blobs/${digest/:/\/}" >manifest
		new=$(sha256sum manifest | cut -d' ' -f1)
		cp manifest "layout/blobs/sha256/$new"
		jq -c --arg d "sha256:$new" --argjson s "$(stat -c %s manifest)" '.manifests[0] += {digest: $d, size: $s}' layout/index.json >index
		cp index layout/index.json
		ASAN_OPTIONS=detect_leaks=0 run --separate-stderr strace -f -o trace -e trace=socket,connect "$NACRE" load -q layout
		[ "$status" != 0 ]
		says layer
		is "$(grep -c -E 'socket|connect' trace || true)" 0
		is "$(nacre images -aq)" ""
	done
}

@test "B30: no descriptor of the store is inherited" {
	hostile image.tar "file('f', b'x'); layer(); file('g', b'y')"
	nacre load -q -i image.tar >/dev/null
	# every call that makes a descriptor asks for close-on-exec
	# (the leak checker cannot work under another tracer)
	ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=openat,openat2,open,socket,dup,dup2,pipe,pipe2,epoll_create1,memfd_create,fcntl \
		"$NACRE" mount hostile:1 >/dev/null || return 1
	nacre umount hostile:1
	is "$(grep -E 'store' trace | grep -E '(openat|openat2|open)\(' | grep -v CLOEXEC | grep -vE 'ENOENT' | head -3)" ""
}
