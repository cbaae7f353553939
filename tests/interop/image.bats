#!/usr/bin/env bats
# One real image ($IMAGE) against skopeo, podman, umoci and GNU tar.
load helpers
image=${IMAGE:?name of the image}

setup_file() { load_image "$image"; }
teardown_file() { drop_work; }

@test "$image: the ID is the one that skopeo computes" {
  skopeo_ids "docker-archive:$NACRE_IMAGES/$image.docker.tar" | diff - "$work/ids.ours"
}

@test "$image: every layer has the sha256 that is its diff ID" {
  local n=0 chain diff
  while read -r chain diff; do
    [ "sha256:$("$NACRE" graph tar "$chain" | sha256sum | cut -d' ' -f1)" = "$diff" ]
    n=$((n + 1))
  done < <("$NACRE" inspect "$id" | jq -r '.[0].layers[] | "\(.chain_id) \(.diff_id)"')
  [ $n = "$(layers_of "$image" | wc -l)" ]
}

@test "$image: a saved docker-archive is the same to skopeo and podman" {
  "$NACRE" save -o "$work/saved.tar" "$id"
  skopeo_ids "docker-archive:$work/saved.tar" | diff - "$work/ids.ours"
  pm load -q -i "$work/saved.tar"
  podman_ids "$id" | diff - "$work/ids.ours"
  pm rmi -f "$id" >/dev/null
  rm "$work/saved.tar"
}

@test "$image: a saved OCI archive is the same to skopeo and podman" {
  "$NACRE" save --format oci-archive -o "$work/saved.tar" "$id"
  skopeo_ids "oci-archive:$work/saved.tar" | diff - "$work/ids.ours"
  date +%s >"$work/began"
  pm load -q -i "$work/saved.tar"  # it stays for the tests below: podman takes minutes for many files
  podman_ids "$id" | diff - "$work/ids.ours"
  rm "$work/saved.tar"
}

@test "$image: a saved OCI directory is the same to skopeo and umoci" {
  "$NACRE" save --format oci-dir -o "$work/layout" "bench/$image:latest"
  sk inspect --raw "oci:$work/layout:latest" | jq -e .config.digest >/dev/null
  sk inspect "oci:$work/layout:latest" >/dev/null
  skopeo_ids "oci:$work/layout:latest" | diff - "$work/ids.ours"
  umoci stat --image "$work/layout:latest" >/dev/null
  umoci raw unpack --image "$work/layout:latest" "$work/umoci"
  [ -n "$(ls -A "$work/umoci")" ]
  rm -rf "$work/umoci" "$work/layout"
}

@test "$image: saving twice gives the same bytes" {
  [ "$("$NACRE" save "$id" | sha256)" = "$("$NACRE" save "$id" | sha256)" ]
  [ "$("$NACRE" save --format oci-archive "$id" | sha256)" = "$("$NACRE" save --format oci-archive "$id" | sha256)" ]
}

@test "$image: what skopeo saves is loaded with the same ID, compressed layouts keep their manifest digest" {
  local kind
  for kind in gz zst; do
    export NACRE_ROOT=$work/other; rm -rf "$work/other" "$work/layout"
    [ "$("$NACRE" load -q -i "$NACRE_IMAGES/$image.$kind" | sed 's/^sha256://')" = "$id" ]
    our_ids "$id" | diff - "$work/ids.ours"
    "$NACRE" save --format oci-dir -o "$work/layout" "$id"
    [ "$(jq -r '.manifests[0].digest' "$work/layout/index.json")" = "$(jq -r '.manifests[0].digest' "$NACRE_IMAGES/$image.$kind/index.json")" ]
    rm -rf "$work/layout" "$work/other"
  done
}

@test "$image: what podman saves is loaded with the same ID" {
  local format
  for format in docker-archive oci-archive; do
    pm save -q --format "$format" -o "$work/podman.tar" "$id"
    export NACRE_ROOT=$work/other; rm -rf "$work/other" "$work/layout"
    [ "$("$NACRE" load -q -i "$work/podman.tar" | sed 's/^sha256://')" = "$id" ]
    our_ids "$id" | diff - "$work/ids.ours"
    rm -rf "$work/other" "$work/podman.tar"
  done
}

@test "$image: the mounted tree is what GNU tar unpacks and what podman mounts" {
  local where podman_where
  where=$("$NACRE" mount "$id")
  python3 "$here/tree.py" list "$where" >"$work/tree.ours"

  mapfile -t layers < <(layers_of "$image")
  python3 "$here/tree.py" stack "$work/tar" "${layers[@]}"
  python3 "$here/tree.py" list "$work/tar" >"$work/tree.tar"
  python3 "$here/tree.py" same "$work/tree.ours" "$work/tree.tar"

  podman_where=$(pm image mount "$id")
  python3 "$here/tree.py" list "$podman_where" >"$work/tree.podman"
  python3 "$here/tree.py" same "$work/tree.ours" "$work/tree.podman" "$(cat "$work/began")"
  pm image umount "$id" >/dev/null
  pm rmi -f "$id" >/dev/null
  "$NACRE" umount "$id"
  rm -rf "$work/tar"
}

@test "$image: the export unpacks to the mounted tree" {
  local where
  where=$("$NACRE" mount "$id")
  python3 "$here/tree.py" list "$where" >"$work/tree.ours"
  mkdir "$work/export"
  "$NACRE" export "$id" | tar -xpf - -C "$work/export" --numeric-owner --xattrs --xattrs-include='*' --delay-directory-restore
  python3 "$here/tree.py" list "$work/export" >"$work/tree.export"
  python3 "$here/tree.py" same "$work/tree.ours" "$work/tree.export"
  "$NACRE" umount "$id"
  rm -rf "$work/export"
}

@test "$image: removing it leaves an empty store" {
  "$NACRE" rmi -f "$id"
  [ -z "$("$NACRE" images -q)" ]
  [ -z "$("$NACRE" graph ls -q)" ]
  [ -z "$(ls "$NACRE_ROOT/graph" | grep -v '^_tmp$')" ]
}
