#!/usr/bin/env python3
"""Writes a root directory as Docker 1.6 to 1.9 left it, by what is known of that format, without any of its code.

    make.py ROOT OUT [--driver vfs|overlay|btrfs|aufs] [--writer 0.9.4|0.9.6|0.9.11|none] [--bad KIND …]

ROOT gets graph/, repositories-<driver> and the trees. OUT gets <name>.tar, the layer of each node as it once came, and
"ids", lines of "<name> <id>". --bad adds nodes, names or damage of a kind, see the functions bad_*."""
import argparse
import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile

ap = argparse.ArgumentParser()
ap.add_argument('root')
ap.add_argument('out')
ap.add_argument('--driver', default='vfs')
ap.add_argument('--writer', default='0.9.6')
ap.add_argument('--bad', action='append', default=[])
args = ap.parse_args()

SIZES_ALWAYS = args.writer == '0.9.4'
RAW_NAMES = args.writer == '0.9.11'


# --- CRC-64, ISO 3309 --------------------------------------------------------------------------------------------

def crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0xd800000000000000 if n & 1 else 0)
        table.append(n)
    return table


TABLE = crc_table()


def crc64(data):
    crc = 0xffffffffffffffff
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xff] ^ crc >> 8
    return (crc ^ 0xffffffffffffffff).to_bytes(8, 'big')


assert crc64(b'hello').hex() == '3c3eeee2d8100000'


# --- JSON as Go wrote it -----------------------------------------------------------------------------------------

def go_json(value):
    text = json.dumps(value, separators=(',', ':'), ensure_ascii=False)
    for c in '<>&\u2028\u2029':
        text = text.replace(c, '\\u%04x' % ord(c))
    return text


def config(**more):
    base = {'Hostname': '', 'Domainname': '', 'User': '', 'AttachStdin': False, 'AttachStdout': False,
            'AttachStderr': False, 'ExposedPorts': None, 'PublishService': '', 'Tty': False, 'OpenStdin': False,
            'StdinOnce': False, 'Env': None, 'Cmd': None, 'Image': '', 'Volumes': None, 'VolumeDriver': '',
            'WorkingDir': '', 'Entrypoint': None, 'NetworkDisabled': False, 'MacAddress': '', 'OnBuild': None,
            'Labels': None}
    base.update(more)
    return base


def description(node):
    image = {'id': node['id']}
    if node['parent']:
        image['parent'] = node['parent']['id']
    image['created'] = '2015-07-21T03:32:%02d.123456789Z' % node['number']
    image['container_config'] = config(Cmd=['/bin/sh', '-c', node['by']])
    image['docker_version'] = '1.8.0-dev'
    image['author'] = 'A <a@example.org> & co'
    image['config'] = config(Env=['PATH=/bin'], Cmd=['/bin/' + node['name']], Labels={'team': 'web'})
    image['architecture'] = 'amd64'
    image['os'] = 'linux'
    image['Size'] = node['size']
    return image


# --- tar and tar-split -------------------------------------------------------------------------------------------

def member(name, data=None, type=tarfile.REGTYPE, link='', mode=0o644, uid=0, gid=0, mtime=1437449535, **pax):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.uid, info.gid, info.mtime = type, link, mode, uid, gid, mtime
    info.size = len(data or b'')
    info.pax_headers = pax
    return info, data or b''


def dir_(name, **more):
    return member(name, type=tarfile.DIRTYPE, mode=more.pop('mode', 0o755), **more)


def make_tar(members, format=tarfile.USTAR_FORMAT, end=1024, raw_names=False):
    out = b''
    for info, data in members:
        encoding, errors = ('latin-1', 'strict') if raw_names else ('utf-8', 'surrogateescape')
        out += info.tobuf(format, encoding, errors) + data + b'\0' * (-len(data) % 512)
    return out + b'\0' * end


def headers(tar):
    """(start of the header block, flag, size field) of each header, extension headers too; then the end"""
    at = 0
    while at + 512 <= len(tar) and tar[at:at + 512] != b'\0' * 512:
        size = int(tar[at + 124:at + 135].strip(b'\0 ') or b'0', 8)
        yield at, chr(tar[at + 156]), size
        at += 512 + size + -size % 512
    yield at, '', 0


def long_of(data):
    return data.rstrip(b'\0')


