#include "io/loop.h"

#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* How often another process may be faster. */
#define TRIES 100

/* 1, or 0: somebody else has it by now. */
static int take(long number, int file, struct nc_loop *ret, struct nacre_error *err)
{
	const struct loop_config config = {
		.fd = (__u32)file, .info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR },
	};
	snprintf(ret->path, sizeof ret->path, "/dev/loop%ld", number);
	NC_AUTO_FD int fd = open(ret->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "open '%s'", ret->path);
	if (ioctl(fd, LOOP_CONFIGURE, &config) < 0)
		return errno == EBUSY ? 0 : nc_fail(err, NACRE_E_UNSUPPORTED, errno, "use '%s'", ret->path);
	ret->fd = nc_fd_give(&fd);
	return 1;
}

int nc_loop_attach(int file, struct nc_loop *ret, struct nacre_error *err)
{
	NC_AUTO_FD int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "open '/dev/loop-control'");
	for (int i = 0; i < TRIES; i++) {
		long number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return nc_fail(err, NACRE_E_UNSUPPORTED, errno, "find a free loop device");
		int taken = take(number, file, ret, err);
		if (taken != 0)
			return taken < 0 ? taken : 0;
	}
	return nc_fail(err, NACRE_E_BUSY, 0, "others take every free loop device");
}
