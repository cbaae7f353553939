/* A tar archive whose members are read in any order.
 *
 * A plain regular file is indexed by its headers, seeking over what lies between; a pipe or a compressed file is
 * first laid aside plain in a spool file and indexed meanwhile. Names are looked up in the index alone: none ever
 * reaches a file system. When a name comes twice the later member stands, as when the archive is unpacked. */
#ifndef NC_TRANSPORT_ARCHIVE_H
#define NC_TRANSPORT_ARCHIVE_H

#include "io/reader.h"
#include "tar/entry.h"
#include "transport/spool.h"

/* Members of one archive, and bytes of all their names. */
#define NC_ARCHIVE_MEMBERS_MAX (1u << 18)
#define NC_ARCHIVE_NAMES_MAX ((size_t)32 << 20)

struct nc_member {
	char *name;		/* clean: "a/b" */
	char *link;		/* as in the archive; "" when it is none */
	enum nc_entry_type type;
	bool in_place;		/* a plain, dense file: its content lies at offset */
	bool again;		/* an earlier member had the same name */
	uint64_t offset, size;
};

struct nc_archive;

/* fd (taken, also on failure) is read from its position; label names the archive in messages and is copied. */
int nc_archive_open(int fd, const char *label, const struct nc_spool *spool, const struct nacre_progress *progress,
		    struct nc_archive **ret, struct nacre_error *err);
void nc_archive_free(struct nc_archive *archive);
NC_DEFINE_CLEANUP(nc_archive_auto, struct nc_archive *, nc_archive_free)

size_t nc_archive_count(const struct nc_archive *archive);
const struct nc_member *nc_archive_at(const struct nc_archive *archive, size_t i);

/* The file that name means, links followed inside the archive (at most 40). NACRE_E_NOTFOUND; NACRE_E_BADDATA for
 * what is no file, loops, and names that lead out of the archive. ret lives as long as the archive. */
int nc_archive_find(const struct nc_archive *archive, const char *name, const struct nc_member **ret,
		    struct nacre_error *err);
/* Whether there is a member of that very name. */
bool nc_archive_has(const struct nc_archive *archive, const char *name);
/* The content of what nc_archive_find found. */
int nc_archive_content(const struct nc_archive *archive, const struct nc_member *member, struct nc_reader **ret,
		       struct nacre_error *err);
/* The whole content of a document; given (free()), NUL-terminated. One that no digest vouches for must not come
 * twice: NACRE_E_BADDATA. */
int nc_archive_document(const struct nc_archive *archive, const char *name, size_t max, char **ret, size_t *ret_len,
			struct nacre_error *err);

#endif
