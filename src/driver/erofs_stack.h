/* The indexes of a layer and of those below it, looked up as one tree: the topmost file of a name wins, directories
 * merge, a whiteout and everything that is no directory end the search below them, and so does an opaque directory.
 * One thread at a time. */
#ifndef NC_DRIVER_EROFS_STACK_H
#define NC_DRIVER_EROFS_STACK_H

#include "driver/erofs_read.h"

struct nc_estack;

struct nc_efound {
	size_t layer;			/* counted from the topmost */
	struct nc_einode inode;
};

/* home: where the layers lie (borrowed); id: the topmost, which may be missing: NACRE_E_NOTFOUND. The indexes are read
 * when they are needed. */
int nc_estack_new(int home, const char *id, struct nc_estack **ret, struct nacre_error *err);
void nc_estack_free(struct nc_estack *stack);
NC_DEFINE_CLEANUP(nc_estack_auto, struct nc_estack *, nc_estack_free)

size_t nc_estack_depth(const struct nc_estack *stack);
const char *nc_estack_id(const struct nc_estack *stack, size_t layer);

/* What is at path (clean): 1, or 0. */
int nc_estack_find(struct nc_estack *stack, const char *path, size_t len, struct nc_efound *ret,
		   struct nacre_error *err);
/* Calls fn for each name in the directory at path, sorted. 1, or 0 when there is no directory, or what fn returned
 * other than 0. */
int nc_estack_names(struct nc_estack *stack, const char *path, size_t len,
		    int (*fn)(void *ctx, const char *name, size_t len, struct nacre_error *err), void *ctx,
		    struct nacre_error *err);
/* Make node, of the same type, what was found is; its content is where it was, on another device. */
int nc_estack_copy(struct nc_estack *stack, const struct nc_efound *found, struct nc_etree *tree, uint32_t node,
		   struct nacre_error *err);
/* The whole as one tree, without marks. */
int nc_estack_merge(struct nc_estack *stack, struct nc_etree *ret, struct nacre_error *err);
/* The content of a regular file. */
int nc_estack_content(struct nc_estack *stack, const struct nc_efound *found, struct nc_reader **ret,
		      struct nacre_error *err);

/* The layers below one that is being written. They are opened when they are looked at first, since the nearest may be written at
 * the same time. */
struct nc_elower {
	int home;			/* borrowed */
	char id[NC_HEX_ID];		/* the nearest; "": there are none */
	int (*ready)(void *ctx, struct nacre_error *err);	/* waits until it is sealed; NULL: it is */
	void *ctx;
	struct nc_estack *stack;	/* once opened */
};
/* ret: lent; NULL when there are none. */
int nc_elower_open(struct nc_elower *lower, struct nc_estack **ret, struct nacre_error *err);
void nc_elower_release(struct nc_elower *lower);

/* The path below home of what a tag of a device names, in an index of layer id. */
struct nc_edevice_path {
	char text[NC_HEX_ID + 8];
};
void nc_edevice_path(const unsigned char *tag, const char *id, struct nc_edevice_path *ret);
/* Whether it names the layer whose index it stands in. */
bool nc_edevice_is_own(const unsigned char *tag);
/* The tag of a layer's tar or index. */
void nc_edevice_tag(const char *id, char kind, unsigned char *ret);

#endif