def split(tar):
    """Records of a tar as tar-split made them: (name, None or content) for files, bytes for segments."""
    records, start, name, pax_path = [], 0, None, None
    for at, flag, size in headers(tar):
        data = tar[at + 512:at + 512 + size]
        if flag == '':
            break
        if flag == 'L':
            name = long_of(data)
            continue
        if flag == 'K':
            continue
        if flag == 'x':
            for line in data.split(b'\n'):
                if b' path=' in line:
                    name = line.split(b' path=', 1)[1]
            continue
        # the old releases took a global header for a member
        if name is None:
            name = tar[at:at + 100].split(b'\0')[0]
            prefix = tar[at + 345:at + 500].split(b'\0')[0]
            if prefix and tar[at + 257:at + 262] == b'ustar':
                name = prefix + b'/' + name
        records.append(tar[start:at + 512])
        records.append((name, data))
        start = at + 512 + size
        name = None
    tail = tar[start:]
    body = tar[at:]
    if len(body) < 1024:
        tail = b''                      # an end that is no end was lost
    records.append(tail[:len(tar[start:at]) + 1024])
    records.append(tail[len(tar[start:at]) + 1024:])
    return records


def record_line(position, record):
    line = {'type': 1 if isinstance(record, tuple) else 2}
    if isinstance(record, tuple):
        name, data = record
        try:
            line['name'] = name.decode()
        except UnicodeDecodeError:
            if RAW_NAMES:
                line['name_raw'] = base64.b64encode(name).decode()
            else:
                line['name'] = ''.join(chr(b) if b < 128 else '\ufffd' for b in name)
        if data or SIZES_ALWAYS:
            line['size'] = len(data)
        line['payload'] = base64.b64encode(crc64(data)).decode() if data else None
    else:
        if SIZES_ALWAYS:
            line['name'], line['size'] = '', 0
        line['payload'] = base64.b64encode(record).decode()
    line['position'] = position
    return go_json(line) + '\n'


def misorder(tar, records):
    """0.9.4 put a GNU long name behind the header of its member: padding of the name, header, then what was before."""
    at, out, padding = 0, [], 0
    for item in records:
        if not isinstance(item, tuple):
            chain = list(headers(item[padding:])) if len(item) > padding else []
            flags = [flag for _, flag, _ in chain]
            if flags[:1] == ['L']:
                size = chain[0][2]
                front = padding + 512 + size
                item = item[front:] + item[:front]
        else:
            padding = -len(item[1]) % 512
        out.append(item)
    return out


def record(tar, records=None):
    lines = [record_line(i, r) for i, r in enumerate(split(tar) if records is None else records)]
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode='wb', mtime=0) as f:
        f.write(''.join(lines).encode())
    return out.getvalue()


# --- trees -------------------------------------------------------------------------------------------------------

def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def name_bytes(info):
    return os.fsencode(info.name)


def apply(members, tree, whiteouts_are_files=False):
    tree = os.fsencode(tree)
    later = []
    for info, data in members:
        name = name_bytes(info).strip(b'/')
        path = os.path.join(tree, name)
        base = os.path.basename(name)
        if info.type in (tarfile.XGLTYPE, tarfile.XHDTYPE) or (name.startswith(b'.wh..wh.') and not
                                                               whiteouts_are_files):
            continue
        if base.startswith(b'.wh.') and not whiteouts_are_files:
            remove(os.path.join(os.path.dirname(path), base[4:]))
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not (info.isdir() and os.path.isdir(path) and not os.path.islink(path)):
            remove(path)
        if info.isdir():
            os.makedirs(path, exist_ok=True)
            later.append((path, info))
        elif info.issym():
            os.symlink(os.fsencode(info.linkname), path)
            os.lchown(path, info.uid, info.gid)
            os.utime(path, (info.mtime, info.mtime), follow_symlinks=False)
            continue
        elif info.islnk():
            os.link(os.path.join(tree, os.fsencode(info.linkname)), path)
            continue
        elif info.isfifo():
            os.mkfifo(path)
        else:
            with open(path, 'wb') as f:
                f.write(data)
        os.chown(path, info.uid, info.gid)
        os.chmod(path, info.mode)
        os.utime(path, (info.mtime, info.mtime))
    for path, info in later:
        if os.path.isdir(path):
            os.utime(path, (info.mtime, info.mtime))


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def copy(source, target, *options):
    run('cp', '-a', *options, source, target)


