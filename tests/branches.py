"""What decides whether an archive is understood, whether a path stays where it belongs, and whether a commit is whole: of each of
these files at least LEAST per cent of the branches are taken by some test. Reads gcovr's summary (JSON), prints TAP."""
import json
import sys

LEAST = 90
FILES = """
    src/tar/header.c src/tar/member.c src/tar/pax.c src/tar/reader.c src/tar/sparse.c
    src/io/path.c
    src/io/stage.c src/io/writeback.c src/store/incoming.c src/store/ingest.c src/store/learn.c src/store/plan.c
    src/store/publish.c src/store/recover.c src/store/register.c
""".split()


def main():
    with open(sys.argv[1], encoding="utf-8") as summary:
        found = {file["filename"]: file for file in json.load(summary)["files"]}
    failed = 0
    for number, name in enumerate(FILES, 1):
        taken, total = (found[name][key] for key in ("branch_covered", "branch_total")) if name in found else (0, 0)
        good = total > 0 and 100 * taken >= LEAST * total
        failed += not good
        percent = f"{100 * taken / total:.1f} %" if total else "none"
        print(f"{'ok' if good else 'not ok'} {number} {name}: {percent} of its branches ({taken} of {total}; at least {LEAST} %)")
    sys.exit(failed > 0)


main()
