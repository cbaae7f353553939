#!/usr/bin/env python3
"""Measures nacre beside the programs that do the same, and beside what the machine needs at least.

bench.py --build DIR --images DIR [--runs N] [--only GROUP,…] [--programs NAME,…] [--add] [--out FILE.json]

GROUP: load many pull save remove mount read small. Programs take turns, run by run. Each run has a new store on a new ext4 with a journal
(nacre's btrfs: a new btrfs), in a loop file; inputs are in memory; the time of a program that does not sync includes a syncfs of its store. Needs root.
What is measured is written to FILE.json, with --add beside what it has of other cases; report.py makes the table of docs/performance.md of it.
"""
import argparse, contextlib, glob, json, os, platform, re, shutil, statistics, subprocess, sys, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tests', 'registry'))
from docker_registry import DockerRegistry

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('--build', required=True)
parser.add_argument('--images', required=True)
parser.add_argument('--work', default='/var/tmp/nacre-bench')
parser.add_argument('--runs', type=int, default=5)
parser.add_argument('--only', default='load,many,pull,save,remove,mount,read,small')
parser.add_argument('--programs', default='')
parser.add_argument('--out', default='bench.json')
parser.add_argument('--add', action='store_true')
parser.add_argument('--disk-mb', type=int, default=6144)
options = parser.parse_args()

BUILD, IMAGES, WORK = (os.path.abspath(path) for path in (options.build, options.images, options.work))
NACRE = f'{BUILD}/nacre'
STORE = f'{WORK}/store'         # the new file system
DISK = f'{WORK}/disk'
ASIDE = f'{WORK}/aside'         # a second one, for what is written out of a store
os.environ['LC_ALL'] = 'C'
os.environ.pop('TMPDIR', None)


