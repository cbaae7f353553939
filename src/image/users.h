/* Whom a process of an image runs as: the config's "User" looked up in the image's own passwd and group. */
#ifndef NC_IMAGE_USERS_H
#define NC_IMAGE_USERS_H

#include "base/error.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

#define NC_GROUPS_MAX 256

struct nc_user {
	uint32_t uid, gid;
	uint32_t groups[NC_GROUPS_MAX];	/* additional ones, in the order of the file, none twice */
	size_t group_count;
	char home[1024];		/* "" when passwd does not say */
};

/* user: "", USER or USER:GROUP, each a name or a number. passwd and group are the files' bytes (NULL: there is none);
 * lines that make no sense are passed over. As runc has it: a number that passwd has takes group and home from there,
 * another one group 0; a name must be there. Additional groups are those that list the user's name, unless GROUP is
 * given. NACRE_E_NOTFOUND, NACRE_E_INVALID. */
int nc_user_find(const char *user, const char *passwd, const char *group, struct nc_user *ret,
		 struct nacre_error *err);

#endif