def tree_of(node):
    id = node['id']
    return {'vfs': f'{args.root}/vfs/dir/{id}', 'overlay': f'{args.root}/overlay/{id}/root',
            'btrfs': f'{args.root}/btrfs/subvolumes/{id}', 'aufs': f'{args.root}/aufs/diff/{id}'}[args.driver]


def make_tree(node, members):
    tree, parent = tree_of(node), node['parent']
    os.makedirs(os.path.dirname(tree), exist_ok=True)
    if args.driver == 'aufs':
        lineage, at = [], parent
        while at:
            lineage.append(at['id'] + '\n')
            at = at['parent']
        for part in ('layers', 'mnt'):
            os.makedirs(f'{args.root}/aufs/{part}', exist_ok=True)
        with open(f'{args.root}/aufs/layers/{node["id"]}', 'w') as f:
            f.write(''.join(lineage))
        os.mkdir(f'{args.root}/aufs/mnt/{node["id"]}')
        os.mkdir(tree, 0o755)
        apply(members, tree, whiteouts_are_files=True)
        return
    if args.driver == 'btrfs' and parent:
        run('btrfs', 'subvolume', 'snapshot', tree_of(parent), tree)
    elif args.driver == 'btrfs':
        run('btrfs', 'subvolume', 'create', tree)
    elif parent:
        copy(tree_of(parent), tree, *(['-l'] if args.driver == 'overlay' else []))
    else:
        os.mkdir(tree, 0o755)
    apply(members, tree)


# --- nodes -------------------------------------------------------------------------------------------------------

nodes = {}


def write(path, data):
    with open(path, 'wb') as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, 0o600)


def node_id(name):
    return hashlib.sha256(('2015 ' + name).encode()).hexdigest()


def node_dir(node):
    return f'{args.root}/graph/{node["id"]}'


def add(name, parent=None, members=None, tar=None, by='', records=None, size=None):
    """A node whose layer holds members; tar where that is not just those. members None: no layer came."""
    node = {'name': name, 'id': node_id(name), 'parent': nodes[parent] if parent else None, 'by': by or name,
            'number': len(nodes)}
    layer = tar if tar is not None else make_tar(members) if members is not None else None
    node['size'] = size if size is not None else sum(len(data) for info, data in members or [])
    nodes[name] = node
    os.makedirs(node_dir(node), 0o700)
    make_tree(node, members or [])
    write(node_dir(node) + '/json', go_json(description(node)) + '\n')
    write(node_dir(node) + '/layersize', str(node['size']))
    if layer is not None:
        if args.writer != 'none':
            write(node_dir(node) + '/tar-data.json.gz', record(layer, records))
        with open(f'{args.out}/{name}.tar', 'wb') as f:
            f.write(layer)
    return node


def standard():
    add('base', members=[dir_('etc/'), dir_('data/'), member('etc/motd', b'hello\n'), member('etc/old', b'old'),
                         member('data/big', bytes(range(256)) * 40, mode=0o600, uid=1000, gid=100),
                         member('data/empty', b''), dir_('usr/'), dir_('usr/lib/'), member('lib', type=tarfile.SYMTYPE, link='usr/lib'),
                         member('data/link', type=tarfile.LNKTYPE, link='data/big'),
                         member('sbin', type=tarfile.SYMTYPE, link='usr/lib', mode=0o777)],
        by='ADD file:base in /')
    add('app', 'base', [dir_('etc/'), member('etc/motd', b'changed\n'), member('etc/.wh.old'),
                        member('etc/new', b'new', mode=0o4755), member('usr/lib/libx', b'a library')],
        by='COPY new files <&>')
    add('top', 'app', [], by='#(nop) CMD ["/bin/app"]')
    add('other', 'base', [member('other', b'another\n')], by='RUN echo another >other')


def repositories(names):
    write(f'{args.root}/repositories-{args.driver}', go_json({'Repositories': names}))


def containers():
    """What else lies in such a root."""
    for part in ('containers', 'volumes', 'init', 'tmp', 'trust', 'execdriver/native', f'graph/_tmp/{node_id("tmp")}'):
        os.makedirs(f'{args.root}/{part}', 0o700)
    write(f'{args.root}/linkgraph.db', 'SQLite format 3\0')
    write(f'{args.root}/graph/_tmp/{node_id("tmp")}/json', '{')
    id = node_id('container')
    os.mkdir(f'{args.root}/containers/{id}')
    for name in (id, id + '-init'):
        node = {'id': name, 'parent': nodes['base'], 'name': name}
        make_tree(node, [member('written', b'by a container')])


