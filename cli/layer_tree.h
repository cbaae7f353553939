/* The forest that images and their layers make: equal stacks of layers are one branch. */
#ifndef CLI_LAYER_TREE_H
#define CLI_LAYER_TREE_H

#include <nacre/nacre.h>
#include <stddef.h>

#define NO_NODE SIZE_MAX

struct tree_node {
	const struct nacre_layer_info *layer;	/* NULL: an image */
	const struct nacre_image *image;	/* of an image; of a layer: one that has it */
	size_t child, next;			/* first child, next sibling; NO_NODE */
	size_t images;				/* how many end in this branch */
	size_t depth;				/* of a layer: how many lie below it */
};

struct layer_tree {
	struct tree_node *nodes;
	size_t count;
	size_t root;				/* the first one; its siblings are the others; NO_NODE */
};

/* Borrows the images. */
void layer_tree_build(struct layer_tree *tree, struct nacre_image *const *images, size_t count);
void layer_tree_release(struct layer_tree *tree);

/* Walks depth first. prefix is how far the branch is drawn: a chain stays in one column, forks are indented. */
void layer_tree_walk(const struct layer_tree *tree,
		     void (*fn)(void *ctx, const struct tree_node *node, const char *prefix), void *ctx);

#endif
