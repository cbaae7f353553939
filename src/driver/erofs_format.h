/* EROFS on disk, as far as we write and read it: numbers are little-endian and lie at these offsets.
 *
 *	1024	superblock; device table; then, from a block that the superblock names, inodes and directories
 *
 * Blocks have 512 bytes, as those of an archive do. An inode lies at 32 times its number (nid) in that area:
 * 64 bytes, extended attributes, then a chunk index (a file whose content lies elsewhere, in one run) or the bytes of
 * a short directory or link. A directory is a row of blocks, in each an array of entries and their names, all sorted. */
#ifndef NC_DRIVER_EROFS_FORMAT_H
#define NC_DRIVER_EROFS_FORMAT_H

#include <stdint.h>
#include <string.h>

#define NC_EROFS_BLOCK_BITS 9
#define NC_EROFS_BLOCK 512u
#define NC_EROFS_SLOT 32u		/* of inodes: the unit of their numbers */

#define NC_EROFS_SUPER_AT 1024u
#define NC_EROFS_SUPER_SIZE 128u
#define NC_EROFS_MAGIC 0xe0f5e1e2u
enum nc_erofs_super {
	NC_EROFS_S_MAGIC = 0, NC_EROFS_S_COMPAT = 8, NC_EROFS_S_BLOCK_BITS = 12, NC_EROFS_S_ROOT = 14,
	NC_EROFS_S_INODES = 16, NC_EROFS_S_BLOCKS = 36, NC_EROFS_S_META = 40, NC_EROFS_S_UUID = 48, NC_EROFS_S_NAME = 64,
	NC_EROFS_S_INCOMPAT = 80, NC_EROFS_S_DEVICES = 86, NC_EROFS_S_DEVICE_TABLE = 88,
};
/* The name of the volume is ours: the crc64 of inodes and directories, and of the head without it, in hex. */
#define NC_EROFS_NAME_SIZE 16u
#define NC_EROFS_COMPAT_MTIME 2u
#define NC_EROFS_INCOMPAT_CHUNKED 4u
#define NC_EROFS_INCOMPAT_DEVICES 8u

/* A slot of the device table, numbered from 1. The tag tells us what the device is: the 32 bytes of a layer's ID, and
 * a letter; zeros for the layer whose index it is. */
#define NC_EROFS_DEVICE_SIZE 128u
#define NC_EROFS_DEVICE_TABLE_AT (NC_EROFS_SUPER_AT + NC_EROFS_SUPER_SIZE)
#define NC_EROFS_DEVICE_BLOCKS 64u
#define NC_EROFS_TAG_ID 32u
#define NC_EROFS_TAG_TAR 't'
#define NC_EROFS_TAG_INDEX 'i'

enum nc_erofs_inode_fields {
	NC_EROFS_I_FORMAT = 0, NC_EROFS_I_XATTRS = 2, NC_EROFS_I_MODE = 4, NC_EROFS_I_SIZE = 8, NC_EROFS_I_UNION = 16,
	NC_EROFS_I_NUMBER = 20, NC_EROFS_I_UID = 24, NC_EROFS_I_GID = 28, NC_EROFS_I_SEC = 32, NC_EROFS_I_NSEC = 40,
	NC_EROFS_I_LINKS = 44,
};
#define NC_EROFS_INODE_SIZE 64u
/* The format: extended, and how the content is laid out. */
#define NC_EROFS_EXTENDED 1u
#define NC_EROFS_PLAIN (0u << 1)
#define NC_EROFS_INLINE (2u << 1)
#define NC_EROFS_CHUNKS (4u << 1)
#define NC_EROFS_CHUNK_INDEXES 0x20u
#define NC_EROFS_CHUNK_BITS_MAX 31u
#define NC_EROFS_CHUNK_SIZE 8u		/* zeros, device (16 bits), block (32 bits) */

#define NC_EROFS_XATTR_HEADER 12u
#define NC_EROFS_XATTR_ENTRY 4u		/* length of the name, prefix, length of the value (16 bits) */
/* 1 header, and what its count of 16 bits can say. */
#define NC_EROFS_XATTRS_MAX (NC_EROFS_XATTR_HEADER + 4u * 65534u)

#define NC_EROFS_DIRENT 12u		/* nid (64 bits), offset of the name (16 bits), type, zero */

static inline void nc_put16(unsigned char *at, uint16_t value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
}
static inline void nc_put32(unsigned char *at, uint32_t value)
{
	nc_put16(at, (uint16_t)value);
	nc_put16(at + 2, (uint16_t)(value >> 16));
}
static inline void nc_put64(unsigned char *at, uint64_t value)
{
	nc_put32(at, (uint32_t)value);
	nc_put32(at + 4, (uint32_t)(value >> 32));
}
static inline uint16_t nc_get16(const unsigned char *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}
static inline uint32_t nc_get32(const unsigned char *at)
{
	return nc_get16(at) | (uint32_t)nc_get16(at + 2) << 16;
}
static inline uint64_t nc_get64(const unsigned char *at)
{
	return nc_get32(at) | (uint64_t)nc_get32(at + 4) << 32;
}

#endif
