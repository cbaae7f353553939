/* Failing system calls: for programs that are linked with --wrap for those below (tests/unit/meson.build has the list) and define
 * fate. Syncs are only said to be done. */
#ifndef NC_TESTS_CALLS_H
#define NC_TESTS_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

enum call {
	CALL_OPEN,
	CALL_LOOK,
	CALL_MKDIR,
	CALL_RENAME,			/* its name is the new one */
	CALL_UNLINK,
	CALL_READLINK,
	CALL_WRITE,
	CALL_SYNC,
	CALL_LOCK,			/* not the unlocking: nobody hears of that */
	CALL_RANDOM,
};

/* The errno with which it fails, or 0. name: what it is about, "" where that is a descriptor. */
static int fate(enum call call, const char *name);

static inline bool fails(enum call call, const char *name)
{
	int error = fate(call, name);
	if (error)
		errno = error;
	return error;
}

#define NC_CALL(type, function, call, name, parameters, ...)                          \
	type __real_##function parameters;                                            \
	type __wrap_##function parameters;                                            \
	type __wrap_##function parameters                                             \
	{                                                                             \
		return fails(call, name) ? -1 : __real_##function(__VA_ARGS__);       \
	}
NC_CALL(int, openat64, CALL_OPEN, path, (int dir, const char *path, int flags, mode_t mode), dir, path, flags, mode)
NC_CALL(int, fstatat64, CALL_LOOK, path, (int dir, const char *path, struct stat *st, int flags), dir, path, st, flags)
NC_CALL(int, fstat64, CALL_LOOK, "", (int fd, struct stat *st), fd, st)
NC_CALL(int, mkdirat, CALL_MKDIR, path, (int dir, const char *path, mode_t mode), dir, path, mode)
NC_CALL(int, unlinkat, CALL_UNLINK, path, (int dir, const char *path, int flags), dir, path, flags)
NC_CALL(int, renameat, CALL_RENAME, new, (int from, const char *old, int to, const char *new), from, old, to, new)
NC_CALL(int, renameat2, CALL_RENAME, new, (int from, const char *old, int to, const char *new, unsigned flags), from, old, to, new, flags)
NC_CALL(ssize_t, readlinkat, CALL_READLINK, path, (int dir, const char *path, char *ret, size_t size), dir, path, ret, size)
NC_CALL(ssize_t, write, CALL_WRITE, "", (int fd, const void *bytes, size_t len), fd, bytes, len)
NC_CALL(ssize_t, getrandom, CALL_RANDOM, "", (void *ret, size_t size, unsigned flags), ret, size, flags)

#define NC_SYNC(function)                                                             \
	int __wrap_##function(int fd);                                                \
	int __wrap_##function(int fd)                                                 \
	{                                                                             \
		return fails(CALL_SYNC, "") ? -1 : 0;                                 \
	}
NC_SYNC(fsync)
NC_SYNC(fdatasync)
NC_SYNC(syncfs)

int __real_fcntl64(int fd, int command, void *argument);
int __wrap_fcntl64(int fd, int command, void *argument);
int __wrap_fcntl64(int fd, int command, void *argument)
{
	bool locks = (command == F_OFD_SETLK || command == F_OFD_SETLKW) && ((struct flock *)argument)->l_type != F_UNLCK;
	return locks && fails(CALL_LOCK, "") ? -1 : __real_fcntl64(fd, command, argument);
}

long __real_syscall(long number, long a, long b, long c, long d, long e);
long __wrap_syscall(long number, long a, long b, long c, long d, long e);
long __wrap_syscall(long number, long a, long b, long c, long d, long e)
{
	return number == SYS_openat2 && fails(CALL_OPEN, (const char *)b) ? -1 : __real_syscall(number, a, b, c, d, e);
}

#endif
