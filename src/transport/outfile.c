#include "transport/outfile.h"

#include "image/gojson.h"

#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int nc_outplace_open(const char *path, struct nc_outplace *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *copy = nc_strdup(path);
	if (!copy)
		return nc_nomem(err);
	size_t len = strlen(copy);
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	char *slash = strrchr(copy, '/');
	const char *name = slash ? slash + 1 : copy;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' names nothing that could be written", path);
	if (strlen(name) > NAME_MAX)
		return nc_fail(err, NACRE_E_INVALID, ENAMETOOLONG, "write '%s'", path);
	memcpy(ret->name, name, strlen(name) + 1);
	if (slash)
		slash[slash == copy] = '\0';
	ret->dir = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir >= 0)
		return 0;
	int code = errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO;
	return nc_fail(err, code, errno, "open the directory of '%s'", path);
}

void nc_outplace_release(struct nc_outplace *place)
{
	nc_fd_release(&place->dir);
}

void nc_temporary_name(char ret[48])
{
	unsigned char bytes[16];
	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		long long salt[2] = { now.tv_nsec, getpid() };
		memcpy(bytes, salt, sizeof bytes);
	}
	int len = snprintf(ret, 48, ".nacre-");
	for (size_t i = 0; i < sizeof bytes; i++)
		len += snprintf(ret + len, 48 - (size_t)len, "%02x", bytes[i]);
}

int nc_outfile_open(int dir, struct nc_outfile *ret, struct nacre_error *err)
{
	*ret = (struct nc_outfile){ .dir = dir, .fd = -1 };
	ret->fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	if (ret->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		nc_temporary_name(ret->temporary);
		ret->fd = openat(dir, ret->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	}
	return ret->fd < 0 ? nc_fail(err, NACRE_E_IO, errno, "make a file") : 0;
}

/* 0 or errno. */
static int give_name(struct nc_outfile *file, const char *name)
{
	char proc[64];
	if (linkat(file->fd, "", file->dir, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EEXIST)
		return EEXIST;
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", file->fd);
	return linkat(AT_FDCWD, proc, file->dir, name, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

static int publish_new(struct nc_outfile *file, const char *name)
{
	if (!*file->temporary)
		return give_name(file, name);
	if (linkat(file->dir, file->temporary, file->dir, name, 0) < 0)
		return errno;
	unlinkat(file->dir, file->temporary, 0);
	*file->temporary = '\0';
	return 0;
}

static int publish_over(struct nc_outfile *file, const char *name)
{
	if (!*file->temporary) {
		char temporary[48];
		nc_temporary_name(temporary);
		int sys = give_name(file, temporary);
		if (sys)
			return sys;
		memcpy(file->temporary, temporary, sizeof temporary);
	}
	if (renameat(file->dir, file->temporary, file->dir, name) < 0)
		return errno;
	*file->temporary = '\0';
	return 0;
}

int nc_outfile_publish(struct nc_outfile *file, const char *name, bool replace, bool sync, struct nacre_error *err)
{
	if (sync && fsync(file->fd) < 0)
		return nc_fail(err, NACRE_E_IO, errno, "sync '%s'", name);
	int sys = replace ? publish_over(file, name) : publish_new(file, name);
	if (sys == EEXIST && !replace)
		return 1;
	return sys ? nc_fail(err, NACRE_E_IO, sys, "write '%s'", name) : 0;
}

void nc_outfile_release(struct nc_outfile *file)
{
	if (*file->temporary)
		unlinkat(file->dir, file->temporary, 0);
	*file->temporary = '\0';
	nc_fd_release(&file->fd);
}

long long nc_output_time(void)
{
	return nc_source_date();
}
