#!/usr/bin/env python3
"""Deterministic image parts.

  mkimg.py layer UPPERDIR OUT.tar EPOCH        an overlay upperdir as an OCI layer tar (whiteouts converted)
  mkimg.py oci OUTDIR LAYER.tar...             an OCI layout with uncompressed layers, tag "latest"
  mkimg.py docker OUT.tar NAME LAYER.tar...    a docker-archive as docker save and skopeo write it
  mkimg.py rebuild IN.tar OUT.tar SHIFT PCT    the same layer "built again": all mtimes shifted by SHIFT
                                               seconds, PCT percent of the regular files' contents changed
  mkimg.py tiny OUTDIR N                       one OCI layout holding N tiny one-layer images, tags t0..tN-1
  mkimg.py many OUTDIR N EPOCH                 N small layer tars (l000.tar ...), each adds 40 files,
                                               rewrites a shared file and deletes one of the layer before
"""
import sys, os, io, json, hashlib, tarfile, stat, random

def clamp(t, epoch):
    return int(min(int(t), epoch))

def layer(upper, out, epoch):
    upper = upper.rstrip('/')
    tf = tarfile.open(out, 'w', format=tarfile.PAX_FORMAT, bufsize=1 << 20)
    seen = {}
    def add(path, name):
        st = os.lstat(path)
        if stat.S_ISCHR(st.st_mode) and st.st_rdev == 0:      # overlay whiteout
            d, b = os.path.split(name)
            ti = tarfile.TarInfo(os.path.join(d, '.wh.' + b)); ti.mtime = epoch; ti.mode = 0o600
            tf.addfile(ti, io.BytesIO(b'')); return
        if stat.S_ISSOCK(st.st_mode): return
        ti = tarfile.TarInfo(name)
        ti.uid, ti.gid, ti.mode, ti.mtime = st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode), clamp(st.st_mtime, epoch)
        for x in os.listxattr(path, follow_symlinks=False):
            if x.startswith('trusted.overlay') or x == 'security.selinux': continue
            v = os.getxattr(path, x, follow_symlinks=False)
            ti.pax_headers['SCHILY.xattr.' + x] = v.decode('utf-8', 'surrogateescape')
        if stat.S_ISDIR(st.st_mode):
            ti.type = tarfile.DIRTYPE; ti.name = name + '/'
            tf.addfile(ti)
            try: opq = os.getxattr(path, 'trusted.overlay.opaque') == b'y'
            except OSError: opq = False
            if opq:
                w = tarfile.TarInfo(os.path.join(name, '.wh..wh..opq')); w.mtime = epoch; w.mode = 0o600
                tf.addfile(w, io.BytesIO(b''))
            for e in sorted(os.listdir(path)): add(path + '/' + e, name + '/' + e)
            return
        if stat.S_ISLNK(st.st_mode):
            ti.type = tarfile.SYMTYPE; ti.linkname = os.readlink(path); tf.addfile(ti); return
        if stat.S_ISREG(st.st_mode):
            k = (st.st_dev, st.st_ino)
            if st.st_nlink > 1:
                if k in seen:
                    ti.type = tarfile.LNKTYPE; ti.linkname = seen[k]; ti.pax_headers = {}; tf.addfile(ti); return
                seen[k] = name
            ti.size = st.st_size
            with open(path, 'rb') as f: tf.addfile(ti, f)
            return
        if stat.S_ISCHR(st.st_mode): ti.type = tarfile.CHRTYPE
        elif stat.S_ISBLK(st.st_mode): ti.type = tarfile.BLKTYPE
        elif stat.S_ISFIFO(st.st_mode): ti.type = tarfile.FIFOTYPE
        ti.devmajor, ti.devminor = os.major(st.st_rdev), os.minor(st.st_rdev)
        tf.addfile(ti)
    for e in sorted(os.listdir(upper)): add(upper + '/' + e, e)
    tf.close()

def put(root, data):
    d = hashlib.sha256(data).hexdigest()
    with open(f'{root}/blobs/sha256/{d}', 'wb') as f: f.write(data)
    return 'sha256:' + d, len(data)

def sha_file(p):
    h = hashlib.sha256()
    with open(p, 'rb') as f:
        while b := f.read(1 << 20): h.update(b)
    return h.hexdigest()

def start(root):
    os.makedirs(f'{root}/blobs/sha256', exist_ok=True)
    open(f'{root}/oci-layout', 'w').write('{"imageLayoutVersion":"1.0.0"}')

def config(diffs, note):
    return json.dumps({"created": "2024-01-01T00:00:00Z", "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": diffs},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": f"{note} {i}"} for i in range(len(diffs))]},
        separators=(',', ':')).encode()

