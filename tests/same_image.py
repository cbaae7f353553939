#!/usr/bin/env python3
"""Shows that two docker-archives hold the same image: config, diff IDs and every layer, byte for byte.

  same_image.py BEFORE.tar AFTER.tar"""
import gzip, hashlib, json, os, sys, tarfile


def plain_sha256(archive, member):
    """Digest of a layer's plain tar; layers may be links to others, or compressed with gzip."""
    info = archive.getmember(member)
    while info.issym() or info.islnk():
        base = os.path.dirname(info.name) if info.issym() else ''
        info = archive.getmember(os.path.normpath(os.path.join(base, info.linkname)))
    stream = archive.extractfile(info)
    if stream.read(2) == b'\x1f\x8b':
        stream.seek(0)
        stream = gzip.GzipFile(fileobj=stream)
    else:
        stream.seek(0)
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return 'sha256:' + digest.hexdigest()


def read(path):
    with tarfile.open(path) as archive:
        item = json.load(archive.extractfile('manifest.json'))[0]
        config = archive.extractfile(item['Config']).read()
        return {'config': 'sha256:' + hashlib.sha256(config).hexdigest(),
                'diff IDs': json.loads(config)['rootfs']['diff_ids'],
                'layers': [plain_sha256(archive, layer) for layer in item['Layers']]}


def main():
    before, after = read(sys.argv[1]), read(sys.argv[2])
    bad = 0
    rows = [('config', before['config'], after['config'])]
    for i, pair in enumerate(zip(before['diff IDs'], after['diff IDs'])):
        rows.append((f'diff ID {i + 1}', *pair))
    for i, pair in enumerate(zip(before['layers'], after['layers'])):
        rows.append((f'layer {i + 1}', *pair))
    for what, old, new in rows:
        same = old == new
        bad += not same
        print(f'{what:<10} {old}  {"identical" if same else "CHANGED to " + new}')
    if len(before['layers']) != len(after['layers']) or before['layers'] != before['diff IDs']:
        bad += 1
    print('the image came back as it went in' if not bad else 'the image did NOT come back as it went in')
    return 1 if bad else 0


sys.exit(main())
