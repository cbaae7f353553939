/* What the files of unpack.h share: unpack.c (members), implied.c (directories on the way to them, and what is
 * copied up from the parents), replace.c (what gives way to them), hide.c (the parents, and what is hidden of them). */
#ifndef NC_DRIVER_UNPACK_PRIVATE_H
#define NC_DRIVER_UNPACK_PRIVATE_H

#include "base/buf.h"
#include "base/map.h"
#include "driver/attr.h"
#include "driver/unpack.h"

#include <sys/types.h>
#include <time.h>

#define NAME_LIMIT 65535
#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* The directory in which members are being made. Archives are sorted, so it stays open from member to member.
 * Only its children are ever replaced while it is open, so it cannot lose its name meanwhile. */
struct nc_unpack_dir {
	int fd;				/* -1: none */
	struct nc_buf name;		/* as members name it, cleaned */
	struct nc_buf path;		/* where it lies in the tree: the same, unless a link was followed */
	bool linked;			/* one was */
	bool private_group;		/* what is made in it may get another group than the process has */
	bool has_acl;
	int merged;			/* whether the parents' directory shows through it; -1: not yet asked */
	struct timespec times[2];	/* its own, put back when it is left */
};

/* The file whose content is coming. */
struct nc_unpack_file {
	int fd;				/* -1: none */
	bool sparse;
	unsigned right;			/* enum nc_attrs_right */
	uint64_t at, size, expected;	/* bytes written so far, of the file, and to come */
	struct nc_attrs attrs;
	struct nc_xattr_list xattrs;
	char *path;
};

struct nc_unpack {
	int stage, root;
	int (*below)(void *ctx, struct nc_stack **ret, struct nacre_error *err);	/* NULL: there are no parents */
	void *below_ctx;
	struct nc_stack *parents;	/* NULL: not yet looked at */
	struct nc_buf marks;		/* that wait for that: "PATH\0NAME\0", NAME "" for all that the parents have there */
	const char *opaque;
	struct nc_displaced displaced;
	uid_t uid;
	gid_t gid;
	struct nc_unpack_dir dir;
	struct nc_unpack_file file;
	bool sink;			/* content of the last member is dropped */
	char *clean;			/* of the current member; room for any name */
	size_t clean_cap;
	struct nc_map *names;		/* what must be known of objects when they are displaced: enum name_kind */
	struct nc_map *seen;		/* members that leave no object of their name */
	size_t names_bytes, seen_bytes;
	int plnk;			/* where members of .wh..wh.plnk are kept for links to them; -1: none came */
	bool root_seen, root_opaque, acls;
	uint64_t whiteouts, opaques;	/* made so far */
	uint64_t size;
};

enum nc_name_kind {
	NC_NAME_NONE,
	NC_NAME_ANON,		/* no member has this name: not reported */
	NC_NAME_EMPTY,		/* reported without content */
};

/* --- implied.c -------------------------------------------------------------------------------------------------- */

/* Make the directory that members call name the current one, with missing ones on the way to it. when: the time of
 * directories that the parents do not have either. */
int nc_unpack_enter(struct nc_unpack *unpack, const char *name, size_t len, const struct nc_time *when,
		    struct nacre_error *err);
/* Leave the current directory with the times it should have. */
int nc_unpack_leave(struct nc_unpack *unpack, struct nacre_error *err);
/* Find the target of a hard link: the descriptor of its directory (given) and its physical path. A file that only the
 * parents have is copied up first. */
int nc_unpack_target(struct nc_unpack *unpack, const char *target, int *ret_dir, struct nc_buf *ret_path,
		     struct nacre_error *err);

/* --- hide.c ----------------------------------------------------------------------------------------------------- */

/* The trees below (lent; NULL: there are none). The first time this waits for the nearest, and sets the marks that waited. */
int nc_unpack_below(struct nc_unpack *unpack, struct nc_stack **ret, struct nacre_error *err);
/* What they show at path, 1 and *ret, or 0; the second only when this layer does not hide it. */
int nc_unpack_find_below(struct nc_unpack *unpack, const char *path, struct nc_stack_found *ret, struct nacre_error *err);
int nc_unpack_find_shown(struct nc_unpack *unpack, const char *path, struct nc_stack_found *ret, struct nacre_error *err);
/* Whether this layer hides what the parents have at path: by an opaque directory on the way, by something that is no
 * directory, or by a whiteout. */
int nc_unpack_is_hidden(struct nc_unpack *unpack, const char *path, bool *ret, struct nacre_error *err);
/* Hide what the parents have of this name in the current directory; "": all that they have there. */
int nc_unpack_hide(struct nc_unpack *unpack, const char *name, struct nacre_error *err);
/* Hide what the parents have in this directory of ours, for good. */
int nc_unpack_make_opaque(struct nc_unpack *unpack, int dir, const char *path, struct nacre_error *err);

/* --- replace.c -------------------------------------------------------------------------------------------------- */

/* Remember something of the object at path. Fails at the limit, unless soft. */
int nc_unpack_note(struct nc_unpack *unpack, const char *path, size_t len, enum nc_name_kind kind, bool soft,
		   struct nacre_error *err);
/* Forget it and say what it was. */
enum nc_name_kind nc_unpack_take(struct nc_unpack *unpack, const char *path, size_t len);
/* A member without an object of its name: reports it when it came before. */
int nc_unpack_again(struct nc_unpack *unpack, const char *name, struct nacre_error *err);
/* Report that a member without content was displaced. */
int nc_unpack_report_empty(struct nc_unpack *unpack, const char *path, struct nacre_error *err);
/* Report the member that made the object name of dir, which lies at path, with its content, and forget it. */
int nc_unpack_report(struct nc_unpack *unpack, int dir, const char *name, const char *path, const struct stat *st,
		     struct nacre_error *err);
/* Remove the object name of dir, which lies at path, with all below it, reporting what members made. */
int nc_unpack_remove(struct nc_unpack *unpack, int dir, const char *name, const char *path, const struct stat *st,
		     struct nacre_error *err);

#endif
