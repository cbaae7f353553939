#!/usr/bin/env python3
"""report.py FILE.json PAGE.md : what bench.py measured, as tables between the marks <!-- measured --> and <!-- /measured --> of a page."""
import json, re, statistics, sys

measured = json.load(open(sys.argv[1]))
results = measured['results']


def median(case, program, what):
    values = [run[what] for run in results[case][program] if what in run]
    return statistics.median(values) if values else None


def seconds(value):
    return f'{value * 1000:.1f} ms' if value < 0.2 else f'{value:.2f} s'


def cell(value, form):
    return '' if value is None else form.format(value)


def ratio(case, program, other):
    if other not in results[case]:
        return ''
    return f"{median(case, program, 'time') / median(case, other, 'time'):.2f}"


def long_table(case, beside):
    """One row a program, with all that is known of its runs."""
    others = [name for name in results[case] if not name.startswith('nacre') and name not in ('limit', 'GNU tar', 'cat')]
    peer = min(others, key=lambda name: median(case, name, 'time')) if others else None
    beside = [name for name in beside + ([peer] if peer else []) if name in results[case]]
    yield f'**{case}**, {max(len(runs) for runs in results[case].values())} runs\n'
    yield '| | time | ' + ' | '.join('of ' + name for name in beside) + ' | CPU | memory | disk | syncs | others’ CPU |'
    yield '|---|---|' + '---|' * len(beside) + '---|---|---|---|---|'
    for program in results[case]:
        cells = [program, seconds(median(case, program, 'time'))]
        cells += [ratio(case, program, name) for name in beside]
        memory, disk = median(case, program, 'rss'), median(case, program, 'disk')
        cells += [cell(median(case, program, 'cpu'), '{:.2f} s'), cell(memory and memory / 1024, '{:.0f} MiB'),
                  cell(disk and disk / 1e6, '{:.0f} MB'), cell(median(case, program, 'syncs'), '{}'),
                  cell(median(case, program, 'other'), '{:.1f} s')]
        yield '| ' + ' | '.join(cells) + ' |'
    yield ''


def short_table(cases):
    names = list(dict.fromkeys(name for case in cases for name in results[case]))
    yield '| | ' + ' | '.join(names) + ' |'
    yield '|---|' + '---|' * len(names)
    for case in cases:
        yield f'| {case} | ' + ' | '.join(seconds(median(case, name, 'time')) if name in results[case] else '' for name in names) + ' |'
    yield ''


def page():
    machine = measured['machine']
    took_part = {name.split()[0] if name.startswith('nacre') else name for runs in results.values() for name in runs}
    yield f"{machine['cpus']} processors ({machine['cpu']}), {machine['memory_mb'] // 1024} GiB, Linux {machine['kernel']}. " + '; '.join(
        version for name, version in machine['versions'].items() if name in took_part) + '. Medians.'
    yield ''
    for case in results:
        if case.startswith('load ') and case != 'load medium again':
            yield from long_table(case, ['limit', 'GNU tar'])
        elif case.startswith('save ') or case == 'pull medium':
            yield from long_table(case, ['cat'])
    for prefix in ('remove', 'mount', 'read', ''):
        cases = [case for case in results if case.startswith(prefix) and case.split()[0] in ('remove', 'mount', 'read')] if prefix else [
            case for case in results if case.startswith(('start:', 'list:', 'load medium again', 'pull medium again'))]
        if cases:
            yield from short_table(cases)


text = open(sys.argv[2]).read()
block = '<!-- measured -->\n' + '\n'.join(page()).rstrip() + '\n<!-- /measured -->'
text, count = re.subn(r'<!-- measured -->.*?<!-- /measured -->', lambda _: block, text, flags=re.S)
if count != 1:
    sys.exit(f'{sys.argv[2]}: no marks')
open(sys.argv[2], 'w').write(text)
