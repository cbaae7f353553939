#!/usr/bin/env bats
# What nacre pushed, containerd's ctr, podman and buildah pull and run, with the digests that it has; and what they push, nacre
# pulls. The index has attestations beside its images.

load helpers

setup_file() {
	make_files
	start_registry plain
	printf 'int main(int count, char **words) { return !__builtin_printf("ran %%s\\n", words[1]); }\n' >"$files/program.c"
	${CC:-cc} -static -O1 -s -o "$files/program" "$files/program.c"
	export index
	index=$("$BATS_TEST_DIRNAME/make-layout" "$files/lay" 1 --program "$files/program")
	NACRE_ROOT=$files/store nacre copy -q --all-platforms "oci:$files/lay:1" graph:localhost/program:1
	NACRE_ROOT=$files/store push --all-platforms localhost/program:1 "$registry/program:1"
	[ "$(digest_at program:1)" = "$index" ]
}
teardown_file() { drop_files; }

id_of() { NACRE_ROOT=${2:-$files/store} nacre inspect "$1" | jq -r '.[0].id' | sed 's/^sha256://'; }
# Without the hierarchy of cgroups that Debian's crun does not like beside another one (tests/run-crun).
apart() { unshare --mount sh -c 'umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$@"' apart "$@"; }
pm() { apart podman --root "$work/podman" --runroot "$work/run" --storage-driver vfs --cgroup-manager cgroupfs --log-level error "$@"; }
bh() { buildah --root "$work/podman" --runroot "$work/run" --storage-driver vfs "$@"; }
run_it() { pm run --rm --cgroups=disabled --network=none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"; }

# containerd with everything in $work; it ends with the test.
start_containerd() {
	printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]\nroot = "%s"\nstate = "%s"\n[grpc]\naddress = "%s"\n' \
		"$work/ctr/root" "$work/ctr/state" "$work/ctr/socket" >"$work/containerd.toml"
	containerd -c "$work/containerd.toml" >"$work/containerd.log" 2>&1 3>&- &
	containerd=$!
	for _ in $(seq 600); do
		! ct version >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	cat "$work/containerd.log"
	return 1
}
ct() { ctr -a "$work/ctr/socket" "$@"; }
teardown() {
	[ -z "${containerd:-}" ] || { kill "$containerd" && wait "$containerd" || true; }
	[ ! -d "$work/podman" ] || pm system reset -f >/dev/null 2>&1 || true
	cd /
	rm -rf "${work:?}"
}
digest_in_ctr() { ct images ls "name==$1" | awk 'NR == 2 { print $3 }'; }

@test "ctr pulls the index with the same digest, and runs its image" {
	start_containerd
	ct images pull --plain-http --snapshotter native "$registry/program:1" >/dev/null
	[ "$(digest_in_ctr "$registry/program:1")" = "$index" ]
	run ct run --rm --snapshotter native --runc-binary "$BATS_TEST_DIRNAME/../run-crun" "$registry/program:1" one
	[ "$output" = "ran well" ]
}

@test "what ctr pushes, nacre pulls: the index whole, and an image of its own making with the same ID" {
	start_containerd
	# with what is for no platform, too, and nothing unpacked
	ct content fetch --plain-http --all-platforms "$registry/program:1" >/dev/null 2>&1
	ct images push --plain-http "$registry/by-ctr:1" "$registry/program:1" >/dev/null 2>&1
	[ "$(digest_at by-ctr:1)" = "$index" ]
	pull --all-platforms "$registry/by-ctr:1"
	[ "$(id_of "$registry/by-ctr:1" "$NACRE_ROOT")" = "$(id_of localhost/program:1)" ]
	push --all-platforms "$registry/by-ctr:1" "$registry/by-both:1"
	[ "$(digest_at by-both:1)" = "$index" ]
	ct images convert --platform linux/amd64 --uncompress --oci "$registry/program:1" "$registry/plain:1"
	ct images push --plain-http "$registry/plain:1" >/dev/null 2>&1
	pull "$registry/plain:1"
	[ "$(digest_at plain:1)" = "$(digest_in_ctr "$registry/plain:1")" ]
	[ "$(nacre cat "$registry/plain:1:/etc/motd")" = hello ]
}

@test "podman pulls it with the same ID and digest, and runs it" {
	pm pull -q --tls-verify=false "$registry/program:1"
	[ "$(pm image inspect "$registry/program:1" | jq -r '.[0].Id')" = "$(id_of localhost/program:1)" ]
	# which of the two digests it has is podman's affair: that of the index and that of the manifest are both true
	pm image inspect "$registry/program:1" | jq -r '.[0].RepoDigests[]' | grep -qxF "$registry/program@$index"
	[ "$(run_it "$registry/program:1")" = "ran well" ]
	[ "$(run_it "$registry/program:1" /bin/program elsewhere)" = "ran elsewhere" ]
	pm push -q --tls-verify=false "$registry/program:1" "$registry/by-podman:1"
	pull "$registry/by-podman:1"
	[ "$(id_of "$registry/by-podman:1" "$NACRE_ROOT")" = "$(id_of localhost/program:1)" ]
}

@test "buildah builds upon it and runs in it, and nacre pulls what came of that" {
	container=$(bh from -q --tls-verify=false "docker://$registry/program:1")
	[ "$(bh run --isolation chroot "$container" -- /bin/program within)" = "ran within" ]
	echo more >more
	bh copy -q "$container" more /etc/more
	bh commit -q "$container" built:1
	bh push -q --tls-verify=false built:1 "docker://$registry/by-buildah:1"
	bh rm "$container"
	pull "$registry/by-buildah:1"
	[ "$(id_of "$registry/by-buildah:1" "$NACRE_ROOT")" = "$(bh inspect --type image built:1 | jq -r .FromImageID)" ]
	[ "$(nacre cat "$registry/by-buildah:1:/etc/more")" = more ]
	# the image below tells nothing of how it came to be, so this one does not tell of all its layers
	[ "$(nacre history --json "$registry/by-buildah:1" | jq -c '[length, .[0].size]')" = '[1,5]' ]
	[ "$(nacre cat "$registry/by-buildah:1:/etc/motd")" = hello ]
}
