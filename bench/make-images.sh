#!/bin/bash
# Makes real images from Debian packages (and, where npm works, npm packages).
#
#   make-images.sh OUTDIR NAME…      demo small medium medium2 manyfiles manylayers tiny
#
# For each NAME, below OUTDIR:
#   NAME.docker.tar   docker-archive         NAME.gz/   OCI layout, gzip layers      (tiny: only tiny.oci/,
#   NAME.raw/         OCI layout, plain      NAME.zst/  OCI layout, zstd layers       6000 images in one layout)
# demo is small: three layers, made in about a minute, only NAME.docker.tar and NAME.raw/. medium2 is medium "built again":
# every mtime differs and about 10 % of the files' contents; no layer is shared.
# Needs root, overlay mounts and a working apt. Finished images are kept, so it can be run again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'; exit 64; }
mkdir -p "$1"; out=$(cd "$1" && pwd); shift
epoch=1704067200                     # 2024-01-01; newer mtimes are clamped to it
export DEBIAN_FRONTEND=noninteractive LC_ALL=C SOURCE_DATE_EPOCH=$epoch PYTHONHASHSEED=0
start=$SECONDS
say() { echo "[$((SECONDS - start)) s] $*" >&2; }

b=$out/build; L=$b/layers; mkdir -p "$L"
exec 9>"$b/lock"; flock 9            # two runs at once would build the same layers

mounted=()
cleanup() { local m; for m in "${mounted[@]}"; do umount -l "$m" 2>/dev/null || true; done; }
trap cleanup EXIT

pack() { python3 "$here/mkimg.py" layer "$1" "$L/$2.tar.part" $epoch; mv "$L/$2.tar.part" "$L/$2.tar"; }

export pk=""                            # what install_packages installs
# The machine's own Debian sources, whatever mirror they name, in one of apt's two styles.
package_sources() {
  local file found=
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && grep -q '^Suites:.*bookworm' "$file" && { cat "$file"; echo; found=1; }
  done
  [ -n "$found" ] || cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | grep -E '^deb .*bookworm'
}