names = {'web': {'latest': 'top', '1.0': 'app'}, 'registry.example.org:5000/team/other': {'v1': 'other'}}


# --- damage ------------------------------------------------------------------------------------------------------

def edit(name, file, data):
    write(f'{node_dir(nodes[name])}/{file}', data)


def edit_json(name, **changes):
    image = description(nodes[name])
    image.update(changes)
    image = {key: value for key, value in image.items() if value != 'ABSENT'}
    edit(name, 'json', go_json(image) + '\n')


def bad_lies():
    add('lies', members=[])
    edit_json('lies', id=node_id('somebody else'))


def bad_missing_parent():
    add('orphan', members=[])
    edit_json('orphan', parent=node_id('nobody'))


def bad_cycle():
    for name in ('ring1', 'ring2', 'ring3'):
        add(name, members=[])
    edit_json('ring1', parent=node_id('ring2'))
    edit_json('ring2', parent=node_id('ring3'))
    edit_json('ring3', parent=node_id('ring1'))


def bad_self():
    add('self', members=[])
    edit_json('self', parent=node_id('self'))


def bad_types():
    add('types', 'base', members=[])
    edit_json('types', created=7)
    add('types2', 'base', members=[])
    edit_json('types2', parent=['x'])


def bad_nul():
    add('nul', members=[])
    edit('nul', 'json', b'{"id":"%s","author":"a\0b"}' % node_id('nul').encode())
    add('nul2', members=[])
    edit('nul2', 'json', b'{"id":"%s","author":"a\\u0000b"}' % node_id('nul2').encode())


def bad_nesting():
    add('deep', members=[])
    edit('deep', 'json', b'[' * 10000000)


def bad_no_json():
    add('nojson', members=[])
    os.unlink(f'{node_dir(nodes["nojson"])}/json')
    add('emptyjson', members=[])
    edit('emptyjson', 'json', '')


def bad_no_tree():
    add('notree', members=[member('x', b'x')])
    if args.driver == 'overlay':
        shutil.rmtree(os.path.dirname(tree_of(nodes['notree'])))
    else:
        shutil.rmtree(tree_of(nodes['notree']))


def bad_no_node():
    write(f'{args.root}/graph/{node_id("a file")}', 'no directory')
    os.symlink('/', f'{args.root}/graph/{node_id("a link")}')
    os.mkdir(f'{args.root}/graph/..x')


def bad_layersize():
    for i, text in enumerate(['12\n', ' 13 ', '', 'many', '-5', '99999999999999999999999', '1\0']):
        add(f'size{i}', members=[])
        edit(f'size{i}', 'layersize', text)
    add('nosize', members=[])
    os.unlink(f'{node_dir(nodes["nosize"])}/layersize')


