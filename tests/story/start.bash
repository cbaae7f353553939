# shellcheck shell=bash disable=SC2034 # pid is for whoever loads this

# Starts a command in the background as $pid, with SIGINT as a terminal would have it.
start() {
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" 3>&- &
	pid=$!
}
