/* A directory of its own for each test, gone afterwards. */
#ifndef NC_TESTS_SCRATCH_H
#define NC_TESTS_SCRATCH_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

struct scratch {
	char path[64];
	int fd;
};

static inline int scratch_make(void **state)
{
	struct scratch *scratch = calloc(1, sizeof *scratch);
	strcpy(scratch->path, "/tmp/nacre-unit.XXXXXX");
	if (!mkdtemp(scratch->path))
		return -1;
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = scratch;
	return scratch->fd < 0 ? -1 : 0;
}

/* By another program than what is under test. */
static inline int scratch_drop(void **state)
{
	struct scratch *scratch = *state;
	char command[200];
	close(scratch->fd);
	snprintf(command, sizeof command, "chmod -R u+rwx %s 2>/dev/null; rm -rf %s", scratch->path, scratch->path);
	free(scratch);
	return system(command);
}

static inline void put_file(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void put_dir(int dirfd, const char *name)
{
	assert_int_equal(mkdirat(dirfd, name, 0755), 0);
}

static inline void put_link(int dirfd, const char *name, const char *target)
{
	assert_int_equal(symlinkat(target, dirfd, name), 0);
}

static inline bool is_there(int dirfd, const char *name)
{
	struct stat st;
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline int count_one(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	++*(int *)ctx;
	return 0;
}

static inline int count_entries(int fd)
{
	struct nacre_error err;
	int count = 0;
	assert_done(nc_dir_each(fd, count_one, &count, &err));
	return count;
}

#endif
