# Shared by the interop suites: one work directory a file, a store, and podman kept to directories of its own.
: "${NACRE:?path of the command}" "${NACRE_IMAGES:?directory of the images}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export here

make_work() {
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/nacre-interop.XXXXXX")
  export work NACRE_ROOT=$work/store
}

# What is mounted below DIR, the deepest first. Nothing is below "", which would else be everything there is.
mounts_below() { # DIR
  [[ ${1:-} == /?* ]] || return 0
  awk -v top="${1%/}/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}

# The image of the file in a store of its own: $id, and its IDs in $work/ids.ours.
load_image() { # NAME
  make_work
  "$NACRE" load -q -i "$NACRE_IMAGES/$1.docker.tar" >"$work/loaded"
  id=$(sed 's/^sha256://' "$work/loaded")
  our_ids "$id" >"$work/ids.ours"
  export id
}

drop_work() {
  [ -n "${work:-}" ] || return 0   # an empty one would mean every mount there is
  "$NACRE" umount -a >/dev/null 2>&1 || true
  [ ! -d "$work/podman" ] || pm umount -a >/dev/null 2>&1 || true
  local m
  for m in $(mounts_below "$work"); do umount -l "$m" || true; done
  rm -rf --one-file-system "$work"
}

pm() { podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver overlay --log-level error "$@"; }
sk() { skopeo --insecure-policy "$@"; }
bu() { buildah --root "$work/buildah" --runroot "$work/buildah-run" --storage-driver overlay --log-level error "$@"; }

sha256() { sha256sum "$@" | cut -d' ' -f1; }

# What we say of an image, and what any place that skopeo reads says, in the same two lines: config digest, diff IDs.
our_ids() { "$NACRE" inspect "$1" | jq -r '.[0] | .id, (.layers | map(.diff_id) | join(" "))' | sed '1s/^sha256://'; }
skopeo_ids() {
  rm -rf "$work/ids"
  sk copy -q "$1" "dir:$work/ids"
  jq -r .config.digest "$work/ids/manifest.json" | sed 's/^sha256://'
  jq -r '.rootfs.diff_ids | join(" ")' "$work/ids/$(jq -r .config.digest "$work/ids/manifest.json" | sed 's/^sha256://')"
  rm -rf "$work/ids"
}
# Of what buildah pulls, by the ID that it gives it.
buildah_ids() {
  bu inspect --type image "$(bu pull -q --policy always "$1")" | jq -r '.FromImageID, (.OCIv1.rootfs.diff_ids | join(" "))'
}
podman_ids() { pm image inspect "$1" | jq -r '.[0] | .Id, (.RootFS.Layers | join(" "))'; }

# Plain layers of an image, lowest first, from its OCI layout of uncompressed layers.
layers_of() {
  local raw=$NACRE_IMAGES/$1.raw manifest
  manifest=$raw/blobs/sha256/$(jq -r '.manifests[0].digest' "$raw/index.json" | cut -d: -f2)
  jq -r '.layers[].digest' "$manifest" | while IFS=: read -r alg hex; do echo "$raw/blobs/$alg/$hex"; done
}
