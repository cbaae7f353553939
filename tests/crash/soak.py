#!/usr/bin/env python3
"""Many processes work on one store at once, and some of them are killed: nothing that was reported as done is lost.

  soak.py --nacre FILE [--seconds N] [--workers N] [--driver NAME] [--seed N]

Each worker has names of its own, which nobody else touches, and knows what they mean: it loads, tags, mounts, exports,
writes, commits, holds and deletes, the same images as all others do. Names that belong to nobody come and go meanwhile.
A command that is not killed must be done, or say that something is in use, busy, or not there where that can be so; what
reads may not wait for anybody. In the end every name, every byte, every lock and every file of the store is accounted
for. Prints TAP. Needs root."""
import argparse
import collections
import fcntl
import hashlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from known import Store, Wrong, judge_image, make_image, own_mounts, tree  # noqa: E402

DONE, NOTFOUND, BUSY, DAMAGED, IN_USE = 0, 2, 75, 65, 'in use'
IN_USE_SAID = re.compile(rb'[0-9a-f]{12} (is (the parent of|named|held by|mounted at)|lies below writable layer|has \d+ names)')
# what a check may tell of those that were killed, until somebody writes
LEFT_BEHIND = re.compile(r'(tree|blob|stage)-stray: |\d+ findings?\.')
HANGS = 300  # seconds that no command may take
WAITS = re.compile(r'SETLKW')
KILLED = 'killed'
ANYTHING = 'anything'  # the image of a commit that was killed


def make_images(work):
    base = ['--dir', 'etc', '--file', 'etc/base=base', '--big', 'etc/big=70000', '--link', 'etc/link=base']
    return [make_image(work, f'app{i}', [*base, *(['--layer', '--file', 'mid=mid'] if i > 1 else []),
                                        '--layer', '--dir', 'etc', '--file', f'etc/own=own{i}', '--delete', 'etc/link',
                                        '--big', f'srv=1{i}000']) for i in range(5)]


class Soak:
    """What the workers share."""

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.store = Store(options.nacre, os.path.join(work, 'store'))
        self.images = make_images(work)
        self.shared = [f'app{i}:1' for i in range(len(self.images))]
        self.by_id = {image.id: image for image in self.images}
        self.counts, self.lock, self.wrong, self.times = collections.Counter(), threading.Lock(), [], {}
        self.verbs = {verb for verb in ('prune', 'check') if self.store('help', verb, check=False).returncode == 0}
        self.end = time.monotonic() + options.seconds

    def count(self, what):
        with self.lock:
            self.counts[what] += 1


