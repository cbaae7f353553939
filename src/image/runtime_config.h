/* config.json of an OCI runtime bundle (runtime-spec 1.0.2), made of what an image says. */
#ifndef NC_IMAGE_RUNTIME_CONFIG_H
#define NC_IMAGE_RUNTIME_CONFIG_H

#include "image/users.h"

#include <stdbool.h>

struct nc_runtime_volume {
	const char *path;
	uint32_t mode, uid, gid;	/* of the directory in the image */
};

struct nc_runtime_facts {
	const char *const *args;	/* at least one; ends with NULL, as all the lists */
	const char *const *env;		/* of the image; PATH and HOME are added where they lack */
	const char *cwd;		/* "" is / */
	const struct nc_user *user;
	const char *hostname;
	const char *root;		/* "rootfs" */
	bool readonly;
	const struct nc_runtime_volume *volumes;	/* directories that get an empty tmpfs */
	size_t volume_count;
	const char *const *annotations;	/* pairs; the first of equal keys wins */
};

/* Sorted, indented, with a line feed at its end; equal facts give equal bytes. ret is given. */
int nc_runtime_config(const struct nc_runtime_facts *facts, char **ret, size_t *ret_len, struct nacre_error *err);

#endif
