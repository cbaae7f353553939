# The helpers themselves: what cleans up after a story touches nothing but what the story made.
load helpers

# Runs what a file of helpers does at the end of a test with $work as given. Commands that change anything are replaced by ones
# that only say what they were asked to do.
cleaning() { # FILE FUNCTION WORK
	bash -c 'bats_require_minimum_version() { :; }
		umount() { echo "umount $*"; }
		rm() { echo "rm $*"; }
		NACRE=true NACRE_IMAGES=/nowhere IMAGE=none
		source "$1"
		work=$3
		"$2"' cleaning "$@" </dev/null
}

@test "without a directory of its own nothing is unmounted or removed" {
	is "$(cleaning "$stories/helpers.bash" teardown "")" ""
	is "$(cleaning "$stories/../interop/helpers.bash" drop_work "")" ""
	is "$(mounts_below "")" ""
	is "$(mounts_below /)" ""
}

@test "what is mounted in the directory is unmounted, the deepest first, and nothing else" {
	need_root
	mkdir top top/beside
	mount -t tmpfs story top
	mkdir top/below
	mount -t tmpfs story top/below
	is "$(mounts_below "$work")" "$work/top/below
$work/top"
	is "$(mounts_below "$work/to")" ""
	is "$(cleaning "$stories/helpers.bash" teardown "$work")" "umount -l $work/top/below
umount -l $work/top
rm -rf $work"
	umount top/below top
	is "$(mounts_below "$work")" ""
}