class Worker(threading.Thread):
    def __init__(self, soak, number):
        super().__init__()
        self.soak, self.number = soak, number
        self.random = random.Random(f'{soak.options.seed} {number}')
        self.names = {f'w{number}/n{i}:1': {None} for i in range(4)}  # what each may mean; None: nothing
        self.log = {name: collections.deque(maxlen=12) for name in self.names}
        self.dir = os.path.join(soak.work, f'mnt{number}')
        os.mkdir(self.dir)
        self.rounds = 0
        self.made = set()  # images that it committed: no other has their like

    def run(self):
        acts = [self.load, self.load, self.tag, self.take, self.untag, self.rmi, self.rmi_shared, self.rmi_nameless, self.mount,
                self.export, self.look, self.look, self.write, self.hold, *([self.keep_house] if self.soak.verbs else [])]
        try:
            while not self.soak.wrong and (time.monotonic() < self.soak.end or self.rounds < 10):
                self.random.choice(acts)()
                self.rounds += 1
        except (Wrong, subprocess.TimeoutExpired) as wrong:
            self.soak.wrong.append(f'worker {self.number}, round {self.rounds}: {wrong}')

    # --- commands

    def nacre(self, *words, may=(DONE,), kill=True):
        """Its exit code, or KILLED; and its output."""
        process = subprocess.Popen(self.soak.store.words(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        began, usual = time.monotonic(), self.soak.times.get(words[0], 0.1)
        try:
            out, err = process.communicate(timeout=self.random.random() * usual if kill and self.random.random() < 0.25 else HANGS)
        except subprocess.TimeoutExpired as late:
            process.kill()
            out, err = process.communicate()
            if late.timeout == HANGS:
                raise
        if process.returncode == -9:
            self.soak.count(KILLED)
            return KILLED, out
        self.soak.times[words[0]] = time.monotonic() - began
        self.soak.count(words[0])
        code = IN_USE if process.returncode == 1 and IN_USE_SAID.search(err) else process.returncode
        if code not in may or err.strip().count(b'\n') > 0:
            raise Wrong(f'{" ".join(words)}: exit {process.returncode}: {(err.strip() or out[-1000:]).decode(errors="replace")}')
        return code, out

    def read(self, *words, may=(DONE,)):
        """A command that only reads, now and then under a tracer: it may not wait for a lock, nor sleep."""
        if self.random.random() < 0.15 and not self.soak.options.untraced:
            trace = os.path.join(self.soak.work, f'trace{self.number}')
            done = subprocess.run(['strace', '-f', '-qq', '-o', trace, '-e', 'trace=fcntl,nanosleep,clock_nanosleep',
                                   *self.soak.store.words(*words)], capture_output=True, timeout=HANGS)
            if done.returncode not in may:
                raise Wrong(f'{" ".join(words)}: exit {done.returncode}: {(done.stderr.strip() or done.stdout[-1000:]).decode(errors="replace")}')
            with open(trace) as lines:
                waits = [line.strip() for line in lines if WAITS.search(line)]
            self.soak.count('traced reader')
            if waits:
                raise Wrong(f'{" ".join(words)} waited {len(waits)} times: {waits[0]}')
            return done.returncode, done.stdout
        return self.nacre(*words, may=may, kill=False)

    # --- names of its own

    def check(self, name):
        """What it means. One whose change was killed may mean the one now and the other later, when somebody has finished
        what the dead one began; until it is changed again, and that is done."""
        code, out = self.read('inspect', name, may=(DONE, NOTFOUND))
        means = None if code else json.loads(out)[0]['id'].removeprefix('sha256:')
        if means not in self.names[name] and ANYTHING not in self.names[name]:
            raise Wrong(f'{name} means {means} and not one of {self.names[name]}: {"; ".join(self.log[name])}')
        return means

    def settle(self, name, means, what):
        self.names[name] = {means}
        self.log[name].append(f'{what}: {str(means)[:12]}')
        self.check(name)

    def pick(self):
        """One of its names that surely means something, and what it means; or None."""
        names = [name for name, all in self.names.items() if len(all) == 1 and all not in ({None}, {ANYTHING})]
        return (name := self.random.choice(names), self.check(name)) if names else None

    def change(self, name, after, *words, may=(DONE,)):
        """A command that makes name mean after. True: it was done."""
        code, _ = self.nacre(*words, may=may)
        if code == DONE:
            self.settle(name, after, words[0])
        else:
            self.not_done(name, after, words[0], code)
        return code == DONE

    def not_done(self, name, after, what, code):
        self.log[name].append(f'{what} {code}: {str(after)[:12]}')
        if code == KILLED:
            self.names[name] = self.names[name] | {after}
        self.check(name)

    # --- what it does

    def load(self):
        name, image = self.random.choice(list(self.names)), self.random.choice(self.soak.images)
        self.change(name, image.id, 'load', '-q', '-i', image.archive, '--name', name)

    def tag(self):
        if source := self.pick():
            other = self.random.choice(list(self.names))
            self.change(other, source[1], 'tag', source[0], other)

    def take(self):
        """A name that others take away meanwhile: done, and then it stays; or not there."""
        name, i = self.random.choice(list(self.names)), self.random.randrange(len(self.soak.images))
        if self.random.random() < 0.5:
            self.change(name, self.soak.images[i].id, 'tag', self.soak.shared[i], name, may=(DONE, NOTFOUND, BUSY))
        elif mine := self.pick():
            image = self.soak.by_id.get(mine[1])
            if image:
                self.nacre('tag', mine[0], self.soak.shared[self.soak.images.index(image)])

    def untag(self):
        if mine := self.pick():
            self.change(mine[0], None, 'untag', mine[0])

    def rmi(self):
        if mine := self.pick():
            self.change(mine[0], None, 'rmi', '-q', mine[0], may=(DONE, BUSY, IN_USE))

    def rmi_shared(self):
        self.nacre('rmi', '-q', self.random.choice(self.soak.shared), may=(DONE, NOTFOUND, BUSY, IN_USE))

    def rmi_nameless(self):
        """By its ID an image goes with the one name that somebody may have given it meanwhile: so only those that nobody else
        names. Prunes take the others."""
        _, out = self.read('images', '-q', '--no-trunc', '--filter', 'dangling=true')
        for image in out.decode().split():
            if image.removeprefix('sha256:') in self.made:
                self.nacre('rmi', '-q', image, may=(DONE, NOTFOUND, BUSY, IN_USE))

    def mount(self):
        if not (mine := self.pick()):
            return
        code, _ = self.nacre('mount', mine[0], self.dir)
        if code == DONE and mine[1] in self.soak.by_id:
            found, known = tree.facts_of(self.dir), self.soak.by_id[mine[1]].listing
            if found != known:
                raise Wrong(f'{mine[0]} shows {sorted(k for k in found.keys() | known.keys() if found.get(k) != known.get(k))}')
            # a mounted image stays, whatever becomes of its names
            self.change(mine[0], None, 'rmi', '-q', mine[0], may=(DONE, BUSY, IN_USE))
            self.read('inspect', mine[1])
        while self.nacre('umount', self.dir)[0] == KILLED:
            pass
        if os.path.ismount(self.dir):
            raise Wrong(f'{self.dir} is still mounted')

    def export(self):
        if not (mine := self.pick()):
            return
        _, facts = self.read('inspect', mine[0])
        for layer in json.loads(facts)[0]['layers']:
            _, content = self.read('graph', 'tar', layer['chain_id'])
            if 'sha256:' + hashlib.sha256(content).hexdigest() != layer['diff_id']:
                raise Wrong(f'{layer["chain_id"]} gives other bytes')
        out = os.path.join(self.soak.work, f'out{self.number}.tar')
        self.nacre('save', '-q', '-o', out, mine[0])
        self.read('export', '-q', '-o', out, mine[0])

    def look(self):
        for words in (['images', '-a', '--json'], ['df', '--json'], ['graph', 'ls'], ['holds'], ['mount'], ['tree']):
            self.read(*words)

    def write(self):
        layer, other = f'writable{self.number}', self.random.choice(list(self.names))
        if not (mine := self.pick()):
            return
        if self.nacre('create', mine[0], layer)[0] == DONE:
            if self.nacre('mount', layer, self.dir)[0] == DONE:
                with open(os.path.join(self.dir, 'written'), 'w') as f:
                    f.write(f'{self.number} {self.rounds}')
            while self.nacre('umount', self.dir)[0] == KILLED:
                pass
            code, out = self.nacre('commit', '-q', layer, other)
            if code == DONE:
                self.made.add(out.decode().split()[-1].removeprefix('sha256:'))
                self.settle(other, out.decode().split()[-1].removeprefix('sha256:'), 'commit')
            else:
                self.not_done(other, ANYTHING, 'commit', code)
        while self.nacre('rm', '-f', layer)[0] == KILLED:
            pass

    def hold(self):
        if not (mine := self.pick()):
            return
        session = f's{self.number}'
        if self.nacre('hold', '--session', session, mine[0])[0] == DONE and self.change(mine[0], None, 'untag', mine[0]):
            self.read('inspect', mine[1])
            self.change(mine[0], mine[1], 'tag', mine[1], mine[0])
        while self.nacre('release', session, may=(DONE, NOTFOUND))[0] == KILLED:
            pass

    def keep_house(self):
        if 'check' in self.soak.verbs and self.random.random() < 0.5:
            code, out = self.read('check', may=(DONE, DAMAGED))
            told = [line for line in out.decode().splitlines() if line and not LEFT_BEHIND.match(line)]
            if code == DAMAGED and told:
                raise Wrong(f'check: {told}')
        elif 'prune' in self.soak.verbs:
            self.nacre('prune', may=(DONE, BUSY))


# --- the end of it ---------------------------------------------------------------------------------------------------

def no_lock_is_left(root):
    with open(os.path.join(root, 'lock'), 'r+b') as f:
        whole = struct.pack('hhqqi4x', fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            fcntl.fcntl(f, 37, whole)  # F_OFD_SETLK
        except OSError as taken:
            raise Wrong(f'a lock is left: {taken}')


def nothing_lies_about(soak):
    left = os.listdir(os.path.join(soak.store.root, 'graph', '_tmp'))
    mounts = [line.split()[4] for line in open('/proc/self/mountinfo') if line.split()[4].startswith(soak.work)]
    rubbish = json.loads(soak.store('df', '--json').stdout)['rubbish_bytes']
    if left or mounts or rubbish:
        raise Wrong(f'left over: stages {left}, mounts {mounts}, {rubbish} bytes of rubbish')


def all_is_there(soak, workers):
    for worker in workers:
        for name in worker.names:
            worker.check(name)
    mount_point = os.path.join(soak.work, 'mnt')
    os.mkdir(mount_point)
    for image in json.loads(soak.store('images', '-a', '--json').stdout):
        known = soak.by_id.get(image['id'].removeprefix('sha256:'))
        if known:
            judge_image(soak.store, known, mount_point)
    for node in soak.store('graph', 'ls', '-q').stdout.decode().split():
        done = soak.store('graph', 'tar', node, check=False)
        if done.returncode and b'has no layer' not in done.stderr:
            raise Wrong(f'graph tar {node}: exit {done.returncode}: {done.stderr.decode()}')


def emptied_it_is_as_new(soak):
    def files(root):
        return sorted(os.path.relpath(os.path.join(at, name), root) for at, dirs, names in os.walk(root) for name in dirs + names
                      if not name.startswith('catalog.db-'))
    for image in json.loads(soak.store('images', '-a', '--json').stdout):
        soak.store('rmi', '-q', '-f', image['id'].removeprefix('sha256:'))
    new = Store(soak.options.nacre, os.path.join(soak.work, 'new'))
    new('--driver', soak.options.driver, 'load', '-q', '-i', soak.images[0].archive)
    new('rmi', '-q', '-f', soak.images[0].id)
    more = set(files(soak.store.root)) - set(files(new.root)) - {'mounts', 'mnt', 'writable', 'holds', f'{soak.options.driver}/l'}
    if more:
        raise Wrong(f'an emptied store has {sorted(more)[:8]} ({len(more)})')


def main():
    own_mounts()
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--nacre', required=True)
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--workers', type=int, default=8)
    parser.add_argument('--driver', default='overlay')
    parser.add_argument('--seed', default=None)
    parser.add_argument('--untraced', action='store_true')
    options = parser.parse_args()
    options.nacre, options.seed = os.path.abspath(options.nacre), options.seed or str(time.time_ns())
    work = tempfile.mkdtemp(prefix='nacre-soak.', dir='/var/tmp')
    os.environ['SOURCE_DATE_EPOCH'] = '1700000000'
    number = failed = 0
    try:
        soak = Soak(options, work)
        soak.store('--driver', options.driver, 'load', '-q', '-i', soak.images[0].archive)
        workers = [Worker(soak, i) for i in range(options.workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        def work_goes_on():
            if soak.wrong:
                raise Wrong('; '.join(soak.wrong))

        def a_writer_cleans_up():
            soak.store('umount', '-a')
            soak.store('load', '-q', '-i', soak.images[0].archive)
            nothing_lies_about(soak)

        for title, step in (('no command fails but where it may', work_goes_on), ('a writer cleans up', a_writer_cleans_up),
                            ('no lock is left', lambda: no_lock_is_left(soak.store.root)),
                            ('every name and every layer is there', lambda: all_is_there(soak, workers)),
                            ('emptied, the store is as a new one', lambda: emptied_it_is_as_new(soak))):
            number += 1
            try:
                step()
                print(f'ok {number} {options.driver}: {title}')
            except Wrong as wrong:
                failed += 1
                print(f'not ok {number} {options.driver}: {title}\n#   {wrong}')
        told = ', '.join(f'{count} {what}' for what, count in soak.counts.most_common())
        print(f'1..{number}\n# {options.seconds:.0f} s, {options.workers} workers, {sum(soak.counts.values())} commands: {told}; seed {options.seed}')
    finally:
        if failed and os.environ.get('NACRE_KEEP'):
            print(f'# kept in {work}')
        else:
            shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
