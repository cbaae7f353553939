# Ctrl-C in the middle: exit 130, one line, and a store as it was.
load helpers
load start

# So many bytes of a file go into the pipe, which then stays open and silent, or ends when that is all of the file. Returns when
# nearly all of it was taken: the reader is in the middle of it.
feed() { # FILE BYTES
	rm -f fed
	{
		head -c "$2" "$1"
		touch fed
		[ "$2" -ge "$(stat -c %s "$1")" ] || exec sleep 60
	} >pipe 3>&- &
	writer=$!
	until [ -e fed ]; do
		kill -0 "$writer"
		sleep 0.01
	done
}

# What was started ends with a status.
ends_with() { # STATUS
	status=0
	wait $pid || status=$?
	is "$status" "$1"
}

@test "a load that waits for its pipe stops at once" {
	make_image docker big.tar --name big:1 --big one=3000000 --layer --big two=3000000
	make_image docker good.tar --name good:1 --file good=good
	nacre load -q good.tar >/dev/null
	before=$(store_print)
	mkfifo pipe
	start "$NACRE" load -q -i pipe 2>err
	feed big.tar 2000000
	kill -INT $pid
	ends_with 130
	kill $writer
	is "$(cat err)" "nacre: interrupted; the store is as it was"
	is "$(store_print)" "$before"
	is_clean
	is "$(nacre images --format '{{.Name}}')" good:1
}

@test "a killed load leaves nothing that the next command does not sweep" {
	make_image docker big.tar --name big:1 --big one=3000000 --layer --big two=3000000
	mkfifo pipe
	start "$NACRE" load -q -i pipe
	feed big.tar 2000000
	kill -KILL $pid
	wait $pid || true
	kill $writer
	is "$(nacre images -q)" ""
	nacre load -q big.tar >/dev/null
	is_clean
	is "$(nacre images --format '{{.Name}}')" big:1
}

@test "Ctrl-C at any moment: the image is there whole, or not at all" {
	make_image docker big.tar --name big:1 --big one=2000000 --layer --big two=2000000 --layer --big three=2000000
	size=$(stat -c %s big.tar)
	mkfifo pipe
	for bytes in 0 1 512 100000 1999999 2500000 $((size - 30000)) "$size" "$size"; do
		rm -rf "$NACRE_ROOT"
		start "$NACRE" load -q -i pipe >out 2>err
		feed big.tar "$bytes"
		kill -INT $pid 2>/dev/null || true
		if [ "$bytes" -lt "$size" ]; then
			ends_with 130
			kill $writer
		else
			status=0
			wait $pid || status=$?
			[ "$status" = 0 ] || is "$status" 130
		fi
		if [ "$status" = 130 ]; then
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
}

@test "Ctrl-C ends the wait for a layer that another process is bringing" {
	id=$(printf '%064d' 7)
	make_image tar layer.tar --big one=3000000
	nacre images -q >/dev/null
	mkfifo pipe
	# shellcheck disable=SC2016
	start sh -c 'exec "$0" graph register -q --id "$1" <pipe >/dev/null 2>&1' "$NACRE" "$id"
	first=$pid
	feed layer.tar 2000000
	start "$NACRE" graph register -q --id "$id" <layer.tar >out 2>err
	# it is at the lock when it has opened it; it cannot end before the first has
	until [ -n "$(find /proc/$pid/fd -lname "$NACRE_ROOT/lock" 2>/dev/null)" ]; do
		kill -0 $pid
		sleep 0.01
	done
	kill -INT $pid
	ends_with 130
	is "$(cat err)" "nacre: interrupted; the store is as it was"
	is "$(cat out)" ""
	kill -INT $first
	pid=$first
	ends_with 130
	kill $writer
	is_clean
	is "$(nacre graph register -q --id "$id" <layer.tar)" "$id"
}
