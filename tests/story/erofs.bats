# What the driver erofs does in its own way: archives stay files, and an image is one mount.
load helpers

on_erofs() {
	need_root
	works erofs || skip "no erofs here"
	export NACRE_DRIVER=erofs
}

@test "an image of 127 layers is one mount, and lists without one, for others too" {
	local words=() i path
	on_erofs
	for ((i = 1; i <= 127; i++)); do
		words+=(--dir d$((i % 7)) --file f$i=$i --file d$((i % 7))/x$i=$i --file same=$i)
		[ $i = 127 ] || words+=(--layer)
	done
	words+=(--delete f5 --delete d3/x3)
	make_image docker many.tar --name many:1 "${words[@]}"
	nacre load -q many.tar >/dev/null
	nacre ls -R many:1:/ | sort >listed
	is "$(grep -c '' listed)" "$((2 * 127 - 2 + 7 + 1))"
	is "$(nacre cat many:1:/same)" 127
	is "$(mounts_below "$work")" ""
	# as another user who can read the store
	cp -a "$NACRE_ROOT" theirs
	chown -R nobody theirs
	chmod 711 .
	runuser -u nobody -- "$NACRE" --root theirs ls -R many:1:/ | sort | diff listed -
	path=$(nacre mount many:1)
	is "$(mounts_below "$work")" "$path"
	has "$(grep " $path " /proc/self/mountinfo)" " - erofs "
	(cd "$path" && find . -mindepth 1 -printf '/%P\n' | sort) | diff - <(sed 's|/$||' listed)
	is "$(cat "$path"/f{1,64,127} | tr -d '\n')" 164127
	nacre umount many:1
	# the second time the index is there
	(cd "$NACRE_ROOT/erofs" && sha256sum ./*/merged) >merged
	is "$(grep -c '' merged)" 1
	nacre mount many:1 >/dev/null
	nacre umount -a
	(cd "$NACRE_ROOT/erofs" && sha256sum ./*/merged) | diff merged -
	nacre rmi many:1 >/dev/null
	is "$(ls "$NACRE_ROOT/erofs")" empty
}

@test "indexes are the same in any store, and name no layer's ID that they do not need" {
	on_erofs
	make_app app.tar
	nacre load -q app.tar >/dev/null
	nacre --root other load -q app.tar >/dev/null
	(cd "$NACRE_ROOT/erofs" && find . -type f -exec sha256sum {} + | sort -k 2) >here
	(cd other/erofs && find . -type f -exec sha256sum {} + | sort -k 2) | diff here -
	is "$(grep -c '' here)" 5
}

left() {
	(cd "$NACRE_ROOT" && find . ! -name 'catalog.db*' | sort)
	mounts_below "$work"
	losetup -a | grep -F "$work" || true
	nacre df --json | jq '.total_bytes - .catalog_bytes'
}

come_and_go() { # NUMBER
	nacre load -q app.tar >/dev/null
	path=$(nacre mount app:1)
	nacre load -q other.tar >/dev/null
	is "$(cat "$path/etc/motd")" changed
	nacre create app:1 work >/dev/null
	echo "$1" >"$(nacre mount work)/new"
	is "$(nacre cat work:/new)" "$1"
	refute nacre rmi app:1 2>/dev/null
	nacre umount -a
	nacre rm work >/dev/null
	nacre rmi app:1 other:1 >/dev/null
}

# A smaller form of the soak of 200 rounds.
@test "loads, mounts, writable layers and removals, again and again, leave nothing" {
	on_erofs
	local i path
	make_app app.tar
	make_image docker other.tar --name other:1 --dir etc --file etc/motd=hello --layer --file z=9
	come_and_go first
	left >before
	for ((i = 0; i < ${SOAK:-8}; i++)); do
		come_and_go $i
	done
	left | diff before -
	is_clean
}

# Files of a tmpfs cannot be mounted, and so it is with all files before Linux 6.12.
@test "where files cannot be mounted, loop devices are, and go with the mount" {
	local words=() i
	need_root
	on_erofs
	mkdir memory
	mount -t tmpfs -o size=100m none memory
	export NACRE_ROOT=$work/memory/store
	for ((i = 1; i <= 20; i++)); do
		words+=(--file f$i=$i --file same=$i)
		[ $i = 20 ] || words+=(--layer)
	done
	make_image docker twenty.tar --name twenty:1 "${words[@]}"
	nacre load -q twenty.tar >/dev/null
	mkdir here
	nacre mount twenty:1 here >/dev/null
	has "$(grep " $work/here " /proc/self/mountinfo)" " - erofs /dev/loop"
	is "$(losetup -ln -O BACK-FILE | grep -c "^$NACRE_ROOT/")" 21
	is "$(cat here/f{1,7,20} here/same | tr -d '\n')" 172020
	nacre umount here
	# an archive that ends within a block
	printf hello >f
	tar -cf whole.tar f
	head -c 517 whole.tar >cut.tar
	nacre import -q cut.tar cut:1 >/dev/null
	nacre mount cut:1 here >/dev/null
	is "$(cat here/f)" hello
	nacre umount here
	nacre graph tar "$(nacre inspect cut:1 | jq -r '.[0].layers[0].chain_id')" | cmp - cut.tar
	for ((i = 0; i < 100; i++)); do
		losetup -ln -O BACK-FILE | grep -q "^$work/memory/" || break
		sleep 0.1
	done
	is "$(losetup -ln -O BACK-FILE | grep -c "^$work/memory/")" 0
	umount memory
}
