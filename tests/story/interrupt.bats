# Ctrl-C in the middle: exit 130, one line, and a store as it was.
load helpers

# Starts the command in the background with SIGINT as a terminal would have it.
start() {
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" 3>&- &
	pid=$!
}

# A part of big.tar goes into the pipe, which then stays open and silent. Returns when nearly all of it was taken.
feed() {
	{
		head -c 2000000 big.tar
		touch fed
		exec sleep 20
	} >pipe 3>&- &
	writer=$!
	for _ in $(seq 500); do
		[ -e fed ] && return
		sleep 0.02
	done
	echo "nothing was read"
	return 1
}

@test "a load that waits for its pipe stops at once" {
	make_image docker big.tar --name big:1 --big one=3000000 --layer --big two=3000000
	make_image docker good.tar --name good:1 --file good=good
	nacre load -q good.tar >/dev/null
	before=$(store_print)
	mkfifo pipe
	start "$NACRE" load -q -i pipe 2>err
	feed
	kill -INT $pid
	status=0
	wait $pid || status=$?
	kill $writer
	is "$status" 130
	is "$(cat err)" "nacre: interrupted; the store is as it was"
	is "$(store_print)" "$before"
	is_clean
	is "$(nacre images --format '{{.Name}}')" good:1
}

@test "a killed load leaves nothing that the next command does not sweep" {
	make_image docker big.tar --name big:1 --big one=3000000 --layer --big two=3000000
	mkfifo pipe
	start "$NACRE" load -q -i pipe
	feed
	kill -KILL $pid
	wait $pid || true
	kill $writer
	is "$(nacre images -q)" ""
	nacre load -q big.tar >/dev/null
	is_clean
	is "$(nacre images --format '{{.Name}}')" big:1
}

@test "Ctrl-C at any moment: the image is there whole, or not at all" {
	make_image docker big.tar --name big:1 --big one=20000000 --layer --big two=20000000 --layer --big three=20000000
	interrupted=0
	for delay in 0 0 0.01 0.02 0.03 0.05 0.07 0.1 0.2 0.3; do
		rm -rf "$NACRE_ROOT"
		start "$NACRE" load -q -i big.tar >out 2>err
		for _ in $(seq 500); do
			[ ! -d "$NACRE_ROOT/graph/_tmp" ] || break
			sleep 0.002
		done
		sleep $delay
		kill -INT $pid 2>/dev/null || true
		status=0
		wait $pid || status=$?
		[ "$status" = 0 ] || [ "$status" = 130 ]
		if [ "$status" = 130 ]; then
			interrupted=$((interrupted + 1))
			is "$(nacre images -q)" ""
			is "$(nacre graph ls -q)" ""
		else
			is "$(nacre images -q --no-trunc)" "$(cat out)"
			for id in $(nacre graph ls --format '{{if eq .Kind "layer"}}{{.ID}}{{end}}'); do
				nacre graph tar --verify "$id"
			done
		fi
		[ ! -e "$NACRE_ROOT" ] || is_clean
	done
	echo "interrupted $interrupted times"
	[ $interrupted -gt 0 ]
}
