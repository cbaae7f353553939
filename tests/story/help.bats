load helpers

table() {
	nacre help --json
}

commands() {
	table | jq -r '.commands[].name'
}

@test "the help of every command fits a screen, and ends with an example" {
	local command lines
	while read -r command; do
		# shellcheck disable=SC2086
		nacre $command --help >out
		lines=$(grep -c '' out)
		[ "$lines" -le 24 ] || { echo "$command: $lines lines"; return 1; }
		! grep -E '^.{81}' out || { echo "$command: wider than 80"; return 1; }
		grep -q '^Example:$' out
		tail -1 out | grep -q "^  .*" || { echo "$command"; return 1; }
		# shellcheck disable=SC2086
		is "$(nacre help $command)" "$(cat out)"
	done < <(commands)
	nacre --help >out
	[ "$(grep -c '' out)" -le 24 ]
}

@test "every command is in the overview" {
	local command
	nacre --help >out
	nacre help graph >>out
	while read -r command; do
		grep -qw -- "${command#graph }" out || { echo "$command"; return 1; }
	done < <(commands)
}

@test "every command and option is in its help and its man page" {
	local command page spelling
	while IFS=$'\t' read -r command spelling; do
		page=$stories/../../man/nacre-${command%% *}.1.scd
		[ -e "$page" ] || { echo "no page $page"; return 1; }
		[ -z "$spelling" ] && continue
		# shellcheck disable=SC2086
		nacre $command --help | grep -qe "--$spelling" || { echo "$command --$spelling: help"; return 1; }
		if [[ $command == graph* ]]; then
			sed -n "/^## $command\$/,/^#/{/^## $command\$/d;p}" "$page"
		else
			cat "$page"
		fi | grep -qe "^\*.*\*--$spelling\*\|^\*--$spelling\*" || { echo "$command --$spelling: man page"; return 1; }
	done < <(table | jq -r '.commands[] | .name as $c | ([""] + [.options[].name])[] | [$c, .] | @tsv')
	page=$stories/../../man/nacre.1.scd
	while read -r spelling; do
		grep -qe "--$spelling\*" "$page" || { echo "--$spelling"; return 1; }
	done < <(table | jq -r '.options[].name')
	while read -r command; do
		grep -q "^\*nacre-${command%% *}\*(1)" "$page" || { echo "$command"; return 1; }
	done < <(commands)
}

@test "no man page tells of an option that is not there" {
	local page command spelling
	for page in "$stories"/../../man/nacre-*.1.scd; do
		command=$(basename "$page" .1.scd)
		command=${command#nacre-}
		while read -r spelling; do
			table | jq -e --arg c "$command" --arg o "$spelling" \
				'any(.commands[]; (.name == $c or (.name | startswith($c + " "))) and any(.options[]; .name == $o))' \
				>/dev/null || { echo "$page: --$spelling"; return 1; }
		done < <(sed -n 's/^\(\*-.\*, \)\?\*--\([a-z-]*\)\*.*/\2/p' "$page")
	done
}

@test "the man pages are well-formed" {
	command -v scdoc >/dev/null || skip "no scdoc"
	local page
	for page in "$stories"/../../man/*.scd; do
		scdoc <"$page" >out || { echo "$page"; return 1; }
	done
}

@test "every JSON field that a command prints is described" {
	local field
	make_app app.tar
	{
		nacre load --json app.tar
		nacre images --json
		nacre inspect app:1
		nacre history --json app:1
		nacre tree --json
		nacre ls --json app:1:/etc
		nacre df --json
		nacre df -v --json
		nacre prune -a --dry-run --json
		nacre info --json
		nacre migrate --driver vfs --dry-run --json
		nacre check --json
		nacre version --json
		nacre graph ls --json
		nacre help --json
	} | jq -r '.. | objects | keys[]' | sort -u >fields
	[ "$(grep -c '' fields)" -gt 50 ]
	while read -r field; do
		[ "$field" = team ] && continue
		grep -q "\`$field\`" "$stories/../../docs/json.md" || { echo "$field"; return 1; }
	done <fields
}

@test "no arguments, and wrong ones" {
	fails 64 nacre
	says "--help"
	fails 64 nacre laod
	says "did you mean 'load'"
	fails 64 nacre xyzzy
	hasnt "$stderr" "did you mean"
	fails 64 nacre images --formt x
	says "did you mean '--format'"
	fails 64 nacre images -Z
	fails 64 nacre images one two
	says "'two' is one operand too many"
	fails 64 nacre inspect
	says "nacre inspect IMAGE"
	fails 64 nacre save --format zip -o x app
	says "docker-archive, oci-archive, oci-dir or docker-dir"
	fails 64 nacre graph
	fails 64 nacre graph nope
	fails 64 nacre --root
	fails 64 nacre help laod
	[ ! -e "$NACRE_ROOT" ]
}

@test "options before and after the command" {
	nacre --root "$work/a" info --json | jq -e --arg r "$work/a" '.root == $r'
	nacre info --root "$work/b" --json | jq -e --arg r "$work/b" '.root == $r'
	nacre --root "$work/a" info --root="$work/b" --json | jq -e --arg r "$work/b" '.root == $r'
	is "$(nacre --version)" "nacre $(nacre version --json | jq -r .version)"
	is "$(nacre version --format '{{.Version}}')" "$(nacre version --json | jq -r .version)"
	nacre --help load | grep -q "^nacre load"
	nacre image ls >/dev/null
	nacre graph --help | grep -q register
}

@test "the completions are good scripts" {
	local generate=$stories/../../completions/generate.py
	"$generate" bash "$NACRE" >nacre.bash
	bash -n nacre.bash
	"$generate" zsh "$NACRE" >_nacre
	! command -v zsh >/dev/null || zsh -n _nacre
	"$generate" fish "$NACRE" >nacre.fish
	! command -v fish >/dev/null || fish -n nacre.fish
}

complete() { # LINE: what bash would offer
	PATH=$(dirname "$NACRE"):$PATH bash -c '
		source ./nacre.bash
		compopt() { :; }
		COMP_LINE=$1 COMP_POINT=${#1}
		_nacre
		printf "%s\n" "${COMPREPLY[@]}"' bash "$1"
}

@test "bash completes commands, options, values, names and IDs" {
	"$stories/../../completions/generate.py" bash "$NACRE" >nacre.bash
	make_app app.tar
	nacre load -q -i app.tar >/dev/null
	is "$(complete 'nacre loa')" load
	has "$(complete 'nacre ')" images
	is "$(complete 'nacre save --form')" --format
	is "$(complete 'nacre save --format oci-d')" oci-dir
	is "$(complete 'nacre graph chi')" children
	has "$(complete 'nacre graph children ')" "$(nacre graph heads --format '{{.ID}}')"
	is "$(complete 'nacre inspect ap')" app:1
	is "$(complete 'nacre inspect app:')" 1
	is "$(complete "nacre --root $work/nothing inspect ap")" ""
	touch archive.tar
	is "$(complete 'nacre load -i arch')" archive.tar
}
