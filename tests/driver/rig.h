/* A language for layers and trees, one member or file a line:
 *
 *	TYPE NAME [MODE UID:GID TIME] REST {ATTRIBUTE=VALUE,…}
 *
 * d directory, f file (REST: content), l symbolic link and h hard link (REST: target), c b device (REST:
 * MAJOR:MINOR), p fifo, s sparse file (REST: SIZE OFFSET:TEXT …). The bracket may be left out: 644 (755 for
 * directories, 777 for links) 0:0 1000. TIME is seconds, or seconds.nanoseconds. A name "." is the root; "%NN"
 * stands for a byte.
 *
 * Layers are written in it, and trees are dumped in it: in byte order of paths, further names of a file as "h",
 * the root only when it is not 755 0:0 0. So a claim reads: these layers give this tree. */
#ifndef NC_TESTS_DRIVER_RIG_H
#define NC_TESTS_DRIVER_RIG_H

#include "../unit/unit.h"

#include "base/buf.h"
#include "driver/drivers.h"

struct rig {
	struct nc_driver *driver;
	int root;
	char path[4096];
	int stage;
	struct nc_tree *tree;
	struct nc_buf reports;		/* of displaced members: "NAME=CONTENT;" */
	unsigned number;		/* of the layer begun last */
	uint64_t size;			/* of the layer sealed last */
	bool no_mount, keeps_tars;
};

/* Fails the test when the driver cannot be opened. */
void rig_open(struct rig *rig, const char *driver, const char *dir);
void rig_close(struct rig *rig);

/* 64 hex digits for a small number; lent, four at a time. */
const char *rig_id(unsigned number);

/* Begin a layer on parent (0: none). */
void rig_begin(struct rig *rig, unsigned number, unsigned parent);
/* Apply members. Returns what the driver said to the last one, or to the first that failed. */
int rig_put(struct rig *rig, const char *members, struct nacre_error *err);
void rig_seal(struct rig *rig);
void rig_abort(struct rig *rig);
/* All of it, and it must work. */
void rig_layer(struct rig *rig, unsigned number, unsigned parent, const char *members);
/* The layer must be refused with this code, and leave nothing. */
void rig_refuse(struct rig *rig, unsigned number, unsigned parent, const char *members, int code);

/* The tree as the view shows it, and as it is mounted; given (free()). The second is NULL when it cannot be
 * mounted. */
char *rig_dump(struct nc_view *view);
char *rig_view_dump(struct rig *rig, unsigned number);
char *rig_mount_dump(struct rig *rig, unsigned number);
/* Both must be this. */
void rig_expect(struct rig *rig, unsigned number, const char *tree);
/* Mount at rig->path/mnt and unmount. */
int rig_mount(struct rig *rig, unsigned number, struct nacre_error *err);
void rig_unmount(struct rig *rig);
/* The dump of a directory. */
char *rig_dir_dump(const char *path);

#endif
