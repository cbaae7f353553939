/* Any text as registries.conf: what is accepted can be asked about any name. */
#include "image/registries.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "docker.io/library/alpine", "a.b.example.com:5000/x", "localhost/x" };
	struct nc_registries registries;
	struct nacre_error err;
	if (nc_registries_init(&registries, &err) < 0)
		return 0;
	int code = nc_registries_add(&registries, (const char *)data, size, "f", &err);
	/* the same once more replaces, and changes nothing */
	size_t count = registries.count;
	if (code == 0 && (nc_registries_add(&registries, (const char *)data, size, "f", &err) < 0 ||
			  registries.count != count))
		abort();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t prefix = 0;
		const struct nc_registry *found = nc_registries_find(&registries, names[i], &prefix);
		if (found && (prefix == 0 || prefix > strlen(names[i])))
			abort();
	}
	nc_registries_release(&registries);
	return 0;
}
