/* Whether what is to come can fit on the disk. Only what is certain counts: a load that is let in may still find the disk
 * full, one that is refused could not have ended well. */
#include "store/ingest.h"

#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BTRFS_MAGIC 0x9123683eL
#define ZFS_MAGIC 0x2fc12fc1L
#define F2FS_MAGIC 0xf2f52010L
#define BCACHEFS_MAGIC 0xca451a4eL

/* There a file may take less than its bytes. */
static bool may_compress(int fd)
{
	struct statfs fs;
	if (fstatfs(fd, &fs) < 0)
		return true;
	switch ((unsigned long)fs.f_type) {
	case BTRFS_MAGIC:
	case ZFS_MAGIC:
	case F2FS_MAGIC:
	case BCACHEFS_MAGIC:
		return true;
	}
	return false;
}

/* Archives that the driver keeps take what they are long. Trees do not: members without content take a block in the archive and
 * next to nothing on disk. But what was compressed comes out no smaller than it went in, a frame here and there aside. */
static uint64_t certain(const struct nacre_store *store, const struct nc_room *room)
{
	uint64_t plain = store->driver->ops->tar ? room->plain : 0;
	return plain + room->compressed - room->compressed / 64 + room->kept;
}

void nc_store_room(struct nacre_store *store, const struct nc_room *room, uint64_t *ret_needed, uint64_t *ret_free)
{
	struct statvfs disk;
	*ret_needed = certain(store, room);
	*ret_free = UINT64_MAX;
	if (fstatvfs(store->root, &disk) < 0)
		return;
	uint64_t blocks = geteuid() == 0 ? disk.f_bfree : disk.f_bavail, size = disk.f_frsize;
	if (size && blocks <= UINT64_MAX / size)
		*ret_free = blocks * size;
}

int nc_ingest_room(struct nc_ingest *ingest, const struct nc_room *room, struct nacre_error *err)
{
	struct nacre_store *store = ingest->store;
	uint64_t needed, free;
	nc_store_room(store, room, &needed, &free);
	if (!needed || may_compress(store->root) || needed <= free)
		return 0;
	return nc_fail(err, NACRE_E_NOSPACE, 0, "no room in the store: at least %.1f MB are needed, and its disk has %.1f MB free",
		       (double)needed / 1e6, (double)free / 1e6);
}
