/* The code that all tree drivers share: members of one layer are laid into a tree of their own, below a
 * directory descriptor, with marks for what they hide of the parents. Nothing outside that directory is ever
 * touched.
 *
 * MARKS  A whiteout is a character device 0:0 of the hidden name. An opaque directory has an attribute
 *         (overlay), or holds an empty file ".wh..wh..opq" (no member can make that name). Whiteouts
 *         stand only where the parents have a directory to be merged with, and never below an opaque one:
 *         overlayfs would show them there.
 *
 * REPORTS OF WHAT IS DISPLACED  For every name: of the k reports of that name, the i-th belongs to the i-th
 *         member of that cleaned name, so that a keeper of records can pop one report per record. Not reported:
 *         what no member of its physical path made, that is implied directories, files copied up from the
 *         parents for a hard link, and objects of members whose path went through a symbolic link. Reported
 *         without content: everything but regular files, empty and sparse files, and names made as hard links
 *         (as far as they are remembered). Repeated whiteouts, opaque markers and aufs's own members are
 *         reported by their own cleaned name. */
#ifndef NC_DRIVER_UNPACK_H
#define NC_DRIVER_UNPACK_H

#include "driver/driver.h"
#include "driver/stack.h"

/* Bytes of names that must be remembered for the reports above: objects without a member of their name, sparse files.
 * More is NACRE_E_LIMIT. */
#define NC_UNPACK_NAMES_MAX (32u << 20)

struct nc_unpack;

struct nc_unpack_options {
	int stage; /* a private directory on the same file system, for what lies beside the tree */
	int root;			/* an empty directory: the tree */
	/* The trees below, lent; NULL: there are none. Called once, before the first look at them, since the nearest may be
	 * written at the same time: what needs them for a start waits there, what can wait waits until the end. */
	int (*below)(void *ctx, struct nc_stack **ret, struct nacre_error *err);
	void *below_ctx;
	const char *opaque;		/* name of the attribute; NULL: marked by a file */
	const struct nc_displaced *displaced;	/* NULL: nobody wants to know */
};

/* below, where the trees are there already: ctx is their stack. */
int nc_unpack_lend(void *ctx, struct nc_stack **ret, struct nacre_error *err);

/* Everything in options is borrowed until nc_unpack_free; displaced is copied. */
int nc_unpack_new(const struct nc_unpack_options *options, struct nc_unpack **ret, struct nacre_error *err);
/* As the entry and data of nc_tree_ops. */
int nc_unpack_entry(struct nc_unpack *unpack, const struct nc_entry *entry, struct nacre_error *err);
int nc_unpack_data(struct nc_unpack *unpack, const void *bytes, size_t len, uint64_t at, struct nacre_error *err);

struct nc_unpack_result {
	uint64_t size;		/* of all regular files in the tree, hard links once */
	bool root_opaque;	/* nothing of the parents shows */
	bool marks;		/* the tree holds marks, or held some */
};
/* After the last member. */
int nc_unpack_finish(struct nc_unpack *unpack, struct nc_unpack_result *ret, struct nacre_error *err);
void nc_unpack_free(struct nc_unpack *unpack);
/* Remove the whiteouts at and below path in a tree, and with opaque_too the files that mark opaque directories. */
int nc_marks_remove(int root, const char *path, bool opaque_too, struct nacre_error *err);
NC_DEFINE_CLEANUP(nc_unpack_auto, struct nc_unpack *, nc_unpack_free)

#endif
