/* registries.conf, version 2, and what lies in registries.conf.d: where images are looked for. Files are added in order;
 * what a later one says of a prefix, an alias or a list replaces what was said. Keys that we do not know are passed over,
 * as containers' tools do: files are written for later versions of those, too. */
#ifndef NC_IMAGE_REGISTRIES_H
#define NC_IMAGE_REGISTRIES_H

#include "image/reference.h"

#include "base/map.h"

/* Of all files. */
#define NC_REGISTRIES_MAX 4096
#define NC_REGISTRY_MIRRORS_MAX 64
#define NC_REGISTRIES_SEARCH_MAX 64

struct nc_registry_mirror {
	char *location;			/* host[:port][/path] */
	bool insecure;
	enum nc_mirror_use { NC_MIRROR_ALL, NC_MIRROR_DIGEST_ONLY, NC_MIRROR_TAG_ONLY } use;
};

struct nc_registry {
	char *prefix;			/* host[:port][/path] or *.host */
	char *location;			/* what stands for the prefix; "": the name stays as it is */
	bool insecure, blocked;
	struct nc_registry_mirror *mirrors;
	size_t mirror_count;
	char *file;			/* that says so, and its line */
	unsigned line;
};

struct nc_registries {
	struct nc_registry *list;
	size_t count;
	char **search;			/* unqualified-search-registries; ends with NULL; NULL: never set */
	char **helpers;			/* credential-helpers; the same */
	struct nc_map *aliases;		/* short name -> full repository, given */
};

int nc_registries_init(struct nc_registries *registries, struct nacre_error *err);
void nc_registries_release(struct nc_registries *registries);
/* NACRE_E_BADDATA with file and line; registries is then good for nothing but its release. */
int nc_registries_add(struct nc_registries *registries, const char *bytes, size_t len, const char *file,
		      struct nacre_error *err);

/* The entry with the longest prefix of repository ("docker.io/library/alpine"); NULL: none. ret_prefix: how many bytes of
 * repository stand for the prefix. */
const struct nc_registry *nc_registries_find(const struct nc_registries *registries, const char *repository,
					     size_t *ret_prefix);
/* "quay.io/podman/stable" for "podman"; NULL. */
const char *nc_registries_alias(const struct nc_registries *registries, const char *name);

#endif
