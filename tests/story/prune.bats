load helpers

# Three images: two share a layer, the third has no name.
make_three() {
	make_image docker three.tar --name base:1 --name base:latest --file a=1 --label team=web --created 2024-01-01T00:00:00Z \
		--image --name registry.example.org:5000/team/app:2 --file a=1 --layer --file b=2 --created 2024-02-01T00:00:00Z \
		--image --file c=3 --big d=500000 --created 2024-03-01T00:00:00Z
}

bytes() {
	sync -f store	# some file systems know only then how many blocks there will be
	du -B1 -s store | cut -f1
}

left() {
	(cd store && find . | sort)
}

# At rest, what df tells is what du finds.
df_is_du() {
	local total
	total=$(nacre df --json | jq 'if .total_bytes == .unique_bytes + .shared_bytes + .unused_bytes + .writable_bytes + .blob_bytes +
		.metadata_bytes + .catalog_bytes + .rubbish_bytes then .total_bytes else . end')
	is "$total" "$(bytes)"
}

# prune_is OPTION…: what it frees is what its dry run told, entry by entry, and what du finds missing.
prune_is() {
	local before after
	nacre prune --dry-run --json "$@" | jq '.dry_run = false | .removed |= sort_by(.kind, .object)' >told
	before=$(bytes)
	nacre prune --json "$@" | jq '.removed |= sort_by(.kind, .object)' >done
	after=$(bytes)
	cmp told done
	is "$(jq .freed_bytes done)" $((before - after))
	df_is_du
}

# The accounts of a store in the directory store, with a driver.
check_accounts() { # DRIVER
	export NACRE_DRIVER=$1
	fails 65 nacre load -i /dev/null	# which makes the store
	left >fresh
	local size
	size=$(bytes)
	df_is_du
	nacre load -q three.tar >ids
	df_is_du
	is "$(nacre df --json | jq .reclaimable_bytes)" "$(nacre prune --dry-run --json | jq .freed_bytes)"
	# image by image
	nacre df -v --json | jq -e 'length == 3 and all(.[]; .size == .shared_bytes + .unique_bytes) and
		(map(select(.names | length == 2))[0] | .unique_bytes == 0 and .shared_bytes == .size) and
		(map(select(.names | length == 0))[0] | .shared_bytes == 0 and .size >= 500000)'
	nacre df --json | jq -e '.images == 3 and .active == 2 and .layers == 3 and .unused_bytes == 0'
	prune_is
	is "$(jq -r '.removed | map(.kind) | join(" ")' done)" "image layer"
	is "$(nacre images -q | grep -c '')" 2
	nacre rmi -q --no-prune base:1 base:latest registry.example.org:5000/team/app:2
	[ "$(nacre df --json | jq .unused_bytes)" -gt 0 ]
	df_is_du
	prune_is
	is "$(jq -r '.removed | map(.kind) | join(" ")' done)" "layer layer"
	left | diff fresh -
	is "$(bytes)" "$size"
	nacre load -q three.tar >ids
	prune_is -a
	is "$(jq -r '.removed | map(.kind) | unique | join(" ")' done)" "image layer name"
	left | diff fresh -
	is "$(bytes)" "$size"
	is_clean
}

@test "df explains every byte, prune frees what it told, and an emptied store is as small as a new one" {
	make_three
	for driver in erofs overlay vfs; do
		works "$driver" || continue
		check_accounts "$driver"
		rm -rf store
	done
}

@test "the same on btrfs, with the driver btrfs" {
	need_root
	command -v mkfs.btrfs >/dev/null || skip "needs mkfs.btrfs"
	make_three
	truncate -s 200M disk
	mkfs.btrfs -q disk >/dev/null 2>&1
	mkdir top
	mount -o loop disk top || skip "needs loop devices"
	mkdir top/store
	ln -s top/store store
	bytes() {
		sync -f store/
		du -B1 -s store/ | cut -f1
	}
	left() {
		(cd store/ && find . | sort)
	}
	check_accounts btrfs
}

@test "prune keeps what is in use" {
	need_root
	make_three
	nacre load -q three.tar >ids
	nameless=$(tail -1 ids)
	session=$(nacre hold "$nameless")
	is "$(nacre prune --dry-run --json | jq -c .removed)" "[]"
	is "$(nacre prune -q)" ""
	nacre release "$session"
	nacre mount "$nameless" >/dev/null
	is "$(nacre prune -q)" ""
	nacre umount "$nameless"
	nacre create "$nameless" work
	is "$(nacre prune --dry-run -q)" ""
	is "$(nacre prune -q)" ""
	nacre rm work
	# a layer that is held stays when its image goes
	layer=$(nacre graph get "${nameless#sha256:}" --format '{{.Parent}}')
	session=$(nacre hold "$layer")
	is "$(nacre prune --dry-run -q)" "$nameless"
	is "$(nacre prune -q)" "$nameless"
	nacre graph exists "$layer"
	nacre release "$session"
	is "$(nacre prune --json | jq -r '.removed[].object')" "$layer"
	# what another stands on
	is "$(nacre prune -aq | sort)" "$(head -2 ids | sort)"
}

@test "prune: filters" {
	make_three
	nacre load -q three.tar >ids
	is "$(nacre prune -aq --dry-run --filter label=team)" "$(head -1 ids)"
	is "$(nacre prune -aq --dry-run --filter 'label!=team' | sort)" "$(tail -2 ids | sort)"
	is "$(nacre prune -aq --dry-run --filter 'label!=team' --filter until=2024-02-15T00:00:00Z)" "$(sed -n 2p ids)"
	is "$(nacre prune -q --dry-run --filter until=2024-02-15T00:00:00Z)" ""
	is "$(nacre image prune -q -f --dry-run)" "$(tail -1 ids)"
	fails 64 nacre prune --filter nonsense=1
	# with a filter, layers that no image has stay
	nacre rmi -q --no-prune base:1 base:latest
	nacre rmi -q --no-prune registry.example.org:5000/team/app:2
	nacre prune --filter label=none
	is "$(nacre graph ls --json | jq 'map(select(.kind == "layer")) | length')" 3
	nacre prune -q
	is "$(nacre graph ls -q)" ""
	fails 2 nacre --root nowhere prune
}

@test "prune finds blobs and trees that nobody has, and says how much they take" {
	make_three
	nacre load -q three.tar >ids
	head -c 70000 /dev/urandom >blob
	digest=$(sha256sum blob | cut -c 1-64)
	cp blob "store/blobs/sha256/$digest"
	driver=$(nacre info --json | jq -r .driver)
	tree=$(printf '%064d' 7)
	case $driver in
	overlay) mkdir -p "store/overlay/$tree/diff"; cp blob "store/overlay/$tree/diff/file" ;;
	erofs) mkdir "store/erofs/$tree"; cp blob "store/erofs/$tree/tar" ;;
	vfs) mkdir "store/vfs/dir/$tree"; cp blob "store/vfs/dir/$tree/file" ;;
	btrfs) skip "no way to make one with the shell alone" ;;
	esac
	mkdir -p store/names/example.org/a/b/_tags
	df_is_du
	[ "$(nacre df --json | jq .rubbish_bytes)" -gt 70000 ]
	prune_is
	jq -e --arg b "sha256:$digest" --arg t "$tree" '[.removed[] | select(.kind == "blob" or .kind == "tree") | .object] == [$b, $t]' done
	[ ! -e store/names/example.org ]
	is_clean
}

@test "prunes beside loads never take what is being loaded" {
	make_three
	make_image docker other.tar --name other:1 --file a=1 --layer --file z=9
	nacre load -q three.tar >ids
	while [ ! -e stop ]; do
		nacre prune -q >>pruned 2>>errors || echo "failed: $?" >>errors
	done &
	pruner=$!
	for i in 1 2 3 4 5 6 7 8; do
		nacre load -q other.tar >/dev/null || touch lost
		nacre load -q three.tar >/dev/null || touch lost
		nacre cat other:1:/z >out || touch lost
		nacre cat registry.example.org:5000/team/app:2:/b >>out || touch lost
		nacre rmi -q other:1 || touch lost
	done
	touch stop
	wait "$pruner"
	[ ! -e lost ]
	[ ! -e errors ] || is "$(cat errors)" ""
	nacre prune -aq >/dev/null
	is "$(nacre graph ls -q)" ""
	is_clean
}
