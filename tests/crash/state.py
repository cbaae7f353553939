"""What the files of a store say, as one digest. Two stores with the same digest behave alike, so that judging one is enough."""
import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import stat
import tempfile

# names by chance, of stages and trials, and overlay's short names; the digests that name all else are longer
CHANCE = re.compile(r'(?<![0-9a-zA-Z])(?:[0-9a-f]{32}|[0-9a-f]{16}|[A-Z2-7]{26})(?![0-9a-zA-Z])')
TEMPORARY = re.compile(r'(?:^|/)(?:_tmp|nacre\.tmp)/')


def catalog_says(path):
    """What SQLite reads from a catalog and its log; their bytes, where it reads nothing."""
    with tempfile.TemporaryDirectory() as aside:
        copy = os.path.join(aside, 'catalog.db')
        for end in ('', '-wal'):
            if os.path.exists(path + end):
                shutil.copyfile(path + end, copy + end)
        raw = b'|'.join(content_of(os.path.join(aside, name)) for name in sorted(os.listdir(aside)))
        try:
            with contextlib.closing(sqlite3.connect(copy)) as db:
                kept = [db.execute(f'pragma {name}').fetchall() for name in ('integrity_check', 'user_version', 'application_id')]
                return '\n'.join([str(kept), *db.iterdump()]).encode()
        except (sqlite3.Error, UnicodeError):
            return raw


def content_of(path):
    with open(path, 'rb') as f:
        return f.read()


def short_names(root):
    """Overlay's short names, each by what it stands for."""
    links = os.path.join(root, 'overlay', 'l')
    if not os.path.isdir(links):
        return {}
    return {name: os.readlink(os.path.join(links, name)) for name in os.listdir(links) if os.path.islink(os.path.join(links, name))}


def state_of(root):
    known = short_names(root)
    lines = []
    for where, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(where, name)
            shown = os.path.relpath(path, root)
            temporary = TEMPORARY.search(shown)

            def steady(text):
                return CHANCE.sub(lambda found: known.get(found.group(), '*' if temporary else found.group()), text)
            facts = os.lstat(path)
            line = [steady(shown), oct(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_rdev]
            line += [(key, os.getxattr(path, key, follow_symlinks=False)) for key in sorted(os.listxattr(path, follow_symlinks=False))]
            if stat.S_ISLNK(facts.st_mode):
                line.append(steady(os.readlink(path)))
            elif stat.S_ISREG(facts.st_mode):
                if name in ('catalog.db-wal', 'catalog.db-shm'):
                    continue  # part of what the catalog says
                if name == 'catalog.db':
                    content = catalog_says(path)
                else:
                    content = content_of(path)
                    if len(content) <= 4096:
                        content = steady(content.decode('latin-1')).encode('latin-1')
                line += [facts.st_nlink, hashlib.sha256(content).hexdigest()]
            lines.append(repr(line))
    return hashlib.sha256('\n'.join(sorted(lines)).encode()).hexdigest()
