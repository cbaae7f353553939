# Ctrl-C in the middle: exit 130, one line, and a store as it was.
load helpers

# Starts the command in the background with SIGINT as a terminal would have it.
start() {
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" 3>&- &
	pid=$!
}

# Until a file of the store's stage is there, so that the work has begun.
wait_for_stage() {
	for _ in $(seq 200); do
		[ -n "$(find "$NACRE_ROOT/graph/_tmp" -type f -size +0 2>/dev/null | head -1)" ] && return
		sleep 0.02
	done
	echo "nothing began"
	return 1
}

@test "a load that waits for its pipe stops at once" {
	make_image docker big.tar --name big:1 --big one=3000000 --layer --big two=3000000
	make_image docker good.tar --name good:1 --file good=good
	nacre load -q good.tar >/dev/null
	before=$(store_print)
	mkfifo pipe
	start "$NACRE" load -q -i pipe 2>err
	{ head -c 2000000 big.tar; sleep 5; } >pipe 3>&- &
	writer=$!
	wait_for_stage
	kill -INT $pid
	status=0
	wait $pid || status=$?
	kill $writer 2>/dev/null || true
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
	{ head -c 2000000 big.tar; sleep 5; } >pipe 3>&- &
	writer=$!
	wait_for_stage
	kill -KILL $pid
	wait $pid || true
	kill $writer 2>/dev/null || true
	is "$(nacre images -q)" ""
	nacre load -q big.tar >/dev/null
	is_clean
	is "$(nacre images --format '{{.Name}}')" big:1
}
