#!/usr/bin/env bats
# Two machines (network namespaces), a registry between them, and a mirror that dies: what docs/scaling.md promises.

load helpers

setup_file() {
	make_files
	tag=nc$$
	export tag
	ip netns add "$tag-hub"
	ip -n "$tag-hub" link set lo up
	ip -n "$tag-hub" link add bridge type bridge
	ip -n "$tag-hub" addr add 10.77.0.1/24 dev bridge
	ip -n "$tag-hub" link set bridge up
	add_machine one 2
	add_machine two 3
	serve_in_hub registry 5000 ''
	serve_in_hub mirror 5001 'proxy: {remoteurl: "http://10.77.0.1:5000"}'
	mirror_pid=$server_pid
	export mirror_pid
	printf '[[registry]]\nlocation = "10.77.0.1:5000"\ninsecure = true\n[[registry.mirror]]\nlocation = "10.77.0.1:5001"\ninsecure = true\n' \
		>"$files/registries.conf"
	make_image docker "$files/app.tar" --name app:1 --file etc/motd=hello --big first=3000000 --layer --big second=60000000 \
		--layer --file etc/new=new
}

teardown_file() {
	drop_files
	for name in one two hub; do ip netns del "$tag-$name" 2>/dev/null || true; done
}

add_machine() { # NAME LAST-NUMBER-OF-ADDRESS
	ip netns add "$tag-$1"
	ip -n "$tag-$1" link set lo up
	ip -n "$tag-$1" link add eth0 type veth peer name "$1" netns "$tag-hub"
	ip -n "$tag-$1" addr add "10.77.0.$2/24" dev eth0
	ip -n "$tag-$1" link set eth0 up
	ip -n "$tag-hub" link set "$1" master bridge up
}

serve_in_hub() { # NAME PORT YAML: its process becomes $server_pid
	mkdir -p "$files/$1/data"
	printf 'version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: "10.77.0.1:%s", secret: tests}\n%s\n' \
		"$files/$1" "$2" "$3" >"$files/$1/config.yml"
	ip netns exec "$tag-hub" docker-registry serve "$files/$1/config.yml" >"$files/$1/log" 2>&1 3>&- &
	server_pid=$!
	echo $server_pid >>"$files/pids"
	await 'listening on' "$files/$1/log"
}

on() { # MACHINE COMMAND…: of nacre, with the store of that machine
	ip netns exec "$tag-$1" "$NACRE" --root "$files/store-$1" "${@:2}"
}

# "2 GET /v2/…" (ADDRESS REQUEST): who asked the registry for blobs since the last "mark registry", by the last number of the address.
blob_readers() {
	tail -n "+$(($(cat "$files/registry/mark") + 1))" "$files/registry/log" | grep -o '10\.77\.0\.[0-9]* - - \[[^]]*\] "GET [^ ]*/blobs/[^ ]*' |
		sed 's/^10\.77\.0\.\([0-9]*\) .*"\(.*\)/\1 \2/'
}

@test "one machine pushes, the other pulls through the mirror: the same image" {
	on one load -q "$files/app.tar"
	on one push -q app:1 10.77.0.1:5000/team/app:1
	mark registry
	[ "$(on two pull -q 10.77.0.1:5000/team/app:1)" = "$(on one images -q --no-trunc app:1)" ]
	# nobody but the mirror asked the registry
	[ "$(blob_readers | grep -vc '^1 ')" = 0 ]
	on two check --full
}

@test "the mirror dies in the middle of a pull: the registry gives the rest" {
	on two rmi -q 10.77.0.1:5000/team/app:1
	on two prune -q
	mark registry
	on two pull --progress json 10.77.0.1:5000/team/app:1 >out 2>events 3>&- &
	pull=$!
	await '"progress"' events || true
	kill -KILL "$mirror_pid"
	wait "$pull"
	[ "$(on two images -q --no-trunc 10.77.0.1:5000/team/app:1)" = "$(on one images -q --no-trunc app:1)" ]
	on two check --full
}

@test "without the mirror both pull and push, and each sees what the other did" {
	mark registry
	make_image docker more.tar --name more:1 --file etc/motd=hello --big first=3000000 --layer --file from=two
	on two load -q more.tar
	on two push -q more:1 10.77.0.1:5000/team/more:1
	[ "$(on one pull -q 10.77.0.1:5000/team/more:1)" = "$(on two images -q --no-trunc more:1)" ]
	[ "$(on one cat 10.77.0.1:5000/team/more:1:/from)" = two ]
	# the first layer was in the store: only the other and the config travelled
	[ "$(blob_readers | grep -c '^2 ')" = 2 ]
}

@test "without the registry the mirror gives what it has" {
	serve_in_hub mirror 5001 'proxy: {remoteurl: "http://10.77.0.1:5000"}'
	for machine in one two; do
		on $machine rmi -q 10.77.0.1:5000/team/more:1 || true
		on $machine rmi -q more:1 || true
		on $machine prune -q
	done
	id=$(on two pull -q 10.77.0.1:5000/team/more:1)
	kill "$(sed -n 1p "$files/pids")"
	while kill -0 "$(sed -n 1p "$files/pids")" 2>/dev/null; do sleep 0.05; done
	[ "$(on one pull -q 10.77.0.1:5000/team/more:1)" = "$id" ]
	kill "$server_pid"
}

@test "without both what is in a store is there, and what is not is said to be out of reach" {
	[ "$(on one cat 10.77.0.1:5000/team/more:1:/from)" = two ]
	fails 69 on one pull -q 10.77.0.1:5000/team/other:1
	says 10.77.0.1:5000
}
