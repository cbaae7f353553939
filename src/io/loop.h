/* Loop devices: files as block devices, read-only, for a kernel that mounts nothing else. Linux 5.8. */
#ifndef NC_IO_LOOP_H
#define NC_IO_LOOP_H

#include "base/error.h"

struct nc_loop {
	int fd;
	char path[32];			/* "/dev/loop7" */
};

/* file is borrowed; its whole blocks of 512 bytes are what the device has. The device is there as long as somebody has it open or
 * mounted: ret->fd is to be closed when it is mounted, or not wanted. NACRE_E_UNSUPPORTED where none can be had. */
int nc_loop_attach(int file, struct nc_loop *ret, struct nacre_error *err);

#endif
