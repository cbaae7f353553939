/* Any text as a file of credentials: what is accepted can be changed and written, and what is written is accepted. */
#include "image/auth_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(struct nc_auth_file *file)
{
	NC_CLEANUP(nc_auth_file_auto) struct nc_auth_file *again = NULL;
	NC_AUTO_FREE char *text = NULL;
	char user[] = "u", password[] = "p:q";
	struct nc_auth auth = { 0 };
	if (nc_auth_file_set(file, "docker.io", &(struct nc_auth){ .user = user, .password = password }, NULL) < 0 ||
	    nc_auth_file_text(file, &text, NULL) < 0)
		return;
	if (nc_auth_file_parse(text, strlen(text), "f", false, &again, NULL) < 0 ||
	    nc_auth_file_find(again, "docker.io", "", &auth, NULL) != 1 || strcmp(auth.user, user) != 0 ||
	    strcmp(auth.password, password) != 0)
		abort();
	nc_auth_release(&auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int old_form = 0; old_form < 2; old_form++) {
		NC_CLEANUP(nc_auth_file_auto) struct nc_auth_file *file = NULL;
		struct nc_auth auth = { 0 };
		const char *key = NULL;
		if (nc_auth_file_parse((const char *)data, size, "f", old_form, &file, NULL) < 0)
			continue;
		nc_auth_file_helper(file, "docker.io", &key);
		nc_auth_file_store(file);
		if (nc_auth_file_find(file, "docker.io", "library/alpine", &auth, NULL) == 1)
			nc_auth_release(&auth);
		if (!old_form)
			expect_same(file);
	}
	return 0;
}
