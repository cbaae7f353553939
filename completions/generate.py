#!/usr/bin/env python3
"""Completion scripts out of the command's own table.

generate.py SHELL NACRE > SCRIPT     with SHELL bash, zsh or fish; NACRE is the program, asked by 'help --json'
"""
import json
import subprocess
import sys


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def first_line(text):
    return text.split('\n')[0]


def is_value(option):
    return option['argument'] is not None


def spellings(option):
    short = ['-' + option['letter']] if option['letter'] else []
    return short + ['--' + option['name']]


def kind(option):
    """What an option's value is, as one word for the shell functions below."""
    if option['choices']:
        return 'words ' + option['choices'].replace('|', ' ')
    return {'FILE': 'file', 'DIR': 'directory', 'ID': 'node', 'IMAGE': 'image'}.get(option['argument'], 'none')


BASH = '''# bash completion for nacre
__nacre_candidates() {	# KIND [WORD…]: one candidate a line
	local kind=$1
	shift
	case $kind in
	words) printf '%s\\n' "$@" ;;
	image)
		nacre "${store[@]}" images --format '{{.Name}}' 2>/dev/null
		nacre "${store[@]}" images -q 2>/dev/null
		;;
	name | path) nacre "${store[@]}" images --filter dangling=false --format '{{.Name}}' 2>/dev/null ;;
	node) nacre "${store[@]}" graph ls --format '{{.ID}}' 2>/dev/null ;;
	mount) nacre "${store[@]}" mount --format '{{.Name}}
{{.Path}}' 2>/dev/null ;;
	session) nacre "${store[@]}" holds -q 2>/dev/null ;;
	container) nacre "${store[@]}" containers --format '{{.Name}}' 2>/dev/null ;;
	command) printf '%s\\n' @COMMANDS@ ;;
	esac
}

__nacre_options() {	# COMMAND: its options
	case $1 in
@OPTIONS@
	esac
}

__nacre_value() {	# COMMAND OPTION: what its value is; fails when it takes none
	case "$1 $2" in
@VALUES@
	*) return 1 ;;
	esac
}

__nacre_operand() {	# COMMAND: what its operands are
	case $1 in
@OPERANDS@
	esac
}

_nacre() {
	local line=${COMP_LINE:0:COMP_POINT} cur command='' i kind
	local -a words store=()
	read -ra words <<<"$line"
	cur=''
	[[ $line == *[[:space:]] ]] || { cur=${words[-1]}; unset 'words[-1]'; }
	for ((i = 1; i < ${#words[@]}; i++)); do
		case ${words[i]} in
		--root | --driver) store+=("${words[i]}" "${words[i + 1]:-}") && ((i++)) ;;
		--root=* | --driver=*) store+=("${words[i]}") ;;
		--log-level | --sync) ((i++)) ;;
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=${words[i]}
			elif [[ $command == graph ]]; then
				command="graph ${words[i]}"
			fi
			;;
		esac
	done
	if kind=$(__nacre_value "$command" "${words[-1]}"); then
		:
	elif [[ $cur == -* ]]; then
		kind="words $(__nacre_options "$command")"
	elif [[ -z $command ]]; then
		kind=command
	elif [[ $command == graph ]]; then
		kind='words @GRAPH@'
	else
		kind=$(__nacre_operand "$command")
	fi
	COMPREPLY=()
	case $kind in
	file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	none | '') ;;
	*)
		# shellcheck disable=SC2086
		mapfile -t COMPREPLY < <(__nacre_candidates $kind | grep -v -e '<none>' | sort -u |
			while IFS= read -r i; do [[ $i == "$cur"* ]] && printf '%s\\n' "$i"; done)
		;;
	esac
	# readline replaces only what follows the last colon
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		for i in "${!COMPREPLY[@]}"; do
			COMPREPLY[i]=${COMPREPLY[i]#"${cur%:*}:"}
		done
	fi
}
complete -F _nacre nacre
'''

