/* What the writer and the readers of records share. Private to this room. */
#ifndef NC_TAR_SPLIT_RECORD_H
#define NC_TAR_SPLIT_RECORD_H

#include "tar/split.h"

/* Type numbers of the format. */
enum { NC_SPLIT_TYPE_FILE = 1, NC_SPLIT_TYPE_SEGMENT = 2 };

/* Bytes of checksum in a FILE record, big-endian. */
#define NC_SPLIT_CRC_LEN 8

/* Writes a FILE record whose size and sum are known. */
int nc_split_file(struct nc_split *split, const char *name, size_t name_len, uint64_t size, uint64_t crc,
		  struct nacre_error *err);

#endif
