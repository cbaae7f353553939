#!/usr/bin/env python3
"""Kills commands, lets their system calls fail, and cuts the power, at one point after the other, and judges the store.

  crash.py kill  [OPTION…]    killed before, after and half way through each call that changes a file of the store
  crash.py fault [OPTION…]    that call fails: ENOSPC, EIO, …, once (ERRNO) or from then on (ERRNO+)
  crash.py power [OPTION…]    the disk's writes are logged; the power goes after each of them
  crash.py flush [OPTION…]    how often the disk's cache is flushed while an image of one layer, and of ten, is loaded

  --nacre FILE --tools DIR    the command, and where strike and disklog are
  --scenario NAME             only that one (may be repeated)          --driver NAME   of the stores (overlay)
  --points N                  at most N points a scenario and mode, spread evenly (all)
  --mode MODE                 only these (may be repeated)             --fs NAME       power: ext4, xfs, btrfs (all)

The judge knows beforehand what each image is: the digest of each layer and the tree that GNU tar makes of them. After each
point a store must open, show what was there and what was reported as done, whole, and nothing half; the command must then
succeed, and leave no file behind that an undisturbed run does not leave. Prints TAP. Needs root."""
import argparse
import collections
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, '..', 'registry'))
from docker_registry import DockerRegistry  # noqa: E402
from state import state_of  # noqa: E402
from known import LIMIT, Image, Store, Wrong, judge_image, make_image, own_mounts, run, tree  # noqa: E402

# loaded: images that are there; setup: commands, or functions of a store and a mount point; before, after: what names mean;
# writable: names of writable layers before and after; damaged: IDs of images that are damaged before;
# gone: IDs of images that are removed; whole: the layout that the index whole:1 must give again wherever that name is
Scenario = collections.namedtuple('Scenario', 'name loaded setup command before after writable damaged gone whole',
                                  defaults=[((), ()), (), (), None])


def make_images(work):
    many = [word for i in range(12) for word in ('--big', f'srv/file{i}={i * 1700}')]
    return {
        'app': make_image(work, 'app', ['--dir', 'etc', '--dir', 'srv', '--file', 'etc/motd=hello', '--file', 'etc/old=old', *many,
                                        '--link', 'etc/link=motd', '--hard', 'srv/again=srv/file3', '--layer', '--dir', 'etc',
                                        '--file', 'etc/new=new', '--delete', 'etc/old', '--file', 'etc/motd=changed']),
        'noise': make_image(work, 'noise', ['--dir', 'srv', '--noise', 'srv/a=70000', '--layer', '--dir', 'srv', '--noise', 'srv/b=50000']),
        'other': make_image(work, 'other', ['--dir', 'opt', '--file', 'opt/other=other', '--big', 'opt/big=20000']),
    }


@contextlib.contextmanager
def registry(work, nacre, image):
    """A registry on loopback that has an image: its address, or None where there is no docker-registry."""
    if not shutil.which('docker-registry'):
        yield None
        return
    server = DockerRegistry(work)
    try:
        run(nacre, 'copy', '-q', '--tls-verify=false', 'docker-archive:' + image.archive, f'docker://{server.address}/noise:1')
        yield server.address
    finally:
        server.stop()


def make_layered(work):
    ten = [word for i in range(10) for word in (*(['--layer'] if i else []), '--file', f'file{i}={i}', '--big', f'big{i}=30000')]
    many = [word for i in range(30) for word in ('--big', f'file{i}={i * 1700}')]
    return {'one': make_image(work, 'one', many), 'ten': make_image(work, 'ten', ten)}


def write_into(store, mount_point):
    store('mount', 'work', mount_point)
    with open(os.path.join(mount_point, 'etc/written'), 'w') as f:
        f.write('by hand')
    os.unlink(os.path.join(mount_point, 'srv/file7'))
    for name in ('etc/written', 'etc', 'srv'):
        os.utime(os.path.join(mount_point, name), (1700000001, 1700000001))
    store('umount', mount_point)


