#include "io/lock.h"

#include "base/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

/* Between two looks at a lock that another holds, at most. */
#define PAUSE_MAX_NS 20000000

static int set_lock(int fd, int command, short type, uint64_t start, uint64_t length)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)start,
			       .l_len = (off_t)length };
	int result;
	do
		result = fcntl(fd, command, &range);
	while (result < 0 && errno == EINTR);
	return result;
}

int nc_lock_take(int fd, enum nc_lock_kind kind, uint64_t start, uint64_t length, bool wait,
		 struct nacre_error *err)
{
	if (start > INT64_MAX || length > INT64_MAX - start)
		return nc_fail(err, NACRE_E_INVALID, 0,
			       "a lock of %llu bytes from byte %llu on is beyond the largest file",
			       (unsigned long long)length, (unsigned long long)start);
	short type = kind == NC_LOCK_SHARED ? F_RDLCK : F_WRLCK;
	if (set_lock(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, type, start, length) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return nc_fail(err, NACRE_E_BUSY, 0, "locked by another");
	return nc_fail(err, NACRE_E_IO, errno, "take a lock");
}

int nc_lock_wait(int fd, enum nc_lock_kind kind, uint64_t start, uint64_t length, const volatile int *cancel,
		 struct nacre_error *err)
{
	if (!cancel)
		return nc_lock_take(fd, kind, start, length, true, err);
	for (long pause = PAUSE_MAX_NS / 64;; pause = pause < PAUSE_MAX_NS / 2 ? pause * 2 : PAUSE_MAX_NS) {
		int code = nc_cancel_check(cancel, err);
		if (code == 0)
			code = nc_lock_take(fd, kind, start, length, false, err);
		if (code != NACRE_E_BUSY)
			return code;
		nanosleep(&(struct timespec){ .tv_nsec = pause }, NULL);
	}
}

bool nc_lock_held(int fd, enum nc_lock_kind kind, uint64_t start, uint64_t length)
{
	struct flock range = { .l_type = kind == NC_LOCK_SHARED ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET,
			       .l_start = (off_t)start, .l_len = (off_t)length };
	return fcntl(fd, F_OFD_GETLK, &range) < 0 || range.l_type != F_UNLCK;
}

void nc_lock_release(int fd, uint64_t start, uint64_t length)
{
	int saved = errno;
	set_lock(fd, F_OFD_SETLK, F_UNLCK, start, length);
	errno = saved;
}
