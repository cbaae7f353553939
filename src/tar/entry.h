/* What one tar member means, whatever dialect said it: v7, ustar, GNU, pax, star. */
#ifndef NC_TAR_ENTRY_H
#define NC_TAR_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values are the ustar type flags; every other flag is read as one of these or refused. */
enum nc_entry_type {
	NC_ENTRY_FILE = '0',	/* also NUL, '7', 'S' and unknown flags, as POSIX says */
	NC_ENTRY_LINK = '1',
	NC_ENTRY_SYMLINK = '2',
	NC_ENTRY_CHAR = '3',
	NC_ENTRY_BLOCK = '4',
	NC_ENTRY_DIR = '5',	/* also 'D', and v7 names that end in a slash */
	NC_ENTRY_FIFO = '6',
	NC_ENTRY_META = 'g',	/* no file: a global header, 'V', 'M' and the like; drivers never see it */
};

/* Greatest owner or group; the one above it means "none" to the system. */
#define NC_ENTRY_OWNER_MAX (UINT32_MAX - 1)

struct nc_time {
	int64_t sec;
	uint32_t nsec;		/* 0..999999999, counts forward also before 1970 */
};

struct nc_xattr {
	const char *name;	/* NUL-terminated */
	const void *value;
	size_t value_len;
};

/* A run of stored bytes of a sparse file. */
struct nc_extent {
	uint64_t offset;	/* in the file as it is seen */
	uint64_t length;
};

struct nc_entry {
	enum nc_entry_type type;
	const char *name;	/* as in the archive, bytes, NUL-terminated; not cleaned */
	size_t name_len;
	const char *link;	/* target of a link or symlink, else "" */
	size_t link_len;
	uint32_t mode;		/* permission bits, setuid, setgid, sticky: 07777 */
	uint32_t uid, gid;
	uint64_t size;		/* of the file as it is seen (sparse: with its holes); 0 but for files */
	uint64_t stored;	/* payload bytes in the archive that are the file's content */
	bool sparse;		/* size and stored may differ; data events carry offsets */
	struct nc_time mtime;
	uint32_t dev_major, dev_minor;
	const struct nc_xattr *xattrs;	/* sorted by name, no name twice (the last record wins) */
	size_t xattr_count;
};

#endif