def damage(store, mount_point):
    """One layer of app:1 loses its tree; in another's a file has other content, and a third has no record (erofs: index)."""
    base, top = (layer['chain_id'] for layer in json.loads(store('inspect', 'app:1').stdout)[0]['layers'])
    archives = os.path.join(store.root, 'erofs')
    if os.path.isdir(archives):
        shutil.rmtree(os.path.join(archives, base))
        with open(os.path.join(archives, top, 'tar'), 'r+b') as f:
            content = f.read()
            f.seek(content.index(b'new', content.index(b'etc/new') + 512))
            f.write(b'NEW')
        other = json.loads(store('inspect', 'other:1').stdout)[0]['layers'][0]['chain_id']
        os.truncate(os.path.join(archives, other, 'index'), 1000)
        return
    tree_of = {id: store('graph', 'path', id).stdout.decode().strip() for id in (base, top)}
    shutil.rmtree(tree_of[base].removesuffix('/diff'))
    with open(os.path.join(tree_of[top], 'etc/new'), 'w') as f:
        f.write('NEW')
    other = json.loads(store('inspect', 'other:1').stdout)[0]['layers'][0]['chain_id']
    os.unlink(os.path.join(store.root, 'graph', other, 'tar-data.json.gz'))


def make_committed(work, store, app):
    """The image that a commit makes: its digests by an undisturbed run, its tree by what was written into the layer."""
    mount_point = os.path.join(work, 'committed')
    os.mkdir(mount_point)
    store('load', '-q', '-i', app.archive)
    store('create', 'app:1', 'work')
    write_into(store, mount_point)
    store('commit', '-q', 'work', 'app:2')
    facts = json.loads(store('inspect', 'app:2').stdout)[0]
    store('mount', 'app:2', mount_point)
    listing = tree.facts_of(mount_point)
    store('umount', mount_point)
    changed = {name for name in listing.keys() | app.listing.keys() if listing.get(name) != app.listing.get(name)}
    if changed - {'etc', 'srv'} != {'etc/written', 'srv/file7'} or 'srv/file7' in listing:
        raise Wrong(f'a commit changes {changed}')
    return Image(facts['id'].removeprefix('sha256:'), None, [layer['diff_id'] for layer in facts['layers']], listing)


def make_imported(work, store, app):
    """The image that an import of app's lower layer makes: its ID by an undisturbed run, the rest by tar."""
    layer, home = os.path.join(work, 'app', '0.tar'), os.path.join(work, 'imported')
    store('import', '-q', layer, 'imported:1')
    facts = json.loads(store('inspect', 'imported:1').stdout)[0]
    tree.stack(home, [layer])
    return Image(facts['id'].removeprefix('sha256:'), layer, app.layers[:1], tree.facts_of(home))


def make_whole(work, nacre, images):
    """A layout with an index of app and noise, an attestation, and an artifact in an index of its own: its directory."""
    layout = os.path.join(work, 'whole')
    for name in ('app', 'noise'):
        run(nacre, 'copy', '-q', 'docker-archive:' + images[name].archive, f'oci:{layout}:{name}')
    with open(os.path.join(layout, 'index.json')) as f:
        app, noise = (dict(item, platform={'os': 'linux', 'architecture': arch}, annotations={})
                      for item, arch in zip(json.load(f)['manifests'], ('amd64', 'arm64')))

    def blob(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(layout, 'blobs/sha256', digest), 'wb') as f:
            f.write(content)
        return {'mediaType': media_type, 'digest': 'sha256:' + digest, 'size': len(content)}

    def document(kind, **fields):
        media_type = f'application/vnd.oci.image.{kind}.v1+json'
        return blob(json.dumps({'schemaVersion': 2, 'mediaType': media_type, **fields}).encode(), media_type)

    def artifact(text):
        return document('manifest', config=blob(b'{}', 'application/vnd.oci.empty.v1+json'),
                        layers=[blob(text.encode() * 3000, 'application/vnd.in-toto+json')])

    top = document('index', manifests=[app, noise, artifact('attested'), document('index', manifests=[artifact('inside')])])
    with open(os.path.join(layout, 'index.json'), 'w') as f:
        json.dump({'schemaVersion': 2, 'manifests': [dict(top, annotations={'org.opencontainers.image.ref.name': '1'})]}, f)
    return layout


