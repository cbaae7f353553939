#!/usr/bin/env bash
# What no compiler checks: that rooms only look down, that the repository is free of unfinished work, that scripts are sound.
# Prints TAP.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
n=0 bad=0
check() { # NAME OFFENDERS
  n=$((n + 1))
  if [ -z "$2" ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "$2" | sed 's/^/#   /'; bad=$((bad + 1)); fi
}

level() { case $1 in base) echo 0 ;; io) echo 1 ;; tar | image) echo 2 ;; driver) echo 3 ;; store) echo 4 ;; transport) echo 5 ;; *) echo 9 ;; esac; }
upward=$(for file in src/*/*.[ch]; do
  room=${file#src/}; room=${room%%/*}
  grep -noE '#include "[a-z_]+/' "$file" | while IFS=: read -r line include; do
    other=${include#*\"}; other=${other%/}
    if [ "$(level "$other")" -gt "$(level "$room")" ] || { [ "$(level "$other")" = "$(level "$room")" ] && [ "$other" != "$room" ]; }; then
      echo "$file:$line includes $other/"
    fi
  done
done)
check "rooms include only what is below them" "$upward"
check "includes are written from src/" "$(grep -nE '#include "[^/]+"' src/*/*.[ch])"
check "the directory is changed by nobody but the child that mounts" "$(grep -nE '[^_a-z](chdir|fchdir)\(' src/*/*.c | grep -v '^src/driver/overlay_mount.c')"
check "the command uses the public header alone" "$(grep -nE '#include "(base|io|tar|image|driver|store|transport)/' cli/*.[ch] examples/*.c)"
check "nothing is left unfinished" "$(grep -rnE '\b(TODO|FIXME|XXX|HACK)\b|not (yet )?implemented' src cli include man docs examples 2>/dev/null)"
check "memory comes from base/mem" "$(grep -nE '[^_a-z](malloc|calloc|realloc|strdup|strndup|asprintf|alloca)\(' src/*/*.c | grep -v '^src/base/mem.c')"
check "the library never prints or exits" "$(grep -nE '[^_a-z](printf|puts|perror|exit|abort|umask|signal|sigaction|system|popen)\(' src/*/*.c | grep -vE 'snprintf|ops->abort')"
check "files stay one room with one purpose (900 lines)" "$(wc -l src/*/*.c cli/*.c | awk '$2 != "total" && $1 > 900 { print $2 ": " $1 " lines" }')"
check "every exported function is in the header" "$(
  nm -D --defined-only build/libnacre.so 2>/dev/null | awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | while read -r f; do grep -q "\b$f(" include/nacre/nacre.h || echo "$f"; done
  nm -D --defined-only build/libnacre.so 2>/dev/null | awk '$2 != "T" && $2 != "A" { print $3 " is exported" }')"
check "every function of the header is exported" "$(
  grep -oE '\bnacre_[a-z0-9_]+\(' include/nacre/nacre.h | sort -u | tr -d '(' | while read -r f; do
    nm -D --defined-only build/libnacre.so | grep -qE " T $f(@|\$)" || echo "$f"; done)"
check "docs/graph.md names functions, commands and files that are there" "$(
  grep -oE '\bnacre_[a-z0-9_]+' docs/graph.md | sort -u | while read -r f; do
    grep -qE "\b$f\b" include/nacre/nacre.h || echo "function $f"; done
  grep -oE '`nacre [a-z][^`]*`' docs/graph.md | tr -d '`' | sort -u | while read -r _ word second rest; do
    [ "$word" = graph ] && word="graph $second" || rest="$second $rest"
    grep -qhF ".name = \"$word\"" cli/cmd_*.c || echo "command nacre $word"
    for option in $rest; do
      case $option in --*) grep -lF ".name = \"$word\"" cli/cmd_*.c | xargs -r grep -qE "\"${option#--}\"|OPTION_$(tr a-z A-Z <<<"${option#--}")" || echo "nacre $word $option" ;; esac
    done; done
  grep -oE '`tests/[a-z_/]+\.[a-z]+`' docs/graph.md | tr -d '`' | sort -u | while read -r f; do [ -e "$f" ] || echo "$f"; done)"
check "each of the 27 faults of the graph of 2015 has its row and its test" "$(
  for i in $(seq 27); do
    grep -q "^| $i | .* | defect $i |\$" docs/graph.md || echo "no row $i"
    grep -qE "DEFECT\($i,|@test \"defect $i:" tests/unit/store/test_defects.c tests/story/defects.bats || echo "no test of defect $i"
  done)"
mapfile -t scripts < <(find dev .ci tests fuzz bench -type f \( -name '*.sh' -o -name '*.bash' -o -name dev -o -name run \))
check "shell scripts are sound" "$(shellcheck -S warning "${scripts[@]}" 2>&1 | head -40)"
[ $bad = 0 ]
