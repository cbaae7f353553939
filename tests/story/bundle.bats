load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v crun >/dev/null || skip "needs crun"
	cc -static -Os -o "$BATS_FILE_TMPDIR/probe" "$BATS_TEST_DIRNAME/probe.c"
}

# An image with a program, users, and the directories that a runtime mounts at.
load_probe() { # OPTION… of nacre import
	mkdir -p tree/{proc,dev,sys,bin,etc,home/web,data}
	cp "$BATS_FILE_TMPDIR/probe" tree/bin/probe
	cat >tree/etc/passwd <<-'END'
		root:x:0:0:root:/root:/bin/sh
		a line that makes no sense
		web:x:1000:100:Web:/home/web:/bin/sh
	END
	printf 'root:x:0:\nusers:x:100:\nwheel:x:10:root,web\nnosense\nlog:x:104:web\n' >tree/etc/group
	chmod 1777 tree/data
	tar -C tree --owner=0 --group=0 -cf tree.tar .
	nacre import -q -c 'ENTRYPOINT ["/bin/probe"]' -c 'CMD ["hello"]' "$@" tree.tar probe >/dev/null
}

crun_run() { # BUNDLE NAME
	"$BATS_TEST_DIRNAME/../run-crun" run -b "$1" "$2" </dev/null
}

@test "an image runs read-only, as it says" {
	load_probe -c 'CMD ["hello", "ids", "cwd", "$A", "$HOME", "hostname", "write:/etc/new", "write:/data/new", "exit:7"]' \
		-c 'USER web' -c 'WORKDIR /home/web' -c 'ENV A="b c"' -c 'VOLUME /data'
	is "$(nacre bundle probe box)" "$work/box"
	run -7 crun_run box "nacre-$$-ro"
	is "$output" "hello
1000:100 10 104
/home/web
b c
/home/web
$(nacre images -q --no-trunc probe | cut -c 8-19)
refused
written"
	nacre rmi probe 2>stderr && return 1
	grep -q mounted stderr
	nacre umount box/rootfs
	rm -r box
	nacre rmi probe >/dev/null
}

@test "a writable layer runs, and what it wrote can be committed" {
	load_probe
	nacre create probe work >/dev/null
	nacre bundle work box -- /bin/probe ids write:/made cwd '$PATH' >/dev/null
	is "$(crun_run box "nacre-$$-rw")" "0:0 10
written
/
/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	is "$(cat box/rootfs/made)" written
	has "$(nacre diff work)" "A /made"
	fails 1 nacre rm work
	nacre umount box/rootfs
	nacre commit -q work probe:2 >/dev/null
	is "$(nacre cat probe:2:/made)" written
	nacre rm work
}

@test "config.json is the same each time, and what the specification asks for" {
	load_probe -c 'LABEL team=web' -c 'EXPOSE 80' -c 'STOPSIGNAL SIGINT' -c 'VOLUME ["/data", "/missing"]'
	nacre bundle probe one >/dev/null
	nacre bundle probe two >/dev/null
	cmp one/config.json two/config.json
	jq -e '.ociVersion == "1.0.2" and .root == {path: "rootfs", readonly: true} and .process.args == ["/bin/probe", "hello"] and
		.process.user == {uid: 0, gid: 0, additionalGids: [10]} and .process.cwd == "/" and
		.annotations.team == "web" and .annotations["org.opencontainers.image.exposedPorts"] == "80/tcp" and
		.annotations["org.opencontainers.image.stopSignal"] == "SIGINT" and
		.annotations["org.opencontainers.image.volumes"] == "/data,/missing" and
		([.mounts[].destination] | contains(["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup", "/data"])) and
		([.mounts[].destination] | index("/missing") | not) and (.process.capabilities.bounding | length) == 11 and
		([.linux.namespaces[].type] | sort) == ["cgroup", "ipc", "mount", "network", "pid", "uts"]' one/config.json
	nacre umount -a
}

@test "users are looked up in the image alone" {
	load_probe
	for pair in web=1000:100 1000=1000:100 4242=4242:0 web:wheel=1000:10 :log=0:104 0:55=0:55 web:104=1000:104; do
		nacre bundle -u "${pair%=*}" probe box >/dev/null
		is "$(jq -r '.process.user | "\(.uid):\(.gid)"' box/config.json)" "${pair#*=}"
		nacre umount box/rootfs
		rm -r box
	done
	fails 2 nacre bundle -u nobody probe box
	says "/etc/passwd"
	fails 2 nacre bundle -u web:nobody probe box
	fails 64 nacre bundle -u 0:0:0 probe box
	fails 2 nacre bundle -u 4294967295 probe box
	refute test -e box
	# a link out of the image leads into it
	mkdir -p evil/{proc,dev,sys,etc}
	ln -s ../../../../../../../../etc/passwd evil/etc/passwd
	ln -s "$work/tree/etc/group" evil/etc/group
	tar -C evil --owner=0 --group=0 -cf evil.tar .
	nacre import -q -c 'CMD ["/x"]' -c 'USER root' evil.tar evil >/dev/null
	fails 2 nacre bundle evil box
}

@test "what cannot be a bundle leaves nothing" {
	load_probe
	mkdir full
	echo 1 >full/file
	fails 1 nacre bundle probe full
	says "'file'"
	is "$(ls full)" file
	fails 2 nacre bundle missing box
	fails 2 nacre bundle probe no/such/box
	fails 1 nacre bundle probe full/file
	tar -C tree --owner=0 --group=0 -cf bare.tar ./bin
	nacre import -q bare.tar bare >/dev/null
	fails 64 nacre bundle bare box
	says "give a command"
	fails 1 nacre bundle bare box -- /bin/probe
	says /proc
	refute test -e box
	nacre create bare work >/dev/null
	mkdir box
	nacre bundle work box -- /bin/probe ids >/dev/null
	is "$(crun_run box "nacre-$$-bare")" 0:0
	nacre rm -f work
	is "$(nacre mount --json)" "[]"
}