def bad_record():
    add('cut', members=[member('f', b'content')])
    path = f'{node_dir(nodes["cut"])}/tar-data.json.gz'
    with open(path, 'rb') as f:
        data = f.read()
    write(path, data[:len(data) // 2])
    add('changed', members=[member('f', b'content')])
    with open(tree_of(nodes['changed']) + '/f', 'wb') as f:
        f.write(b'kontent')
    add('shorter', members=[member('g', b'content')])
    with open(tree_of(nodes['shorter']) + '/g', 'wb') as f:
        f.write(b'con')
    add('gone', members=[member('h', b'content')])
    os.unlink(tree_of(nodes['gone']) + '/h')


def bad_names():
    names['web']['gone'] = 'gone'
    names['Bad Name'] = {'latest': 'base'}
    names['web']['-x'] = 'base'
    names['by-digest'] = {'sha256:' + '0' * 64: 'base'}


def bad_repositories():
    names['_cut'] = True


def old_variants():
    """Legal, only old or young."""
    add('command', 'base', members=[])
    edit_json('command', config='ABSENT', container_config={'Cmd': 'one string', 'PortSpecs': ['80'], 'Memory': 0})
    add('case', 'base', members=[])
    edit('case', 'json', go_json({'ID': node_id('case'), 'PARENT': node_id('base'), 'Author': 'first',
                                  'author': 'last', 'CREATED': '2014-01-01T00:00:00Z'}))
    add('trailing', 'base', members=[])
    edit('trailing', 'json', go_json(description(nodes['trailing'])) + '\n{"more": garbage')
    add('nine', 'base', members=[])
    edit_json('nine', id='ABSENT', parent='ABSENT', Size='ABSENT', parent_id='sha256:' + node_id('base'),
              layer_id='sha256:' + '1' * 64)
    edit('nine', 'v1Compatibility', '{}')
    add('ninefile', 'base', members=[])
    edit_json('ninefile', id='ABSENT', parent='ABSENT')
    edit('ninefile', 'parent', node_id('base'))
    add('undated', 'base', members=[])
    edit_json('undated', created='ABSENT')


def faults():
    """What the writers of then got wrong."""
    long = 'a/' + 'directory-with-a-long-name/' * 5
    members = [dir_('a/')]
    for i in range(1, 6):
        members.append(dir_('a/' + 'directory-with-a-long-name/' * i))
    members += [member(long + 'file', b'content\n' * 10), member(long + 'second', b'x' * 512),
                member('a/short', b'short'), member('a/link', type=tarfile.SYMTYPE, link='y' * 150)]
    tar = make_tar(members, tarfile.GNU_FORMAT)
    members_long, tar_long = members, tar
    add('long', 'base', members, tar=tar, records=misorder(tar, split(tar)) if SIZES_ALWAYS else None)
    add('pax', 'base', members, tar=make_tar(members, tarfile.PAX_FORMAT))
    # a name that is no UTF-8
    members = [member(os.fsdecode(b'caf\xe9'), b'coffee'), member(os.fsdecode(b'caf\xe8'), b'another')]
    add('latin', 'base', members)
    # archives that end early
    for name, end, data in (('end0', 0, b'12345'), ('end1', 512, b'12345'), ('end1even', 512, b'1' * 512),
                            ('endless', 0, b'12345')):
        members = [member('f-' + name, data)]
        tar = make_tar(members, end=end)
        node = add(name, members=members, tar=tar)
        if name != 'endless':
            write(node_dir(node) + '/checksum', 'sha256:' + hashlib.sha256(tar).hexdigest())
    # more behind the end than needs be
    add('trailing-zeros', members=[member('z', b'z')], tar=make_tar([member('z', b'z')], end=10240))
    # files reached through a link of the parent's
    members = [member('usr/lib/one', b'one, through a link')]
    tar = make_tar([member('lib/one', b'one, through a link')])
    add('linked', 'base', members, tar=tar)
    # members of aufs: their content is in the tree under another name
    plnk = member('.wh..wh.plnk/1.2', b'of several names')
    members = [member('.wh..wh.aufs'), dir_('.wh..wh.plnk/'), plnk, member('several', b'of several names')]
    tar = make_tar(members[:3] + [member('several', type=tarfile.LNKTYPE, link='.wh..wh.plnk/1.2')])
    add('plnk', 'base', members[:1] + members[3:] if args.driver != 'aufs' else members, tar=tar)
    # a long name whose bytes 0.9.4 wrote over
    if SIZES_ALWAYS:
        bad = [bytes(512) + r[512:] if isinstance(r, bytes) and b'LongLink' in r else r for r in split(tar_long)]
        add('lostlong', 'base', members_long, tar=tar_long, records=bad)
    # and what is nowhere
    tar = make_tar([member('pax_global_header', b'52 comment=%040d\n' % 1, type=tarfile.XGLTYPE), member('g', b'g')])
    add('global', 'base', [member('g', b'g')], tar=tar)
    body = [member('.wh.data', b'a whiteout with a body')]
    add('body', 'base', body)


# --- all of it ---------------------------------------------------------------------------------------------------

os.makedirs(args.root, 0o700, exist_ok=True)
os.makedirs(args.root + '/graph', 0o700)
os.makedirs(args.out, exist_ok=True)
standard()
containers()
for kind in args.bad:
    {'old': old_variants, 'faults': faults}.get(kind, globals().get('bad_' + kind))()
cut = names.pop('_cut', False)
repositories({name: {tag: node_id(to) for tag, to in tags.items()} for name, tags in names.items()})
if cut:
    path = f'{args.root}/repositories-{args.driver}'
    with open(path, 'rb') as f:
        text = f.read()
    write(path, text[:len(text) * 2 // 3])
with open(args.out + '/ids', 'w') as f:
    for name, node in nodes.items():
        f.write(f'{name} {node["id"]}\n')
