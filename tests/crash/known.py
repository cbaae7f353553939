"""What the crash tests and the soak share: running the command, and images whose every byte is known beforehand, by the
word of GNU tar and sha256 alone."""
import collections
import hashlib
import json
import os
import subprocess
import sys
import tarfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'interop'))
import tree  # noqa: E402

LIMIT = 60  # seconds for any single step
Image = collections.namedtuple('Image', 'id archive layers listing')


class Wrong(Exception):
    """What the judge found."""


def own_mounts():
    """Begins again in a mount namespace of our own: whoever copies ours meanwhile would keep our mounts alive."""
    if '--inside' in sys.argv:
        sys.argv.remove('--inside')
        return
    os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, os.path.abspath(sys.argv[0]),
                          *sys.argv[1:], '--inside'])


def run(*words, check=True, **more):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, **more)
    if check and done.returncode:
        raise Wrong(f'{" ".join(words)}: exit {done.returncode}: {done.stderr.decode(errors="replace").strip()}')
    return done


class Store:
    def __init__(self, nacre, root):
        self.nacre, self.root = nacre, root

    def words(self, *words):
        return [self.nacre, '--root', self.root, *words]

    def __call__(self, *words, **more):
        return run(*self.words(*words), **more)


def make_image(work, name, options):
    """An archive, and what it holds by the word of tar and sha256 alone."""
    archive = os.path.join(work, name + '.tar')
    run(os.path.join(HERE, '..', 'story', 'make-image'), 'docker', archive, '--name', name + ':1', *options)
    home = os.path.join(work, name)
    os.mkdir(home)
    layers, files = [], []
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile('manifest.json'))[0]
        config = tar.extractfile(manifest['Config']).read()
        for i, member in enumerate(manifest['Layers']):
            content = tar.extractfile(member).read()
            layers.append('sha256:' + hashlib.sha256(content).hexdigest())
            files.append(os.path.join(home, f'{i}.tar'))
            with open(files[-1], 'wb') as f:
                f.write(content)
    tree.stack(os.path.join(home, 'tree'), files)
    return Image(hashlib.sha256(config).hexdigest(), archive, layers, tree.facts_of(os.path.join(home, 'tree')))


def judge_image(store, image, mount_point):
    facts = json.loads(store('inspect', image.id).stdout)[0]
    if [layer['diff_id'] for layer in facts['layers']] != image.layers:
        raise Wrong(f'image {image.id[:12]} has other layers')
    for layer in facts['layers']:
        content = store('graph', 'tar', layer['chain_id']).stdout
        if 'sha256:' + hashlib.sha256(content).hexdigest() != layer['diff_id']:
            raise Wrong(f'layer {layer["chain_id"][:12]} gives other bytes')
    store('mount', image.id, mount_point)
    try:
        found = tree.facts_of(mount_point)
        for name in found.keys() | image.listing.keys():
            if found.get(name) != image.listing.get(name):
                raise Wrong(f'image {image.id[:12]} shows another {name}: {found.get(name)} for {image.listing.get(name)}')
    finally:
        store('umount', mount_point)
