/* A stack of layer trees, looked up as the kernel shows it: the topmost object of a name wins, directories merge,
 * a whiteout or anything that is no directory ends the search below it, and so does a directory that is opaque.
 * A single tree is a stack of one.
 *
 * There are two ways to mark. overlayfs: a whiteout is a character device 0:0 in the place of what it hides, an
 * opaque directory has an attribute. aufs: a whiteout of NAME is a file ".wh.NAME" beside it, an opaque directory
 * holds a file ".wh..wh..opq". Names that begin with ".wh." never show.
 *
 * Few descriptors are held whatever the number of layers. One thread at a time. */
#ifndef NC_DRIVER_STACK_H
#define NC_DRIVER_STACK_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* In any stack of layers: look-ups that need not merge directories of all of them first. More are worth that. */
#define NC_FEW_LOOK_UPS 16

struct nc_stack;

struct nc_stack_found {
	int dir;		/* the directory that holds the object; lent until the next call on the stack */
	const char *name;	/* in dir; "." for the root. Lent likewise */
	struct stat st;
};

/* home: where the trees lie (borrowed). trees: paths below it, topmost first (copied). opaque: the attribute
 * that marks an opaque directory (a constant); NULL: marks are files. The root of each tree but the last is taken
 * for not opaque. */
int nc_stack_new(int home, const char *const *trees, size_t count, const char *opaque, struct nc_stack **ret,
		 struct nacre_error *err);
void nc_stack_free(struct nc_stack *stack);
NC_DEFINE_CLEANUP(nc_stack_auto, struct nc_stack *, nc_stack_free)

/* The topmost tree can be written: its path is below base (taken) rather than home, and names that begin with ".wh."
 * are no marks but names. Sockets, which no layer holds, hide like whiteouts. */
void nc_stack_writable(struct nc_stack *stack, int base);

/* What the stack shows at path (clean): 1 and *ret, or 0 when nothing. Links are not followed anywhere. */
int nc_stack_find(struct nc_stack *stack, const char *path, struct nc_stack_found *ret, struct nacre_error *err);
/* The names that it shows in a directory, sorted by bytes. 1, or 0 when path is no directory. Given: free each
 * and the array, or nc_names_free. */
int nc_stack_names(struct nc_stack *stack, const char *path, char ***ret, size_t *ret_count, struct nacre_error *err);
void nc_names_free(char **names, size_t count);

static inline bool nc_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}
/* Whether a directory carries the mark: this attribute, or with NULL the file. */
bool nc_is_opaque(int dir, const char *attribute);
/* The name of that file. */
#define NC_OPAQUE_FILE ".wh..wh..opq"

#endif
