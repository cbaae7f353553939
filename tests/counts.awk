# Adds up what a suite's log says: cmocka's closing lines, TAP, and our plain "N passed, N failed, N skipped".
# Prints "PASSED FAILED SKIPPED".
/\[  PASSED  \] [0-9]+ test/ { match($0, /PASSED  \] [0-9]+/); passed += substr($0, RSTART + 10, RLENGTH - 10) }
/\[  FAILED  \] [0-9]+ test/ { match($0, /FAILED  \] [0-9]+/); failed += substr($0, RSTART + 10, RLENGTH - 10) }
/\[  SKIPPED \] [0-9]+ test/ { match($0, /SKIPPED \] [0-9]+/); skipped += substr($0, RSTART + 10, RLENGTH - 10) }
/^ok [0-9]+ .*# skip/ { skipped++; next }
/^ok [0-9]+/ { passed++ }
/^not ok [0-9]+/ { failed++ }
/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { passed += $1; failed += $3; skipped += $5 }
END { print passed + 0, failed + 0, skipped + 0 }