ZSH = '''#compdef nacre
# zsh completion for nacre
__nacre_words() {	# KIND: candidates out of the store
	local -a found
	case $1 in
	image) found=(${(f)"$(nacre images --format '{{.Name}}' 2>/dev/null; nacre images -q 2>/dev/null)"}) ;;
	name|path) found=(${(f)"$(nacre images --filter dangling=false --format '{{.Name}}' 2>/dev/null)"}) ;;
	node) found=(${(f)"$(nacre graph ls --format '{{.ID}}' 2>/dev/null)"}) ;;
	mount) found=(${(f)"$(nacre mount --format '{{.Path}}' 2>/dev/null)"}) ;;
	session) found=(${(f)"$(nacre holds -q 2>/dev/null)"}) ;;
	container) found=(${(f)"$(nacre containers --format '{{.Name}}' 2>/dev/null)"}) ;;
	esac
	(( $#found )) && compadd -a found
}

_nacre() {
	local command
	local -i at=2
	while (( at < CURRENT )); do
		case $words[at] in
		--root|--driver|--log-level|--sync) (( at += 2 )); continue ;;
		-*) (( at++ )); continue ;;
		esac
		break
	done
	if (( at >= CURRENT )); then
		local -a commands=(
@COMMANDS@
		)
		if [[ $words[CURRENT] == -* ]]; then
			_arguments @GLOBAL@
		else
			_describe command commands
		fi
		return
	fi
	command=$words[at]
	if [[ $command == graph ]]; then
		if (( at + 1 >= CURRENT )); then
			local -a graph=(
@GRAPH@
			)
			_describe 'graph command' graph
			return
		fi
		(( at++ ))
		command="graph $words[at]"
	fi
	words=($words[at,-1])
	(( CURRENT -= at - 1 ))
	case $command in
@CASES@
	esac
}

_nacre "$@"
'''

FISH = '''# fish completion for nacre
function __nacre_command --description 'the command that stands on the line'
	set -l words (commandline -opc)
	set -l name
	set -l skip 0
	for word in $words[2..-1]
		if test $skip = 1
			set skip 0
			continue
		end
		switch $word
			case --root --driver --log-level --sync
				set skip 1
			case '-*'
			case '*'
				if test -z "$name"
					set name $word
				else if test "$name" = graph
					set name "graph $word"
				end
		end
	end
	echo $name
end

function __nacre_at
	test (__nacre_command) = "$argv"
end

function __nacre_names
	nacre images --filter dangling=false --format '{{.Name}}' 2>/dev/null
end

function __nacre_images
	__nacre_names
	nacre images -q 2>/dev/null
end

function __nacre_nodes
	nacre graph ls --format '{{.ID}}' 2>/dev/null
end

function __nacre_mounts
	nacre mount --format '{{.Path}}' 2>/dev/null
end

function __nacre_sessions
	nacre holds -q 2>/dev/null
end

function __nacre_containers
	nacre containers --format '{{.Name}}' 2>/dev/null
end

complete -c nacre -f
'''


def bash(commands, shared):
    names = [c['name'] for c in commands if ' ' not in c['name']] + ['graph']
    options, values, operands = [], [], []
    for c in commands:
        words = [s for o in c['options'] + shared for s in spellings(o)]
        options.append(f"\t{quote(c['name'])}) echo {quote(' '.join(words))} ;;")
        if c['completes']:
            operands.append(f"\t{quote(c['name'])}) echo {c['completes']} ;;")
        for o in c['options']:
            if is_value(o):
                patterns = ' | '.join(quote(c['name'] + ' ' + s) for s in spellings(o))
                values.append(f'\t{patterns}) echo {quote(kind(o))} ;;')
    top = [s for o in shared for s in spellings(o)] + ['--version']
    options.append(f"\t'') echo {quote(' '.join(top))} ;;")
    for o in shared:
        if is_value(o):
            values.append(f"\t*' --{o['name']}') echo {quote(kind(o))} ;;")
    graph = [c['name'][6:] for c in commands if c['name'].startswith('graph ')]
    return (BASH.replace('@COMMANDS@', ' '.join(names)).replace('@GRAPH@', ' '.join(graph))
            .replace('@OPTIONS@', '\n'.join(options)).replace('@VALUES@', '\n'.join(values))
            .replace('@OPERANDS@', '\n'.join(operands)))


