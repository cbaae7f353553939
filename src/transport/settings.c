/* Files of settings: registries.conf and its directory, wherever they lie. */
#include "transport/registry_inner.h"

#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool nc_settings_path(char ret[NC_SETTINGS_PATH], const char *base, const char *rest)
{
	if (!base || base[0] != '/')
		return false;
	int len = snprintf(ret, NC_SETTINGS_PATH, "%s/%s", base, rest);
	return len > 0 && len < NC_SETTINGS_PATH;
}

int nc_settings_read(int dir, const char *path, size_t max, char **ret, size_t *ret_len, struct nacre_error *err)
{
	int fd NC_AUTO_FD = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "no file '%s'", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", path);
	/* /dev/null is a way to say: none */
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s' is no file", path);
	char *text = nc_zalloc(max + 2);
	if (!text)
		return nc_nomem(err);
	ssize_t got = nc_read_full(fd, text, max + 1);
	int code = got < 0 ? nc_fail(err, NACRE_E_IO, errno, "read '%s'", path) :
		   (size_t)got > max ? nc_fail(err, NACRE_E_LIMIT, 0, "'%s' has more than %zu bytes", path, max) : 0;
	if (code < 0) {
		explicit_bzero(text, max + 1);
		free(text);
		return code;
	}
	*ret = text;
	*ret_len = (size_t)got;
	return 0;
}
