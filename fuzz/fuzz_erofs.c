/* Indexes of the erofs driver: whatever lies there is read or refused, and names that a directory lists in order are found in it.
 *
 * The checksum is made to fit, else nothing would come any further than that. */
#include "driver/erofs_format.h"
#include "driver/erofs_read.h"
#include "io/fd.h"
#include "tar/split.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define INODES_MAX 512

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void seal(unsigned char *image, size_t len)
{
	char sum[NC_EROFS_NAME_SIZE + 1];
	unsigned char *super = image + NC_EROFS_SUPER_AT;
	size_t head = nc_erofs_head_size(nc_get16(super + NC_EROFS_S_DEVICES));
	uint64_t meta = (uint64_t)nc_get32(super + NC_EROFS_S_META) << NC_EROFS_BLOCK_BITS;
	if (head > len || meta >= len)
		return;
	nc_erofs_sum(nc_crc64(0, image + meta, len - (size_t)meta), image, head, sum);
	memcpy(super + NC_EROFS_S_NAME, sum, NC_EROFS_NAME_SIZE);
}

/* Names that come in order must be found, and as the file that the directory says. */
static void walk(const struct nc_einode *dir, uint32_t *nids, size_t *count)
{
	struct nc_ecursor cursor = { .dir = dir };
	struct nc_edirent entry, before = { .len = 0 };
	bool sorted = true;
	int code;
	while ((code = nc_ecursor_next(&cursor, &entry, NULL)) > 0) {
		if (before.len && nc_ename_compare(before.name, before.len, entry.name, entry.len) >= 0)
			sorted = false;
		before = entry;
		if (*count < INODES_MAX)
			nids[(*count)++] = entry.nid;
	}
	if (code < 0 || !sorted)
		return;
	for (cursor = (struct nc_ecursor){ .dir = dir }; nc_ecursor_next(&cursor, &entry, NULL) > 0;) {
		uint32_t nid;
		code = nc_einode_find(dir, entry.name, entry.len, &nid, NULL);
		/* "." and ".." stand among the names and need not be in their place */
		must(code <= 0 || nid == entry.nid);
	}
}

/* All that it points to lies in the image. */
static void must_be_inside(const struct nc_erofs *image, const unsigned char *bytes, size_t len)
{
	must(len == 0 || (bytes >= image->meta && len <= image->meta_len &&
			  (size_t)(bytes - image->meta) <= image->meta_len - len));
}

static void read_inode(const struct nc_erofs *image, uint32_t nid, uint32_t *nids, size_t *count)
{
	struct nc_einode inode;
	NC_CLEANUP(nc_xattr_list_release) struct nc_xattr_list xattrs = { .items = NULL };
	if (nc_erofs_inode(image, nid, &inode, NULL) < 0)
		return;
	nc_einode_xattrs(&inode, &xattrs, NULL);
	if (inode.node.type == NC_ENTRY_DIR)
		walk(&inode, nids, count);
	must_be_inside(image, inode.own, inode.own_len);
	must_be_inside(image, inode.xattrs, inode.xattrs_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static int fd = -1;
	static uint32_t nids[INODES_MAX];
	struct nc_erofs image;
	uint64_t content;
	size_t count = 1;
	if (len < NC_EROFS_SUPER_AT + NC_EROFS_SUPER_SIZE)
		return 0;
	if (fd < 0)
		fd = memfd_create("index", MFD_CLOEXEC);
	NC_AUTO_FREE unsigned char *copy = nc_alloc(len);
	must(fd >= 0 && copy != NULL);
	memcpy(copy, bytes, len);
	seal(copy, len);
	must(ftruncate(fd, (off_t)len) == 0 && pwrite(fd, copy, len, 0) == (ssize_t)len);
	if (nc_erofs_open(fd, "index", &image, NULL) < 0)
		return 0;
	nc_erofs_content(&image, &content, NULL);
	nids[0] = image.root;
	for (size_t i = 0; i < count; i++)
		read_inode(&image, nids[i], nids, &count);
	nc_erofs_close(&image);
	return 0;
}
