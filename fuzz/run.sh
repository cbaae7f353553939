#!/usr/bin/env bash
# Runs fuzz targets: first the saved inputs and the corpus, then new ones; in the end what was found worth keeping once more, with
# an eye on memory that leaks.
#   run.sh BUILD_DIR LIMIT [TARGET…]      LIMIT: seconds a target, or a number of executions with an x behind it (10000000x)
# FUZZ_CORPUS=DIR keeps what was found in DIR/TARGET. Prints a line a target and "N passed, N failed, N skipped". Crashing inputs
# stay in fuzz/found/.
set -u
build=$1 limit=-max_total_time=$2
case $2 in *x) limit=-runs=${2%x} ;; esac
shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm	# the targets' files too are short-lived
# freed memory is watched for the length of an input, not for that of thousands
export ASAN_OPTIONS=${ASAN_OPTIONS-quarantine_size_mb=16:thread_local_quarantine_size_kb=1024:malloc_context_size=8}
passed=0 failed=0
mkdir -p fuzz/found

fuzz() { # PROGRAM NAME
  local work seeds dir options=(-timeout=20 -rss_limit_mb=2048 -max_len=65536 "-artifact_prefix=fuzz/found/$2-")
  work=${FUZZ_CORPUS:+$FUZZ_CORPUS/$2}
  [ -n "$work" ] && mkdir -p "$work" || work=$(mktemp -d)
  seeds=("$work")
  for dir in "fuzz/seeds/$2" "fuzz/saved/$2"; do [ -d "$dir" ] && seeds+=("$dir"); done
  case $2 in tar | docker_archive) seeds+=(tests/corpus/tar) ;; split) seeds+=(tests/corpus/tar-split/reference) ;; esac
  "$1" "$limit" -detect_leaks=0 -print_final_stats=1 "${options[@]}" "${seeds[@]}" &&
    "$1" -runs=0 "${options[@]}" "${seeds[@]}"
  local status=$?
  [ -n "${FUZZ_CORPUS:-}" ] || rm -rf "$work"
  return $status
}

for program in "$build"/fuzz_*; do
  [ -f "$program" ] && [ -x "$program" ] || continue
  name=${program##*/fuzz_}
  [ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
  log=$(mktemp)
  if fuzz "$program" "$name" >"$log" 2>&1; then
    passed=$((passed + 1))
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions, no crash"
  else
    failed=$((failed + 1))
    echo "$name: CRASH"; tail -40 "$log"
  fi
  rm -f "$log"
done
rmdir fuzz/found 2>/dev/null
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
