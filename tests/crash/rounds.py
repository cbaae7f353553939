#!/usr/bin/env python3
"""Loads an image, mounts it, reads it, and removes it again, many times on one store: what is there afterwards is what was there
after the first time, to the byte.

  rounds.py --nacre FILE [--driver NAME]… [--rounds N]    drivers: erofs, overlay, vfs; rounds: 200

Prints TAP. Needs root."""
import argparse
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from known import Store, Wrong, judge_image, make_image, own_mounts, run  # noqa: E402


def traces(store, work):
    """All that a round could leave: files with sizes and blocks, mounts, loop devices."""
    files = {}
    for place, dirs, names in os.walk(store.root):
        for name in dirs + names:
            path = os.path.join(place, name)
            facts = os.lstat(path)
            # the catalog's log grows and shrinks by itself
            if not name.startswith('catalog.db'):
                files[os.path.relpath(path, store.root)] = facts.st_size if not os.path.isdir(path) else 0, facts.st_nlink
    with open('/proc/self/mountinfo') as f:
        mounts = [line for line in f if work in line]
    return files, mounts, run('losetup', '-a').stdout.decode().count(work)


def catalog_size(store):
    return sum(os.path.getsize(os.path.join(store.root, name)) for name in os.listdir(store.root) if name.startswith('catalog.db'))


def one_round(store, image, mount_point, thorough):
    store('load', '-q', '-i', image.archive)
    if thorough:
        judge_image(store, image, mount_point)
    store('mount', 'app:1', mount_point)
    if not os.listdir(mount_point):
        raise Wrong('nothing is mounted')
    shared = store('mount', 'app:1').stdout.decode().strip()
    store('umount', mount_point)
    store('umount', shared)
    store('rmi', '-q', 'app:1')


def go_round(options, work, image, driver):
    store, mount_point = Store(options.nacre, os.path.join(work, 'store-' + driver)), os.path.join(work, 'mnt')
    store('--driver', driver, 'load', '-q', '-i', image.archive)
    store('rmi', '-q', 'app:1')
    one_round(store, image, mount_point, True)
    first = traces(store, work)
    largest = 0
    for number in range(2, options.rounds + 1):
        one_round(store, image, mount_point, number % 50 == 0)
        largest = max(largest, catalog_size(store))
    if traces(store, work) != first:
        raise Wrong(f'left behind: {traces(store, work)} for {first}')
    store('check', '--full')
    if largest > 4 << 20:
        raise Wrong(f'the catalog grew to {largest} bytes')


def main():
    own_mounts()
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--nacre', required=True)
    parser.add_argument('--driver', action='append')
    parser.add_argument('--rounds', type=int, default=200)
    options = parser.parse_args()
    options.nacre = os.path.abspath(options.nacre)
    work = tempfile.mkdtemp(prefix='nacre-rounds.', dir='/var/tmp')
    os.mkdir(os.path.join(work, 'mnt'))
    failed, drivers = 0, options.driver or ['erofs', 'overlay', 'vfs']
    try:
        image = make_image(work, 'app', ['--dir', 'etc', '--file', 'etc/motd=hello', '--big', 'data=300000', '--link', 'link=data',
                                         '--layer', '--dir', 'etc', '--file', 'etc/new=new', '--delete', 'etc/motd'])
        for number, driver in enumerate(drivers, 1):
            try:
                go_round(options, work, image, driver)
                print(f'ok {number} {driver}: {options.rounds} rounds leave nothing behind', flush=True)
            except Wrong as wrong:
                failed += 1
                print(f'not ok {number} {driver}: {wrong}', flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f'1..{len(drivers)}')
    sys.exit(1 if failed else 0)


main()
