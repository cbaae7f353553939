#!/usr/bin/env bats
# What is the same for every image, with the small one: buildah, and crun without a bundle of ours.
load helpers
image=small

setup_file() { load_image "$image"; }
teardown_file() { drop_work; }

@test "buildah pulls what we save, with the same IDs" {
  "$NACRE" save --format oci-dir -o "$work/layout" "bench/$image:latest"
  "$NACRE" save -o "$work/saved.tar" "bench/$image:latest"
  local place
  cd "$work"  # buildah makes a name out of the path, which must be lowercase
  for place in oci:layout:latest docker-archive:saved.tar; do
    buildah_ids "$place" | diff - "$work/ids.ours"
    bu rmi -f "$id" >/dev/null
  done
  rm -rf "$work/layout" "$work/saved.tar" "$work/buildah"
}

@test "crun runs a program of the mounted tree" {
  local root
  root=$("$NACRE" mount "$id")
  mkdir "$work/bundle"
  crun spec -b "$work/bundle" 2>/dev/null || (cd "$work/bundle" && crun spec)
  jq --arg root "$root" '.root = {path: $root, readonly: true} | .process.terminal = false |
    .process.args = ["/bin/cat", "/etc/os-release"] |
    .mounts |= map(select(.destination == "/proc" or .destination == "/dev")) | del(.linux.resources, .linux.maskedPaths, .linux.readonlyPaths)' \
    "$work/bundle/config.json" >"$work/config.json"
  mv "$work/config.json" "$work/bundle/config.json"
  "$BATS_TEST_DIRNAME/../run-crun" --root "$work/crun" run -b "$work/bundle" "nacre-interop-$$" </dev/null | cmp - "$root/etc/os-release"
  "$NACRE" umount "$id"
  rm -rf "$work/bundle" "$work/crun"
}