def with_whole(images, layout):
    app, noise, other = (images[name].id for name in ('app', 'noise', 'other'))
    alone, bring = {'other:1': other}, ['copy', '-q', '--all-platforms', f'oci:{layout}:1', 'graph:whole:1']
    rest = {**alone, 'whole:1-linux-amd64': noise}
    there = {**rest, 'whole:1': app}
    return [
        Scenario('whole', ['other'], [], bring, alone, there, whole=layout),
        Scenario('whole-again', ['other', 'app', 'noise'], [], bring, {**alone, 'app:1': app, 'noise:1': noise},
                 {**there, 'app:1': app, 'noise:1': noise}, whole=layout),
        Scenario('whole-rmi', ['other'], [bring], ['rmi', 'whole:1'], there, rest, gone=(app,), whole=layout),
    ]


def with_registry(images, address):
    other, noise = images['other'], images['noise']
    pulled, alone = f'{address}/noise:1', {'other:1': other.id}
    both = {**alone, pulled: noise.id}
    plain = ['-q', '--tls-verify=false']
    return [
        Scenario('pull', ['other'], [], ['pull', *plain, pulled], alone, both),
        Scenario('pull-drop', ['other'], [], ['pull', *plain, '--blobs', 'drop', pulled], alone, both),
        Scenario('push', ['other'], [], ['push', *plain, 'other:1', f'{address}/other:1'], alone, alone),
    ]


def scenarios(images, driver):
    app, other, committed, imported = (images[name] for name in ('app', 'other', 'committed', 'imported'))
    both = {'app:1': app.id, 'other:1': other.id}
    alone = {'other:1': other.id}
    return [
        Scenario('load', ['other'], [], ['load', '-q', '-i', app.archive], alone, both),
        Scenario('load-first', [], [], ['load', '-q', '-i', app.archive], {}, {'app:1': app.id}),
        Scenario('import', ['other'], [], ['import', '-q', imported.archive, 'imported:1'], alone, {**alone, 'imported:1': imported.id}),
        Scenario('rmi', ['app', 'other'], [], ['rmi', 'app:1'], both, alone, ((), ()), (), (app.id,)),
        Scenario('tag', ['app', 'other'], [], ['tag', 'app:1', 'app:2'], both, {**both, 'app:2': app.id}),
        Scenario('move-tag', ['app', 'other'], [], ['tag', 'app:1', 'other:1'], both, {'app:1': app.id, 'other:1': app.id}),
        Scenario('create', ['app', 'other'], [], ['create', 'app:1', 'work'], both, both, ((), ('work',))),
        Scenario('commit', ['app', 'other'], [['create', 'app:1', 'work'], write_into], ['commit', '-q', 'work', 'app:2'], both,
                 {**both, 'app:2': committed.id}, (('work',), ('work',))),
        Scenario('rm', ['app', 'other'], [['create', 'app:1', 'work'], write_into], ['rm', 'work'], both, both, (('work',), ())),
        Scenario('migrate', ['app', 'other'], [], ['migrate', '-q', '--driver', 'vfs' if driver != 'vfs' else 'overlay'], both, both),
        Scenario('repair', ['app', 'other'], [damage], ['check', '-q', '--repair', '--from', 'docker-archive:' + app.archive, '--from',
                                                        'docker-archive:' + other.archive], both, both, ((), ()), (app.id, other.id)),
        Scenario('prune', ['app', 'other'], [['untag', 'app:1']], ['prune', '-q'], alone, alone, ((), ()), (), (app.id,)),
        Scenario('untag', ['app', 'other'], [['tag', 'app:1', 'app:2']], ['untag', 'app:2'], {**both, 'app:2': app.id}, both),
    ]


# --- the judge -------------------------------------------------------------------------------------------------------