def manifest(root, cfg, layers):
    cd, cl = put(root, cfg)
    m = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": cd, "size": cl},
        "layers": layers}, separators=(',', ':')).encode()
    md, ml = put(root, m)
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": md, "size": ml}

def oci(root, tars):
    start(root); ls = []; diffs = []
    for t in tars:
        d = sha_file(t); dst = f'{root}/blobs/sha256/{d}'
        if not os.path.exists(dst): os.link(t, dst)
        ls.append({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": 'sha256:' + d, "size": os.path.getsize(t)})
        diffs.append('sha256:' + d)
    e = manifest(root, config(diffs, os.path.basename(root)), ls)
    e["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    json.dump({"schemaVersion": 2, "manifests": [e]}, open(f'{root}/index.json', 'w'))

def docker(out, name, tars):
    diffs = ['sha256:' + sha_file(t) for t in tars]
    cfg = config(diffs, name.split(':')[0].split('/')[-1])
    cfg_name = hashlib.sha256(cfg).hexdigest() + '.json'
    members = [d[7:] + '.tar' for d in diffs]
    tf = tarfile.open(out, 'w', format=tarfile.PAX_FORMAT, bufsize=1 << 20)
    for member, path in dict(zip(members, tars)).items():
        ti = tarfile.TarInfo(member); ti.size = os.path.getsize(path); ti.mode = 0o444
        with open(path, 'rb') as f: tf.addfile(ti, f)
    documents = [(cfg_name, cfg), ('manifest.json', json.dumps([{"Config": cfg_name, "RepoTags": [name], "Layers": members}]).encode())]
    for member, data in documents:
        ti = tarfile.TarInfo(member); ti.size = len(data); ti.mode = 0o444
        tf.addfile(ti, io.BytesIO(data))
    tf.close()

def rebuild(src, dst, shift, pct):
    i = tarfile.open(src, 'r:'); o = tarfile.open(dst, 'w', format=tarfile.PAX_FORMAT, bufsize=1 << 20)
    for m in i:
        m.mtime = int(m.mtime) + shift; m.pax_headers.pop('mtime', None)
        if m.isreg():
            data = i.extractfile(m).read()
            if m.size and hashlib.sha256(m.name.encode()).digest()[0] * 100 < pct * 256:
                data = data[:-1] + bytes([data[-1] ^ 1]) + b'built again\n'; m.size = len(data)
            o.addfile(m, io.BytesIO(data))
        else: o.addfile(m)
    o.close()

def one(files, mtime):
    b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w', format=tarfile.PAX_FORMAT)
    for n, data in files:
        ti = tarfile.TarInfo(n); ti.mtime = mtime; ti.mode = 0o644
        if data is None: ti.type = tarfile.DIRTYPE; ti.mode = 0o755; t.addfile(ti)
        else: ti.size = len(data); t.addfile(ti, io.BytesIO(data))
    t.close(); return b.getvalue()

def tiny(root, n):
    start(root); idx = []
    for k in range(n):
        t = one([('etc/', None), (f'etc/id{k}', b'image %d\n' % k)], 1700000000)
        d, l = put(root, t)
        e = manifest(root, config([d], f'tiny {k}'), [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": d, "size": l}])
        e["annotations"] = {"org.opencontainers.image.ref.name": f"t{k}"}; idx.append(e)
    json.dump({"schemaVersion": 2, "manifests": idx}, open(f'{root}/index.json', 'w'))

def many(out, n, epoch):
    os.makedirs(out, exist_ok=True)
    for k in range(n):
        r = random.Random(k); f = [(f'srv/', None), (f'srv/l{k:03}/', None)]
        for j in range(40):
            f.append((f'srv/l{k:03}/f{j:02}', bytes(r.choices(b'abcdefgh \n', k=r.randrange(0, 8192)))))
        f.append(('srv/shared', b'layer %d\n' % k * 50))
        if k: f.append((f'srv/l{k-1:03}/.wh.f00', b''))
        open(f'{out}/l{k:03}.tar', 'wb').write(one(f, epoch))

a = sys.argv
{'layer': lambda: layer(a[2], a[3], int(a[4])), 'oci': lambda: oci(a[2], a[3:]),
 'docker': lambda: docker(a[2], a[3], a[4:]),
 'rebuild': lambda: rebuild(a[2], a[3], int(a[4]), float(a[5])), 'tiny': lambda: tiny(a[2], int(a[3])),
 'many': lambda: many(a[2], int(a[3]), int(a[4]))}[a[1]]()
