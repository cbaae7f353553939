#!/usr/bin/env bash
# Runs fuzz targets: first the saved inputs and the corpus, then new ones.
#   run.sh BUILD_DIR SECONDS [TARGET]
# Prints a line a target and "N passed, N failed, N skipped". Crashing inputs stay in fuzz/found/.
set -u
build=$1 seconds=$2 only=${3:-}
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
passed=0 failed=0
mkdir -p fuzz/found
for program in "$build"/fuzz_*; do
  [ -f "$program" ] && [ -x "$program" ] || continue
  name=${program##*/fuzz_}
  [ -z "$only" ] || [ "$only" = "$name" ] || continue
  work=$(mktemp -d)
  seeds=("$work")
  for dir in "fuzz/seeds/$name" "fuzz/saved/$name"; do [ -d "$dir" ] && seeds+=("$dir"); done
  case $name in tar | docker_archive) seeds+=(tests/corpus/tar) ;; split) seeds+=(tests/corpus/tar-split/reference) ;; esac
  if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="fuzz/found/$name-" "${seeds[@]}" >"$work.log" 2>&1; then
    passed=$((passed + 1))
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work.log") executions, no crash"
  else
    failed=$((failed + 1))
    echo "$name: CRASH"; tail -40 "$work.log"
  fi
  rm -rf "$work" "$work.log"
done
rmdir fuzz/found 2>/dev/null
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
