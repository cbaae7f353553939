#!/usr/bin/env python3
"""What commands cost in a store of 100,000 nodes and 10,000 names, beside a store with a single image.

  scale.py --nacre FILE --many FILE [--dir DIR] [--driver NAME] [--images N] [--rounds N] [--sync] [--only WORD]

DIR (/var/tmp/nacre-scale) keeps both stores for the next run. Prints a table: the medians of alternating rounds, their ratio, and
the numbers of system calls. Without --sync nothing waits for the disk. What a command changes is undone by the one behind it."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MAKE_IMAGE = os.path.join(HERE, '..', 'tests', 'story', 'make-image')


def run(*words, stdin=None):
    done = subprocess.run(words, stdin=stdin or subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        sys.exit(f'{" ".join(words)}: exit {done.returncode}: {done.stderr.decode()}')
    return done.stdout.decode()


class Store:
    def __init__(self, options, name, images):
        self.root = os.path.join(options.dir, name)
        self.begin = [options.nacre, '--root', self.root, *([] if options.sync else ['--sync', 'none'])]
        if not os.path.exists(os.path.join(self.root, 'catalog.db')):
            run(options.many, self.root, options.driver, str(images), '10')
        self.name = f'bench/image:{images // 2}'  # in the middle, so that nothing is at an end of a list
        image = json.loads(self('inspect', self.name))[0]
        self.prefix = image['id'].removeprefix('sha256:')[:12]
        self.top = image['layers'][-1]['chain_id']
        self.layer = image['layers'][4]['chain_id'][:16]

    def __call__(self, *words, stdin=None):
        return run(*self.begin, *words, stdin=stdin)


class Command:
    """The words, what comes before them and after, outside of the clock. layer: a tar is their standard input."""
    def __init__(self, name, words, before=(), after=(), layer=None):
        self.name, self.words, self.before, self.after, self.layer = name, words, before, after, layer

    def __call__(self, store, trace=None):
        if self.before:
            store(*self.before)
        stdin = open(self.layer, 'rb') if self.layer else None
        words = [*(['strace', '-f', '-qq', '-o', trace] if trace else []), *store.begin, *self.words(store)]
        began = time.monotonic()
        out = run(*words, stdin=stdin).strip()
        took = time.monotonic() - began
        if self.after:
            store(*(out if word == '{}' else word for word in self.after))
        return took


def commands(archive, layer):
    load, gone = ('load', '-q', '-i', archive), ('rmi', '-q', 'bench/one:1')
    return [
        Command('help (no store)', lambda store: ['version']),
        Command('open: holds', lambda store: ['holds']),
        Command('inspect NAME', lambda store: ['inspect', store.name]),
        Command('inspect PREFIX', lambda store: ['inspect', store.prefix]),
        Command('images -q NAME', lambda store: ['images', '-q', store.name]),
        Command('images -q --filter id=PREFIX', lambda store: ['images', '-q', '--filter', 'id=' + store.prefix]),
        Command('graph get PREFIX', lambda store: ['graph', 'get', store.layer]),
        Command('graph children ID', lambda store: ['graph', 'children', store.top]),
        Command('graph register', lambda store: ['graph', 'register', '--parent', store.top], (), ('graph', 'delete', '{}'), layer),
        Command('load of an image', lambda store: load, (), gone),
        Command('rmi of an image', lambda store: gone, load),
        Command('tag', lambda store: ['tag', store.name, 'bench/new:1'], (), ('untag', 'bench/new:1')),
        Command('untag', lambda store: ['untag', 'bench/new:1'], ('tag', 'bench/image:0', 'bench/new:1')),
        Command('graph heads', lambda store: ['graph', 'heads']),
        Command('images -q', lambda store: ['images', '-q']),
    ]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--nacre', required=True)
    parser.add_argument('--many', required=True)
    parser.add_argument('--dir', default='/var/tmp/nacre-scale')
    parser.add_argument('--driver', default='erofs')
    parser.add_argument('--images', type=int, default=10000)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--sync', action='store_true')
    parser.add_argument('--only', default='')
    options = parser.parse_args()
    os.makedirs(options.dir, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        archive, layer, trace = (os.path.join(work, name) for name in ('one.tar', 'layer.tar', 'trace'))
        run(MAKE_IMAGE, 'docker', archive, '--name', 'bench/one:1', '--file', 'one=1')
        with open(os.path.join(work, 'file'), 'w') as f:
            f.write('a layer')
        run('tar', '-C', work, '-cf', layer, 'file')
        stores = [Store(options, 'few', 1), Store(options, 'many', options.images)]
        print('| command | few | many | ratio | system calls, few | many |\n|---|---|---|---|---|---|')
        for command in commands(archive, layer):
            if options.only not in command.name:
                continue
            times, calls = ([], []), []
            for _ in range(options.rounds):
                for i, store in enumerate(stores):
                    times[i].append(command(store))
            for store in stores:
                command(store, trace)
                with open(trace, 'rb') as f:
                    calls.append(sum(1 for _ in f))
            few, many = (1000 * statistics.median(each) for each in times)
            print(f'| {command.name} | {few:.1f} ms | {many:.1f} ms | {many / few:.2f} | {calls[0]} | {calls[1]} |', flush=True)


main()