layer_base() {
  [ -e "$L/base.tar" ] && return
  say "layer base"; rm -rf "$b/base.up"
  local keep=(--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*'
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-include=/usr/share/doc/*/copyright')
  mmdebstrap --quiet --variant=minbase "${keep[@]}" bookworm "$b/base.up" - < <(package_sources)
  rm -rf "$b/base.up/dev/"* "$b/base.up/var/cache/apt/"*.bin "$b/base.up/var/log/"*
  pack "$b/base.up" base
}

# step NAME LOWER(s, topmost first, separated by ':') COMMAND: runs it in "$m", the tree so far; keeps what it changed
step() {
  local name=$1 lower=$2 cmd=$3 m=$b/$1.m
  [ -e "$L/$name.tar" ] && return
  say "layer $name"
  rm -rf "$b/$name.up" "$b/$name.work" "$m"; mkdir -p "$b/$name.up" "$b/$name.work" "$m"
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$b/$name.up,workdir=$b/$name.work,metacopy=off,redirect_dir=off" "$m"
  mounted=("$m")
  # what the command needs from the host must not end in the layer
  mount -t proc proc "$m/proc"; mounted=("$m/proc" "$m")
  mount --bind /dev "$m/dev"; mounted=("$m/dev" "${mounted[@]}")
  cp --remove-destination /etc/resolv.conf "$m/etc/resolv.conf" 2>/dev/null || true
  cp /etc/apt/apt.conf.d/*proxy* "$m/etc/apt/apt.conf.d/" 2>/dev/null || true
  eval "$cmd" >"$b/$name.log" 2>&1 || { tail -30 "$b/$name.log" >&2; return 1; }
  umount "$m/proc" "$m/dev"; umount "$m"; mounted=()
  rm -rf "$b/$name.up/etc/resolv.conf" "$b/$name.up/var/lib/apt/lists/"* "$b/$name.up/var/cache/apt/"*.bin \
    "$b/$name.up/var/cache/ldconfig" "$b/$name.up/var/log/"* "$b/$name.up/root/.npm" "$b/$name.up/tmp/"* \
    "$b/$name.up/etc/apt/apt.conf.d/"*proxy* "$b/$name.work" 2>/dev/null || true
  pack "$b/$name.up" "$name"
}

install_packages='chroot "$m" sh -c "apt-get update -qq && apt-get install -y -qq --no-install-recommends $pk && apt-get clean"'

# npm on the host, into the merged tree; without npm, source-heavy Debian packages instead
npm_into() { # DIR packages…
  local d=$1; shift; mkdir -p "$d"
  (cd "$d" && echo '{"name":"bench","version":"1.0.0","private":true}' >package.json &&
    npm install --ignore-scripts --omit=optional --no-audit --no-fund --no-progress --no-bin-links=false --legacy-peer-deps \
      --cache "$b/npmcache" "$@") && chown -R 0:0 "$d"
}

layers_demo() {
  layer_base
  pk="less"
  step tools "$b/base.up" "$install_packages"
  step hello "$b/tools.up:$b/base.up" 'rm -rf "$m/usr/share/doc/less" && mkdir -p "$m/srv/hello" &&
    echo "hello from nacre" >"$m/srv/hello/greeting" && ln "$m/srv/hello/greeting" "$m/srv/hello/again" &&
    ln -s hello/greeting "$m/srv/link" && chown 1000:1000 "$m/srv/hello/greeting" && rm "$m/etc/motd" 2>/dev/null; true'
}

layers_medium() {
  local ns
  layer_base
  pk="python3 python3-pip python3-numpy python3-requests python3-flask python3-sqlalchemy python3-cryptography python3-yaml python3-lxml"
  step python "$b/base.up" "$install_packages"
  pk="build-essential git ca-certificates"
  step gcc "$b/python.up:$b/base.up" "$install_packages"
  ns="$b/gcc.up:$b/python.up:$b/base.up"
  pk="golang-1.19-src libboost1.74-dev"
  step node "$ns" 'npm_into "$m/srv/app" typescript@5.3.3 webpack@5.89.0 next@13.5.6 react@18.2.0 react-dom@18.2.0 eslint@8.56.0 \
    lodash@4.17.21 express@4.18.2 || '"$install_packages"
  step app "$b/node.up:$ns" 'mkdir -p "$m/srv/app" && rm -rf "$m/usr/share/doc/git" "$m/usr/lib/python3/dist-packages/flask" &&
    mkdir "$m/usr/share/doc/git" && echo new >"$m/usr/share/doc/git/README" && echo app >"$m/srv/app/index.js" &&
    mkdir -p "$m/srv/data/empty" && ln -s ../app "$m/srv/data/link" && ln "$m/srv/app/index.js" "$m/srv/app/index2.js" &&
    cp "$m/bin/ls" "$m/srv/app/ping" && setcap cap_net_raw+ep "$m/srv/app/ping" &&
    echo "{}" >>"$m/srv/app/package.json" && chown 1000:1000 "$m/srv/app/package.json" &&
    cp "$m/bin/ls" "$m/srv/app/setuid" && chmod 4755 "$m/srv/app/setuid"'
}

layers_manyfiles() {
  layer_base
  pk="libboost1.74-dev golang-1.19-src linux-headers-amd64 papirus-icon-theme breeze-icon-theme"
  step manyfiles "$b/base.up" 'npm_into "$m/srv/app" typescript@5.3.3 webpack@5.89.0 next@13.5.6 react@18.2.0 react-dom@18.2.0 \
    eslint@8.56.0 lodash@4.17.21 @mui/material@5.15.3 @mui/icons-material@5.15.3 @emotion/react@11.11.3 @emotion/styled@11.11.0 \
    date-fns@3.0.6 rxjs@7.8.1 core-js@3.35.0 jest@29.7.0 @babel/core@7.23.7 @babel/preset-env@7.23.8 antd@5.12.8 ramda@0.29.1 || '"$install_packages"
}

sk() { skopeo --insecure-policy copy -q "$@"; }
image() { # NAME LAYER.tar…
  local n=$1; shift
  say "image $n"; rm -rf "$out/$n".{raw,gz,zst,docker.tar}
  python3 "$here/mkimg.py" oci "$out/$n.raw" "$@"
  python3 "$here/mkimg.py" docker "$out/$n.docker.tar" "bench/$n:latest" "$@"
  [ "$n" = demo ] || {
    sk "docker-archive:$out/$n.docker.tar" "oci:$out/$n.gz:latest"
    sk --dest-compress-format zstd --dest-compress-level 3 "docker-archive:$out/$n.docker.tar" "oci:$out/$n.zst:latest"
  }
}

for n in "$@"; do
  [ -e "$out/$n.done" ] && continue
  case $n in
    demo) layers_demo; image demo "$L"/{base,tools,hello}.tar ;;
    small) layer_base; image small "$L/base.tar" ;;
    medium) layers_medium; image medium "$L"/{base,python,gcc,node,app}.tar ;;
    medium2)
      layers_medium
      for l in base python gcc node app; do
        [ -e "$L/$l.2.tar" ] || { python3 "$here/mkimg.py" rebuild "$L/$l.tar" "$L/$l.2.part" 86400 10; mv "$L/$l.2.part" "$L/$l.2.tar"; }
      done
      image medium2 "$L"/{base,python,gcc,node,app}.2.tar ;;
    manyfiles) layers_manyfiles; image manyfiles "$L/manyfiles.tar" ;;
    manylayers) python3 "$here/mkimg.py" many "$L/many" 120 $epoch; image manylayers "$L"/many/l*.tar ;;
    tiny) rm -rf "$out/tiny.oci"; python3 "$here/mkimg.py" tiny "$out/tiny.oci" "${TINY_N:-6000}" ;;
    *) echo "make-images.sh: no image '$n'" >&2; exit 64 ;;
  esac
  touch "$out/$n.done"
done
say "images are in $out"