def judge(store, images, scenario, done, mount_point):
    """done: what the command does must be there; else it may be."""
    listed = store('images', '-a', '--json')
    if listed.stderr:
        raise Wrong('images: ' + listed.stderr.decode().strip())
    found = json.loads(listed.stdout)
    ids = {image['id'].removeprefix('sha256:') for image in found}
    names = {name: image['id'].removeprefix('sha256:') for image in found for name in image['repo_tags']}
    for name in scenario.before.keys() | scenario.after.keys() | names.keys():
        allowed = {scenario.after.get(name)} | (set() if done else {scenario.before.get(name)})
        if names.get(name) not in allowed:
            raise Wrong(f'name {name} means {names.get(name)}')
    layers = {layer['name'] for layer in json.loads(store('containers', '--json').stdout)}
    before, after = (set(names) for names in scenario.writable)
    if not (layers == after or (not done and layers == before)):
        raise Wrong(f'the writable layers are {layers}')
    kept = set(scenario.before.values()) & set(scenario.after.values())
    loaded = {images[name].id for name in scenario.loaded}
    must = (loaded & (kept | set(scenario.after.values()))) - set(scenario.gone)
    if done:
        must |= set(scenario.after.values())
    if not must <= ids:
        raise Wrong(f'images are gone: {must - ids}')
    if done and scenario.gone and ids & set(scenario.gone):
        raise Wrong(f'images are still there: {ids & set(scenario.gone)}')
    for image in images.values():
        if image.id in ids and (done or image.id not in scenario.damaged):
            judge_image(store, image, mount_point)
    if scenario.whole and 'whole:1' in names:
        judge_whole(store, scenario.whole)


def judge_whole(store, layout):
    """What an index names beside images is there, byte for byte, as long as its name is."""
    saved = store.root + '.saved'
    shutil.rmtree(saved, ignore_errors=True)
    store('save', '-q', '--all-platforms', '--format', 'oci-dir', '-o', saved, 'whole:1')
    given, had = (sorted(os.listdir(os.path.join(home, 'blobs/sha256'))) for home in (saved, layout))
    shutil.rmtree(saved)
    if given != had:
        raise Wrong(f'the index gives {len(given)} blobs, of {len(had)}')


def catalog_of(store):
    return [store(*words).stdout for words in (('images', '-a', '--json'), ('graph', 'ls'), ('graph', 'heads'))]


def judge_catalog(store):
    """What the catalog says is what one says that is built from the files."""
    if not os.path.exists(os.path.join(store.root, 'nacre.json')):
        return
    found = catalog_of(store)
    for name in os.listdir(store.root):
        if name.startswith('catalog.db'):
            os.unlink(os.path.join(store.root, name))
    if catalog_of(store) != found:
        raise Wrong('the catalog does not say what the files say')


def count_files(root):
    """What lies in a store, but for the catalog's companions, which come and go."""
    return sum(1 for _, dirs, files in os.walk(root) for name in dirs + files if not name.startswith('catalog.db-'))


# --- points ----------------------------------------------------------------------------------------------------------

class Tally:
    """Counts outcomes and prints a line of TAP for each run of points."""
    number = failed = points = 0

    def __init__(self, title):
        self.title, self.outcomes, self.first, self.began, self.judged = title, collections.Counter(), None, time.time(), 0

    def add(self, outcome, where, why=''):
        self.outcomes[outcome] += 1
        if outcome != 'clean' and not self.first:
            self.first = f'{where}: {outcome}: {why}'

    def close(self):
        Tally.number += 1
        total = sum(self.outcomes.values())
        Tally.points += total
        bad = total - self.outcomes['clean'] or total == 0
        Tally.failed += bool(bad)
        told = ', '.join(f'{count} {outcome}' for outcome, count in self.outcomes.most_common()) or 'no point was reached'
        states = f', {self.judged} new states' if self.judged else ''
        print(f'{"not ok" if bad else "ok"} {Tally.number} {self.title}: {total} points{states}: {told} ({time.time() - self.began:.0f} s)')
        if self.first:
            print(f'#   {self.first}')
        sys.stdout.flush()


