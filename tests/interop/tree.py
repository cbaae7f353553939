#!/usr/bin/env python3
"""Trees of files, compared by everything that a layer can say about them.

  tree.py list DIR > LISTING            a line a file: type, mode, owner, size, links, times, device, target, xattrs, content
  tree.py same A.listing B.listing [SINCE]
                                        exit 1 and show the first differences; directories of B with a time after SINCE
                                        (seconds) were made by the program itself: their times do not count
  tree.py stack DIR LAYER.tar...        what GNU tar unpacks, layer upon layer, with OCI whiteouts applied
"""
import hashlib, json, os, shutil, stat, subprocess, sys

HIDDEN_XATTRS = ('trusted.overlay.', 'user.overlay.', 'security.selinux')


def content(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def describe(path):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    facts = {'type': kind, 'mode': stat.S_IMODE(st.st_mode), 'uid': st.st_uid, 'gid': st.st_gid, 'mtime': st.st_mtime_ns}
    if kind != stat.S_IFDIR:
        facts['links'] = st.st_nlink
    if kind == stat.S_IFREG:
        facts['size'] = st.st_size
        facts['sha256'] = content(path)
    if kind == stat.S_IFLNK:
        facts['target'] = os.fsdecode(os.readlink(path))
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        facts['device'] = st.st_rdev
    facts['xattrs'] = {name: os.getxattr(path, name, follow_symlinks=False).hex()
                       for name in sorted(os.listxattr(path, follow_symlinks=False)) if not name.startswith(HIDDEN_XATTRS)}
    return facts


def walk(root):
    root = os.fsencode(root)
    pending = [b'']
    while pending:
        name = pending.pop()
        path = os.path.join(root, name) if name else root
        facts = describe(path)
        if name:  # the root's own times belong to whoever made the mount point
            yield os.fsdecode(name), facts
        if stat.S_ISDIR(facts['type']):
            pending += [os.path.join(name, child) for child in sorted(os.listdir(path), reverse=True)]


def facts_of(root):
    return dict(walk(root))


def listing(root):
    for name, facts in walk(root):
        print(json.dumps([name, facts], sort_keys=True))


def load(path):
    with open(path) as f:
        return dict(json.loads(line) for line in f)


def same(a_path, b_path, since):
    a, b = load(a_path), load(b_path)
    differences = []
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            differences.append(f'{name!r} is only in {a_path if name in a else b_path}')
            continue
        x, y = a[name], b[name]
        if stat.S_ISDIR(y['type']) and since is not None and y['mtime'] >= since * 10**9:
            x, y = dict(x, mtime=0), dict(y, mtime=0)
        if x != y:
            differences.append(f'{name!r}: ' + ', '.join(f'{k} {x.get(k)} / {y.get(k)}' for k in x.keys() | y.keys() if x.get(k) != y.get(k)))
    print(f'{len(a)} files, {len(differences)} differences')
    for line in differences[:20]:
        print('  ' + line)
    return 1 if differences or not a else 0


def stack(root, layers):
    os.makedirs(root, exist_ok=True)
    for layer in layers:
        names = subprocess.run(['tar', '-tf', layer, '--quoting-style=literal', '--null'], capture_output=True, check=True).stdout.split(b'\n')
        for name in names:
            parent, base = os.path.split(name.rstrip(b'/'))
            if not base.startswith(b'.wh.'):
                continue
            where = os.path.join(os.fsencode(root), parent)
            if not os.path.isdir(where):
                continue
            before = os.stat(where)
            victims = os.listdir(where) if base == b'.wh..wh..opq' else [base[4:]]
            for victim in victims:
                path = os.path.join(where, victim)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                elif os.path.lexists(path):
                    os.unlink(path)
            os.utime(where, ns=(before.st_atime_ns, before.st_mtime_ns))
        subprocess.run(['tar', '-xpf', layer, '-C', root, '--numeric-owner', '--same-owner', '--xattrs', '--xattrs-include=*',
                        '--exclude=.wh.*', '--delay-directory-restore'], check=True)


def main():
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == 'list':
        return listing(args[0])
    if verb == 'same':
        return same(args[0], args[1], float(args[2]) if len(args) > 2 else None)
    return stack(args[0], args[1:])


if __name__ == '__main__':
    sys.exit(main())
