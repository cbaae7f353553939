#include "io/writeback.h"

#include "io/fd.h"

#include <dirent.h>
#include <fcntl.h>

void nc_writeback_file(int fd, bool wait)
{
	unsigned waits = wait ? SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER : 0;
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | waits);
}

/* Deeper there may be more, but each level holds descriptors. */
#define DEEPEST 16

struct round {
	int dir, depth;
	bool wait;
	size_t *room;
};

static int send_entry(void *ctx, const char *name, unsigned char type, struct nacre_error *err)
{
	struct round *round = ctx;
	if (*round->room == 0)
		return 1;
	--*round->room;
	if (type != DT_REG && type != DT_DIR)
		return 0;
	NC_AUTO_FD int fd = openat(round->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	struct round below = { .dir = fd, .depth = round->depth + 1, .wait = round->wait, .room = round->room };
	if (type == DT_DIR && below.depth < DEEPEST)
		nc_dir_each(fd, send_entry, &below, NULL);
	else if (type == DT_REG)
		nc_writeback_file(fd, round->wait);
	return 0;
}

void nc_writeback_tree(int dir, bool wait, size_t *room)
{
	struct round round = { .dir = dir, .wait = wait, .room = room };
	nc_dir_each(dir, send_entry, &round, NULL);
}