def thin(points, most):
    points = list(points)
    return points if not most or len(points) <= most else [points[i * len(points) // most] for i in range(most)]


def prepare(store, images, scenario, driver, mount_point):
    for name in scenario.loaded:
        store('--driver', driver, 'load', '-q', '-i', images[name].archive)
    for step in scenario.setup:
        step(store, mount_point) if callable(step) else store(*step)


def attempt(store, command):
    """The command again, after whatever happened. What is to be removed may be gone already."""
    done = store(*command, check=False)
    fine = {'rmi': 2, 'untag': 2, 'rm': 2, 'create': 1}  # it is gone, or there, already
    if done.returncode and done.returncode != fine.get(command[0]):
        raise Wrong(f'{command[0]} again: exit {done.returncode}: {done.stderr.decode(errors="replace").strip()}')


@contextlib.contextmanager
def own_stage(what):
    """Turns what goes wrong in it into (outcome, why)."""
    trouble = []
    try:
        yield trouble
    except Wrong as wrong:
        trouble.append((what, str(wrong)))
    except subprocess.TimeoutExpired as late:
        trouble.append(('hang', str(late)))


def judge_point(store, images, scenario, done, mount_point, files):
    """(outcome, why) of a store as a disturbance left it; the command is then repeated."""
    for what, step in (('lost' if done else 'damaged', lambda: judge(store, images, scenario, done, mount_point)),
                       ('stale', lambda: judge_catalog(store)),
                       ('stuck', lambda: attempt(store, scenario.command)),
                       ('wrong', lambda: judge(store, images, scenario, True, mount_point))):
        with own_stage(what) as trouble:
            step()
        if trouble:
            return trouble[0]
    left = count_files(store.root) - files if files else 0
    return ('leak', f'{left} files') if left > 0 else ('clean', '')


def subvolumes(root):
    """Those of btrfs, not what lies in them."""
    found = []
    for path, dirs, _ in os.walk(root):
        here = os.lstat(path).st_dev
        for name in list(dirs):
            entry = os.path.join(path, name)
            if os.lstat(entry).st_dev != here and os.lstat(entry).st_ino == 256:
                found.append(entry)
                dirs.remove(name)
    return found


def remove_store(root):
    for subvolume in subvolumes(root):
        run('btrfs', 'subvolume', 'delete', subvolume)
    shutil.rmtree(root, ignore_errors=True)


class Strikes:
    def __init__(self, options, work, images):
        self.options, self.work, self.images = options, work, images
        self.mount_point = os.path.join(work, 'mnt')
        os.mkdir(self.mount_point)

    def fresh(self, base):
        remove_store(self.store.root)
        if os.path.exists(base):
            run('cp', '-a', '--reflink=auto', base, self.store.root)
            for subvolume in subvolumes(base):
                copy = self.store.root + subvolume.removeprefix(base)
                shutil.rmtree(copy)
                options = ['-r'] if b'ro=true' in run('btrfs', 'property', 'get', '-ts', subvolume, 'ro').stdout else []
                run('btrfs', 'subvolume', 'snapshot', *options, subvolume, copy)

    def strike(self, mode, at, calls=None):
        done = run(os.path.join(self.options.tools, 'strike'), '-n', str(at), '-m', mode, '-p', self.store.root,
                   *(['-o', calls] if calls else []), '--', *self.store.words('--driver', self.options.driver, *self.scenario.command),
                   check=False)
        facts = done.stderr.decode(errors='replace').strip().splitlines()[-1].split(' ', 4)
        return done.returncode, int(facts[1].split('=')[1]), int(facts[2].split('=')[1]), ' '.join(facts[3:])

    def scenario_points(self, scenario, modes):
        self.scenario, base = scenario, os.path.join(self.work, 'base')
        remove_store(base)
        self.store = Store(self.options.nacre, base)
        prepare(self.store, self.images, scenario, self.options.driver, self.mount_point)
        self.store = Store(self.options.nacre, os.path.join(self.work, 'store'))
        calls = os.path.join(self.work, 'calls')
        self.fresh(base)
        code, total, _, _ = self.strike('before', 0, calls)
        if code:
            raise Wrong(f'{scenario.name} fails undisturbed: exit {code}')
        attempt(self.store, scenario.command)
        judge(self.store, self.images, scenario, True, self.mount_point)
        files = count_files(self.store.root)
        with open(calls) as f:
            writes = [int(line.split('\t')[0]) for line in f if line.split('\t')[1] in ('write', 'pwrite64')]
        verdicts = {}
        for mode in modes:
            tally = Tally(f'{self.options.driver}: {scenario.name}, {mode}')
            for at in thin(writes if mode == 'half' else range(1, total + 1), self.options.points):
                self.fresh(base)
                try:
                    code, _, fired, where = self.strike(mode, at)
                except subprocess.TimeoutExpired:
                    tally.add('hang', f'call {at}')
                    continue
                if fired:
                    state = code == 0, state_of(self.store.root)
                    if state not in verdicts:
                        verdicts[state] = judge_point(self.store, self.images, scenario, code == 0, self.mount_point, files)
                        tally.judged += 1
                    outcome, why = verdicts[state]
                    tally.add('lied' if outcome == 'lost' else outcome, f'call {at}, {where}', why)
            tally.close()


# --- power cuts ------------------------------------------------------------------------------------------------------

def dear_flushes(kinds):
    """Flushes with something to flush: ext4 sends an empty one after a commit that was quick."""
    count, written = 0, False
    for kind in kinds:
        count += kind == 'flush' and written
        written = kind == 'write' or written and kind != 'flush'
    return count


class Power:
    SIZE = {'ext4': 96, 'xfs': 320, 'btrfs': 256}  # MiB

    def __init__(self, options, work, images, fs):
        self.options, self.work, self.images, self.fs = options, work, images, fs
        self.disk, self.fuse = os.path.join(work, 'disk'), os.path.join(work, 'fuse')
        for path in (self.disk, self.fuse, os.path.join(work, 'mnt')):
            os.makedirs(path, exist_ok=True)
        self.mount_point = os.path.join(work, 'mnt')
        self.store = Store(options.nacre, os.path.join(self.disk, 'store'))
        self.log = os.path.join(work, 'log')

    def path(self, name):
        return os.path.join(self.work, name)

    @contextlib.contextmanager
    def mounted(self, image):
        loop = run('losetup', '-f', '--show', image).stdout.decode().strip()
        try:
            run('mount', '-t', self.fs, loop, self.disk)
            try:
                yield
            finally:
                run('umount', self.disk)
        finally:
            run('losetup', '-d', loop)

    def make_base(self, scenario):
        base = self.path('base.img')
        with open(base, 'wb') as f:
            f.truncate(self.SIZE[self.fs] << 20)
        options = ['-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0'] if self.fs == 'ext4' else ['-f']
        run('mkfs.' + self.fs, '-q', *options, base)
        with self.mounted(base):
            prepare(self.store, self.images, scenario, self.options.driver, self.mount_point)
        return base

    def mark(self, text):
        with open(os.path.join(self.fuse, 'mark'), 'w') as f:
            f.write(text + '\n')

    def record(self, base, scenario):
        live = self.path('live.img')
        run('cp', '--sparse=always', base, live)
        disk = subprocess.Popen([os.path.join(self.options.tools, 'disklog'), 'serve', self.fuse, live, self.log])
        try:
            while not os.path.exists(os.path.join(self.fuse, 'disk')):
                time.sleep(0.02)
            with self.mounted(os.path.join(self.fuse, 'disk')):
                self.mark('start')
                self.store('--driver', self.options.driver, *scenario.command)
                self.mark('done')
                judge(self.store, self.images, scenario, True, self.mount_point)
                self.mark('end')
        finally:
            run('umount', self.fuse, check=False)
            disk.wait(LIMIT)
        lines = [line.split('\t') for line in run(os.path.join(self.options.tools, 'disklog'), 'list', self.log).stdout.decode().splitlines()]
        marks = {text: int(index) for index, kind, _, text in lines if kind == 'mark'}
        return marks, dear_flushes(kind for index, kind, _, _ in lines if marks['start'] < int(index) < marks['done'])

    def scenario_points(self, scenario, modes):
        base = self.make_base(scenario)
        marks, flushes = self.record(base, scenario)
        print(f'# {self.fs}: {scenario.name}: {marks["done"] - marks["start"] - 1} records of the disk, {flushes} flushes')
        for mode in modes:
            tally = Tally(f'{self.fs}, {self.options.driver}: power cut in {scenario.name}, cache {mode}')
            for at in thin(range(marks['start'], marks['end'] + 1), self.options.points):
                cut = self.path('cut.img')
                run(os.path.join(self.options.tools, 'disklog'), 'replay', self.log, base, cut, str(at), mode, str(at))
                with self.mounted(cut):
                    outcome, why = judge_point(self.store, self.images, scenario, at >= marks['done'], self.mount_point, 0)
                tally.add(outcome, f'record {at} of {marks["end"]}', why)
                os.unlink(cut)
            tally.close()


# --- flushes ---------------------------------------------------------------------------------------------------------

def count_flushes(rig, images):
    """Into a store that is there. The file system may flush by itself meanwhile, more often on a busy machine: the least counts."""
    for name, most in (('one', 4), ('ten', 6)):
        image = images[name]
        scenario = Scenario('load', ['other'], [], ['load', '-q', '-i', image.archive], {'other:1': images['other'].id},
                            {'other:1': images['other'].id, f'{name}:1': image.id})
        base = rig.make_base(scenario)
        least = rig.record(base, scenario)[1]
        for _ in range(4):
            if least <= most:
                break
            least = min(least, rig.record(base, scenario)[1])
        tally = Tally(f'{rig.fs}, {rig.options.driver}: an image of {len(image.layers)} layers costs {least} flushes, at most {most}')
        tally.add('clean' if least <= most else 'dear', 'load')
        tally.close()


MODES = {'flush': [], 'kill': ['before', 'after', 'half'], 'fault': ['ENOSPC', 'ENOSPC+', 'EIO', 'EIO+', 'EDQUOT+', 'EMFILE', 'ENOMEM', 'EINTR'],
         'power': ['all', 'none', 'some']}


def mount_disk(work, driver):
    """A file system of its own for the stores: what the driver needs, and in memory where there is room, since nobody cuts its power."""
    size = 2 << 30
    room = os.statvfs('/dev/shm') if os.path.ismount('/dev/shm') else None
    with tempfile.NamedTemporaryFile(dir='/dev/shm' if room and room.f_bavail * room.f_frsize > size else '/var/tmp') as image:
        image.truncate(size)
        fs = 'btrfs' if driver == 'btrfs' else 'ext4'
        run('mkfs.' + fs, '-q', '-f' if fs == 'btrfs' else '-F', image.name)
        run('mount', '-t', fs, '-o', 'loop,noatime', image.name, work)


def disturb(options, work, images, wanted):
    tool = 'disklog' if options.what in ('power', 'flush') else 'strike'
    for fs in (options.fs or ['ext4', 'xfs', 'btrfs']) if tool == 'disklog' else [None]:
        rig = Power(options, work, images, fs) if fs else Strikes(options, work, images)
        if options.what == 'flush':
            count_flushes(rig, images)
            continue
        for scenario in wanted:
            rig.scenario_points(scenario, options.mode or MODES[options.what])


def main():
    own_mounts()
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('what', choices=MODES)
    parser.add_argument('--nacre', required=True)
    parser.add_argument('--tools', required=True)
    parser.add_argument('--scenario', action='append')
    parser.add_argument('--driver', default='overlay')
    parser.add_argument('--points', type=int, default=0)
    parser.add_argument('--mode', action='append')
    parser.add_argument('--fs', action='append')
    options = parser.parse_args()
    tool = 'disklog' if options.what in ('power', 'flush') else 'strike'
    if not os.path.exists(os.path.join(options.tools, tool)):
        print(f'ok 1 {options.what} # skip {tool} is made for x86-64 only\n1..1')
        return
    options.nacre, options.tools = os.path.abspath(options.nacre), os.path.abspath(options.tools)
    work = tempfile.mkdtemp(prefix='nacre-crash.', dir='/var/tmp')
    os.environ['SOURCE_DATE_EPOCH'] = '1700000000'
    try:
        if tool == 'strike':
            mount_disk(work, options.driver)
        images = make_images(work)
        reference = Store(options.nacre, os.path.join(work, 'reference'))
        images['committed'] = make_committed(work, reference, images['app'])
        images['imported'] = make_imported(work, reference, images['app'])
        if options.what == 'flush':
            images.update(make_layered(work))
        with registry(work, options.nacre, images['noise']) as address:
            known = scenarios(images, options.driver) + with_whole(images, make_whole(work, options.nacre, images)) + (with_registry(images, address) if address else [])
            disturb(options, work, images, [s for s in known if not options.scenario or s.name in options.scenario])
    finally:
        run('umount', work, check=False)
        shutil.rmtree(work, ignore_errors=True)
    print(f'1..{Tally.number}\n# {Tally.points} points')
    sys.exit(1 if Tally.failed or not Tally.number else 0)


main()