def zsh_action(what):
    if what.startswith('words '):
        return '(' + what[6:] + ')'
    return {'file': '_files', 'directory': '_files -/', 'none': ' ', 'command': ' '}.get(what, '{__nacre_words %s}' % what)


def zsh_specs(options, operands):
    specs = []
    for o in options:
        text = first_line(o['help']).replace('[', '(').replace(']', ')').replace(':', '\\:')
        value = f":{o['argument']}:{zsh_action(kind(o))}" if is_value(o) else ''
        star = '*' if o['many'] else ''
        specs += [quote(f'{star}{s}[{text}]{value}') for s in spellings(o)]
    if operands:
        specs.append(quote(f'*:{operands}:{zsh_action(operands)}'))
    return ' '.join(specs)


def zsh(commands, shared):
    def described(chosen, cut):
        return '\n'.join('\t\t\t' + quote(c['name'][cut:] + ':' + c['summary'].replace(':', '\\:')) for c in chosen)

    plain = [c for c in commands if ' ' not in c['name']]
    graph = [c for c in commands if ' ' in c['name']]
    cases = '\n'.join(f"\t{quote(c['name'])}) _arguments {zsh_specs(c['options'] + shared, c['completes'])} ;;"
                      for c in commands)
    names = described(plain, 0) + "\n\t\t\t'graph:the graph of nodes below images'"
    return (ZSH.replace('@COMMANDS@', names).replace('@GRAPH@', described(graph, 6))
            .replace('@GLOBAL@', zsh_specs(shared, None) + " '--version[show the version]'")
            .replace('@CASES@', cases))


def fish(commands, shared):
    sources = {'image': '(__nacre_images)', 'name': '(__nacre_names)', 'path': '(__nacre_names)',
               'node': '(__nacre_nodes)', 'mount': '(__nacre_mounts)', 'session': '(__nacre_sessions)',
               'container': '(__nacre_containers)'}
    lines = []

    def option(o, condition):
        line = f"complete -c nacre {condition} -l {o['name']} -d {quote(first_line(o['help']))}"
        if o['letter']:
            line += f" -s {o['letter']}"
        if is_value(o):
            what = kind(o)
            line += ' -x' if what not in ('file', 'directory') else ' -r -F'
            if what.startswith('words '):
                line += ' -a ' + quote(what[6:])
            elif what in sources:
                line += ' -a ' + quote(sources[what])
        lines.append(line)

    for o in shared:
        option(o, '')
    lines.append("complete -c nacre -n '__nacre_at' -l version -d 'show the version'")
    lines.append("complete -c nacre -n '__nacre_at' -a graph -d 'the graph of nodes below images'")
    for c in commands:
        parent, _, word = c['name'].rpartition(' ')
        lines.append(f"complete -c nacre -n {quote(('__nacre_at ' + parent).strip())} -a {word} "
                     f"-d {quote(c['summary'])}")
        condition = '-n ' + quote('__nacre_at ' + c['name'])
        for o in c['options']:
            option(o, condition)
        if c['completes'] in ('file', 'directory'):
            lines.append(f'complete -c nacre {condition} -F')
        elif c['completes'] in sources:
            lines.append(f"complete -c nacre {condition} -a {quote(sources[c['completes']])}")
    return FISH + '\n'.join(lines) + '\n'


def main():
    shell, program = sys.argv[1:]
    table = json.loads(subprocess.run([program, 'help', '--json'], check=True, stdout=subprocess.PIPE).stdout)
    sys.stdout.write({'bash': bash, 'zsh': zsh, 'fish': fish}[shell](table['commands'], table['options']))


main()