def run(command, **more):
    done = subprocess.run(['sh', '-c', command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode:
        raise RuntimeError(f'{command}: {done.stdout[-300:]}{done.stderr[-1000:]}')
    return done.stdout


def installed(program):
    return shutil.which(program) is not None


# --- the machine -----------------------------------------------------------------------------------------------------


class WarmMemory:
    """Memory that stays the machine's, given back just before a command is measured: more than a command and its disk take, where
    there is so much."""

    MEGABYTES = 6144

    def __init__(self):
        available = next(int(line.split()[1]) for line in open('/proc/meminfo') if line.startswith('MemAvailable')) >> 10
        size = min(self.MEGABYTES, available // 3)
        self.process = subprocess.Popen([f'{BUILD}/bench/warmmem', str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, what):
        self.process.stdin.write(what + '\n')
        self.process.stdin.flush()
        self.process.stdout.readline()


def unmount_below(directory):
    points = [line.split()[1] for line in open('/proc/mounts')]
    for point in sorted((p for p in points if p == directory or p.startswith(directory + '/')), key=len, reverse=True):
        if subprocess.run(['umount', point], stderr=subprocess.DEVNULL).returncode:
            subprocess.run(['umount', '-l', point], stderr=subprocess.DEVNULL)


MKFS = {'ext4': 'mkfs.ext4 -q -F -N 600000 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard', 'xfs': 'mkfs.xfs -q -f -K',
        'btrfs': 'mkfs.btrfs -q -f -K'}


def new_disk(directory, kind='ext4'):
    """A new file system: on one where much was removed before, making files can cost several times as much."""
    unmount_below(directory)
    os.makedirs(directory, exist_ok=True)
    image = directory + '.img'
    if not os.path.exists(image):
        run(f'dd if=/dev/zero of={image} bs=1M count={options.disk_mb} conv=fsync')
    # what is still being written of the last one would be written over the new one
    waited = 0
    while run(f'losetup -j {image}').strip():
        if waited > 600:
            raise RuntimeError(f'{image} is still in use')
        time.sleep(0.05)
        waited += 0.05
    run(f'{MKFS[kind]} {image}')
    device = run(f'losetup --direct-io=on --show -f {image}').strip()
    run(f'mount {device} {directory} && losetup -d {device} && mkdir {directory}/tmp')


def used(directory):
    stat = os.statvfs(directory)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def read_through(*paths):
    for path in paths:
        run(f'find {path} -type f -exec cat {{}} + >/dev/null')


def layers_of(name, form):
    """The files of an image's layers in its OCI layout."""
    layout = f'{IMAGES}/{name}.{form}'

    def blob(digest):
        return f'{layout}/blobs/{digest.replace(":", "/")}'
    index = json.load(open(f'{layout}/index.json'))
    manifest = json.load(open(blob(index['manifests'][0]['digest'])))
    return [blob(layer['digest']) for layer in manifest['layers']]


def archive_of(name, form):
    """An image's OCI layout as an archive."""
    archive = f'{IMAGES}/{name}.{form}.tar'
    if not os.path.exists(archive):
        run(f'tar -C {IMAGES}/{name}.{form} -cf {archive} oci-layout index.json blobs')
        read_through(archive)
    return archive


# --- programs --------------------------------------------------------------------------------------------------------


class Program:
    """What is run, with {image} the path of an image without its ending, {name} its name, {form} gz or zst, {out} a new path."""
    daemon = 0
    kind = 'ext4'       # of its store's file system

    def __init__(self, name, commands=None):
        self.name = name
        self.commands = commands or {}

    def start(self):
        pass

    def stop(self):
        pass

    def command(self, what, image='medium', form='gz'):
        template = self.commands.get(what)
        if template is None:
            return None
        if callable(template):
            return template(image, form)
        return template.format(image=f'{IMAGES}/{image}', name=image, form=form, out=f'{ASIDE}/out', store=STORE, work=WORK,
                               remote=f'{REGISTRY.address if REGISTRY else ""}/bench/{image}:latest')


class Nacre(Program):
    def __init__(self, driver):
        super().__init__(f'nacre {driver}')
        self.driver = driver
        if driver == 'btrfs':
            self.kind = driver
        nacre = f'{NACRE} --root {{store}}/s'
        self.commands = {
            'archive': f'{nacre} --driver {driver} load -q -i {{image}}.docker.tar',
            'layout': f'{nacre} --driver {driver} load -q -i {{image}}.{{form}}',
            'pull': f'{nacre} --driver {driver} pull -q --tls-verify=false {{remote}}',
            'save': f'{nacre} save -o {{out}} bench/{{name}}:latest',
            'save-oci': f'{nacre} save --format oci-archive -o {{out}} bench/{{name}}:latest',
            'remove': f'{nacre} rmi bench/{{name}}:latest',
        }


PODMAN = 'podman --root {store}/r --runroot {store}/rr --storage-driver overlay --cgroup-manager cgroupfs --events-backend none'
SKOPEO = 'skopeo --insecure-policy copy -q'
CONTAINERS_STORAGE = 'containers-storage:[overlay@{store}/r+{store}/rr]localhost/bench/{name}:latest'
PEERS = {
    'skopeo': {
        'archive': f'{SKOPEO} docker-archive:{{image}}.docker.tar {CONTAINERS_STORAGE}',
        'layout': f'{SKOPEO} oci:{{image}}.{{form}}:latest {CONTAINERS_STORAGE}',
        'pull': f'{SKOPEO} --src-tls-verify=false docker://{{remote}} {CONTAINERS_STORAGE}',
        'save': f'{SKOPEO} {CONTAINERS_STORAGE} docker-archive:{{out}}:bench/{{name}}:latest',
        'save-oci': f'{SKOPEO} {CONTAINERS_STORAGE} oci-archive:{{out}}:latest',
    },
    'podman': {
        'archive': f'{PODMAN} load -q -i {{image}}.docker.tar',
        'layout': f'{PODMAN} pull -q oci:{{image}}.{{form}}:latest',
        'pull': f'{PODMAN} pull -q --tls-verify=false {{remote}}',
        'save': f'{PODMAN} save -q -o {{out}} bench/{{name}}:latest',
        'remove': f'{PODMAN} rmi -f bench/{{name}}:latest',
    },
    'umoci': {
        'archive': 'umoci unpack --image {image}.raw:latest {store}/bundle',
        'layout': lambda image, form: f'umoci unpack --image {IMAGES}/{image}.gz:latest {STORE}/bundle' if form == 'gz' else None,
    },
}


class Ostree(Program):
    """A commit a layer; it syncs each itself, and reads no zstd."""

    def __init__(self):
        super().__init__('ostree')
        self.commands = {'archive': lambda image, form: self.commit(image, 'raw'),
                         'layout': lambda image, form: self.commit(image, form) if form == 'gz' else None}

    @staticmethod
    def commit(image, form):
        ostree = f'ostree --repo={STORE}/r'
        return f'set -e; export LC_ALL=C.UTF-8; {ostree} init --mode=bare; ' + '; '.join(
            f'{ostree} commit -b layer-{number} --tree=tar={layer} --tar-autocreate-parents' for number, layer in enumerate(layers_of(image, form)))


class Containerd(Program):
    """containerd 1.6 imports archives alone, so that a layout is an archive made of it."""

    def __init__(self):
        super().__init__('containerd')
        ctr = 'ctr -a {store}/s'
        self.process = None
        self.commands = {
            'archive': f'{ctr} image import {{image}}.docker.tar',
            'layout': self.layout,
            'pull': f'{ctr} image pull --plain-http {{remote}}',
            'save': f'{ctr} image export {{out}} docker.io/bench/{{name}}:latest',
            'remove': f'{ctr} image rm --sync docker.io/bench/{{name}}:latest',
        }

    def layout(self, image, form):
        return f'ctr -a {STORE}/s image import --base-name docker.io/bench/{image} {archive_of(image, form)}'

    def start(self):
        config = f'{STORE}/containerd.toml'
        with open(config, 'w') as file:
            file.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]\n'
                       f'root = "{STORE}/root"\nstate = "{STORE}/state"\n[grpc]\naddress = "{STORE}/s"\n')
        log = open(f'{WORK}/containerd.log', 'a')
        self.process = subprocess.Popen(['containerd', '-c', config], stdout=log, stderr=log)
        self.daemon = self.process.pid
        for _ in range(200):
            if subprocess.run(['ctr', '-a', f'{STORE}/s', 'version'], stdout=log, stderr=log).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError('containerd does not answer')

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.process, self.daemon = None, 0


class Tar(Program):
    """GNU tar of the layers, each into a directory: no digest, no record, nothing undone when it fails."""

    def __init__(self):
        super().__init__('GNU tar')
        self.commands = {'archive': lambda image, form: self.unpack(image, 'raw', ''), 'layout': self.layout}

    def layout(self, image, form):
        through = {'gz': 'igzip -dc', 'zst': 'zstd -dcq'}[form]
        return self.unpack(image, form, through) if installed(through.split()[0]) else None

    @staticmethod
    def unpack(image, form, through):
        script = ['set -e']
        for number, layer in enumerate(layers_of(image, form)):
            tar = f"tar --numeric-owner --xattrs --xattrs-include='*' -xpf {'-' if through else layer} -C {STORE}/{number}"
            script.append(f'mkdir {STORE}/{number}; ' + (f'{through} <{layer} | {tar}' if through else tar))
        return '; '.join(script)


class Limit(Program):
    def __init__(self):
        super().__init__('limit')
        self.commands = {'archive': lambda image, form: self.all(image, 'raw'), 'layout': self.all}

    @staticmethod
    def all(image, form):
        return f'{BUILD}/bench/limit {STORE} ' + ' '.join(layers_of(image, form))


def programs():
    found = [Nacre('erofs'), Nacre('overlay'), Nacre('vfs')] + [Nacre('btrfs')] * installed('mkfs.btrfs')
    found += [Program(name, commands) for name, commands in PEERS.items() if installed(name)]
    if installed('containerd'):
        found.append(Containerd())
    if installed('ostree'):
        found.append(Ostree())
    found += [Tar(), Limit(), Program('cat', {'save': 'cat {image}.docker.tar >{out}',
                                               'save-oci': lambda image, form: f'cat {archive_of(image, form)} >{ASIDE}/out'})]
    wanted = options.programs.split(',') if options.programs else None
    return [program for program in found if not wanted or program.name in wanted]


# --- measuring -------------------------------------------------------------------------------------------------------

MEMORY = None
REGISTRY = None
RESULTS = {}


def measure(command, where=STORE, daemon=0):
    """One run. Its time is that of the command and of the sync that its user still owes."""
    MEMORY.tell('take')
    os.sync()
    MEMORY.tell('give')
    done = subprocess.run([f'{BUILD}/bench/measure', f'{WORK}/measured', where, str(daemon), 'sh', '-c', command],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=WORK,
                          env=dict(os.environ, TMPDIR=f'{STORE}/tmp'))
    measured = json.load(open(f'{WORK}/measured'))
    if measured.pop('status'):
        raise RuntimeError(f'{command}: {done.stderr[-500:]}')
    measured['time'] = round(measured['wall'] + measured['sync'], 5)
    return measured


def note(case, program, measured):
    RESULTS.setdefault(case, {}).setdefault(program, []).append(measured)
    print(f"{case:28} {program:14} {measured['time']:9.4f} s  cpu {measured.get('cpu', 0):7.2f}  rss {measured.get('rss', 0) // 1024:4} MiB"
          f"  other {measured.get('other', 0):6.2f}", flush=True)


def syncs_of(command):
    """Calls that wait for the disk, or send something there, of one run that is not timed."""
    log = f'{WORK}/syncs'
    run(f"strace -f -qq --seccomp-bpf -e trace=fsync,fdatasync,syncfs,sync,msync -o {log} sh -c '{command}'")
    return len(re.findall(r'^\d+ +(?:fsync|fdatasync|syncfs|sync|msync)\(', open(log).read(), re.M))


def in_turns(case, what, found, image, form='gz', prepare=None, where=STORE, kind=None):
    """Each program, run by run, in a new store. One that fails is told, and left out."""
    failed = set()
    for turn in range(options.runs):
        for program in found:
            command = program.command(what, image, form)
            if command is None or program.name in failed:
                continue
            new_disk(STORE, kind or program.kind)
            if where != STORE:
                new_disk(where)
            try:
                program.start()
                if prepare:
                    prepare(program)
                before = used(where)
                measured = measure(command, where, program.daemon)
                measured['disk'] = used(where) - before
                note(case, program.name, measured)
            except RuntimeError as failure:
                print(f'{case}: {program.name}: {failure}', file=sys.stderr)
                failed.add(program.name)
            finally:
                program.stop()
    for program in found:
        command = program.command(what, image, form)
        if not program.name.startswith('nacre') or command is None or program.name in failed or "'" in command or not installed('strace'):
            continue
        new_disk(STORE, kind or program.kind)
        if where != STORE:
            new_disk(where)
        if prepare:
            prepare(program)
        RESULTS[case][program.name][0]['syncs'] = syncs_of(command)


# --- groups ----------------------------------------------------------------------------------------------------------


def only(found, *names):
    return [program for program in found if program.name in names]


def load(found):
    for form in ('gz', 'zst'):
        read_through(f'{IMAGES}/medium.{form}')
        in_turns(f'load medium {form}', 'layout', found, 'medium', form)
    load_archives(found, 'medium')


def many(found):
    load_archives(found, 'manyfiles', 'manylayers')


def load_archives(found, *images):
    for image in images:
        read_through(f'{IMAGES}/{image}.docker.tar', f'{IMAGES}/{image}.raw')
        in_turns(f'load {image} archive', 'archive', found, image)


def pull(found):
    """What the registry computes is among the CPU seconds of others."""
    global REGISTRY
    if not installed('docker-registry'):
        return
    REGISTRY = DockerRegistry(WORK)
    try:
        run(f'{NACRE} copy -q --tls-verify=false oci:{IMAGES}/medium.gz docker://{REGISTRY.address}/bench/medium:latest')
        read_through(f'{WORK}/registry')
        able = [program for program in found if program.command('pull')]
        in_turns('pull medium', 'pull', able, 'medium')
        for driver in only(found, 'nacre erofs'):
            new_disk(STORE)
            run(driver.command('pull'))
            repeated('pull medium again', driver.name, driver.command('pull').split())
    finally:
        REGISTRY.stop()


def loaded(image, source='archive'):
    return lambda program: program.name == 'cat' or run(program.command(source, image) + f'; sync -f {STORE}')


def named_layout(program):
    """The tag alone, which is all that the layout has, names no image here."""
    loaded('medium', 'layout')(program)
    if program.name.startswith('nacre'):
        base = f'{NACRE} --root {STORE}/s'
        run(f'{base} tag $({base} images -q) bench/medium:latest')


def save(found):
    read_through(f'{IMAGES}/medium.docker.tar')
    able = [program for program in found if program.command('save')]
    in_turns('save medium', 'save', able, 'medium', prepare=loaded('medium'), where=ASIDE)
    # the blobs of the layout were kept, and skopeo compresses again what it has as files
    read_through(archive_of('medium', 'gz'))
    able = only(found, 'nacre erofs', 'skopeo', 'cat')
    in_turns('save medium as OCI archive', 'save-oci', able, 'medium', prepare=named_layout, where=ASIDE)


def remove(found):
    able = [program for program in found if program.command('remove')]
    for image in ('medium', 'manyfiles'):
        in_turns(f'remove {image}', 'remove', able, image, prepare=loaded(image))
    if installed('mkfs.xfs'):   # which keeps nothing for each block that is in memory: see docs/performance.md
        in_turns('remove manyfiles, XFS', 'remove', only(able, 'nacre erofs'), 'manyfiles', prepare=loaded('manyfiles'), kind='xfs')


def repeated(case, program, command, count=20, undo=None):
    """Something short, again and again: the median of each batch."""
    for _ in range(options.runs):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - start)
            if undo:
                subprocess.run(undo, stdout=subprocess.DEVNULL, check=True)
        note(case, program, {'time': statistics.median(times)})


def mount(found):
    """An image of 127 layers, whose merged index, if the driver has one, was made by a mount before."""
    os.makedirs(f'{WORK}/mnt', exist_ok=True)
    for driver in ('erofs', 'overlay'):
        if f'nacre {driver}' not in [program.name for program in found]:
            continue
        new_disk(STORE)
        root = f'{STORE}/s'
        run(f'python3 {os.path.dirname(os.path.abspath(__file__))}/mkimg.py many {STORE}/layers 127 1704067200')
        layers = ' '.join(sorted(glob.glob(f'{STORE}/layers/*.tar')))
        run(f'python3 {os.path.dirname(os.path.abspath(__file__))}/mkimg.py docker {STORE}/high.tar bench/high:latest {layers}')
        run(f'{NACRE} --root {root} --driver {driver} load -q -i {STORE}/high.tar')
        mounting = [NACRE, '--root', root, 'mount', 'bench/high:latest', f'{WORK}/mnt']
        unmounting = [NACRE, '--root', root, 'umount', f'{WORK}/mnt']
        start = time.perf_counter()
        subprocess.run(mounting, stdout=subprocess.DEVNULL, check=True)
        note('mount 127 layers, first', f'nacre {driver}', {'time': time.perf_counter() - start})
        subprocess.run(unmounting, stdout=subprocess.DEVNULL, check=True)
        repeated('mount 127 layers, again', f'nacre {driver}', mounting, undo=unmounting)


def read(found):
    """tar of a mounted image to a pipe: GNU tar does not read what it writes to /dev/null."""
    for image in ('medium', 'manyfiles'):
        for turn in range(options.runs):
            for driver in ('erofs', 'overlay'):
                if f'nacre {driver}' not in [program.name for program in found]:
                    continue
                new_disk(STORE)
                run(f'{NACRE} --root {STORE}/s --driver {driver} load -q -i {IMAGES}/{image}.docker.tar')
                os.makedirs(f'{WORK}/mnt', exist_ok=True)
                run(f'sync; echo 3 >/proc/sys/vm/drop_caches; {NACRE} --root {STORE}/s mount bench/{image}:latest {WORK}/mnt')
                for state in ('cold', 'warm'):
                    note(f'read {image}, {state}', f'nacre {driver}', measure(f'tar -C {WORK}/mnt -cf - . | cat >/dev/null'))
                run(f'{NACRE} --root {STORE}/s umount {WORK}/mnt')


def small(found):
    new_disk(STORE)
    base = [NACRE, '--root', f'{STORE}/s']
    run(f'{NACRE} --root {STORE}/s load -q -i {IMAGES}/medium.gz')
    repeated('start: nacre version', 'nacre', [NACRE, 'version'])
    repeated('list: nacre images', 'nacre', base + ['images'])
    repeated('load medium again', 'nacre', base + ['load', '-q', '-i', f'{IMAGES}/medium.gz'])
    if installed('podman'):
        podman = ['podman', '--root', f'{STORE}/r', '--runroot', f'{STORE}/rr', '--storage-driver', 'overlay', '--events-backend', 'none']
        repeated('start: nacre version', 'podman', podman + ['version'], count=5)
        repeated('list: nacre images', 'podman', podman + ['images'], count=5)


def machine():
    cpu = re.search(r'model name\s*: (.*)', open('/proc/cpuinfo').read())
    versions = {}
    for program, command in (('nacre', f'{NACRE} version'), ('skopeo', 'skopeo --version'), ('podman', 'podman --version'),
                             ('umoci', 'umoci --version'), ('containerd', 'containerd --version'), ('ostree', 'echo ostree $(ostree --version | grep -o "[0-9.]*" | head -1)'),
                             ('GNU tar', 'tar --version')):
        with contextlib.suppress(RuntimeError):
            versions[program] = run(command).splitlines()[0]
    return {'cpu': cpu.group(1) if cpu else platform.machine(), 'cpus': os.cpu_count(), 'kernel': platform.release(),
            'memory_mb': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 20, 'versions': versions}


def main():
    global MEMORY
    if os.geteuid() != 0:
        sys.exit('bench.py: needs root, for file systems of its own')
    os.makedirs(WORK, exist_ok=True)
    MEMORY = WarmMemory()
    found = programs()
    before = json.load(open(options.out))['results'] if options.add and os.path.exists(options.out) else {}
    groups = {'load': load, 'many': many, 'pull': pull, 'save': save, 'remove': remove, 'mount': mount, 'read': read, 'small': small}
    try:
        for group in options.only.split(','):
            groups[group](found)
            with open(options.out, 'w') as file:
                json.dump({'machine': machine(), 'runs': options.runs, 'results': {**before, **RESULTS}}, file, indent=1)
    finally:
        for program in found:
            program.stop()
        unmount_below(WORK)
        MEMORY.process.stdin.close()
        MEMORY.process.wait()
        shutil.rmtree(WORK, ignore_errors=True)


main()
