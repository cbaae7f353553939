#!/bin/sh
# header.sh COMPILER STANDARD INCLUDE: compiles a program that is <nacre/nacre.h> and nothing else.
set -eu
compiler=$1 standard=$2 include=$3
command -v "$compiler" >/dev/null || exit 77
case $compiler in
*++) language=c++ ;;
*) language=c ;;
esac
printf '#include <nacre/nacre.h>\nint main(void) { return nacre_version() == 0; }\n' |
	"$compiler" -x "$language" "$standard" -pedantic -Wall -Wextra -Werror -I"$include" -fsyntax-only -
