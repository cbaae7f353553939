#include "layer_tree.h"

#include "mem.h"
#include "table.h"

#include <stdbool.h>

static size_t add_node(struct layer_tree *tree, struct tree_node node)
{
	/* grows by doubling: a store may have many thousands of layers */
	if ((tree->count & (tree->count - 1)) == 0)
		tree->nodes = must_grow(tree->nodes, tree->count ? 2 * tree->count : 1, sizeof(node));
	node.child = node.next = NO_NODE;
	tree->nodes[tree->count] = node;
	return tree->count++;
}

/* Which link holds the children of parent. Valid until the next add_node. */
static size_t *children(struct layer_tree *tree, size_t parent)
{
	return parent == NO_NODE ? &tree->root : &tree->nodes[parent].child;
}

static void append_child(struct layer_tree *tree, size_t parent, size_t node)
{
	size_t *link = children(tree, parent);

	while (*link != NO_NODE)
		link = &tree->nodes[*link].next;
	*link = node;
}

/* Chains are sorted, so the last child is the only one that can be the same layer. */
static size_t last_layer(struct layer_tree *tree, size_t parent, const char *chain_id)
{
	size_t found = NO_NODE;

	for (size_t i = *children(tree, parent); i != NO_NODE; i = tree->nodes[i].next)
		if (tree->nodes[i].layer && strcmp(tree->nodes[i].layer->chain_id, chain_id) == 0)
			found = i;
	return found;
}

static void add_image(struct layer_tree *tree, const struct nacre_image *image)
{
	size_t parent = NO_NODE;

	for (size_t i = 0; i < image->layer_count; i++) {
		size_t node = last_layer(tree, parent, image->layers[i].chain_id);

		if (node == NO_NODE) {
			node = add_node(tree, (struct tree_node){ .layer = &image->layers[i], .image = image,
								  .depth = i });
			append_child(tree, parent, node);
		}
		tree->nodes[node].images++;
		parent = node;
	}
	append_child(tree, parent, add_node(tree, (struct tree_node){ .image = image, .images = 1,
								      .depth = image->layer_count }));
}

void layer_tree_build(struct layer_tree *tree, struct nacre_image *const *images, size_t count)
{
	*tree = (struct layer_tree){ .root = NO_NODE };
	for (size_t i = 0; i < count; i++)
		add_image(tree, images[i]);
}

void layer_tree_release(struct layer_tree *tree)
{
	free(tree->nodes);
	*tree = (struct layer_tree){ .root = NO_NODE };
}

/* --- drawing ---------------------------------------------------------------------------------------------------- */

struct visit {
	size_t node;
	size_t indent;		/* length of the prefix that its branch has */
	bool fork;		/* it has siblings, so it is drawn as a branch */
};

static void push(struct visit **stack, size_t *count, struct visit visit)
{
	*stack = must_grow(*stack, *count + 1, sizeof(visit));
	(*stack)[(*count)++] = visit;
}

/* Children in reverse, so that the first is visited first. */
static void push_children(const struct layer_tree *tree, size_t first, size_t indent, bool fork,
			  struct visit **stack, size_t *count)
{
	size_t begin = *count;

	for (size_t i = first; i != NO_NODE; i = tree->nodes[i].next)
		push(stack, count, (struct visit){ .node = i, .indent = indent, .fork = fork });
	for (size_t i = begin, j = *count; i + 1 < j; i++) {
		struct visit swapped = (*stack)[i];

		(*stack)[i] = (*stack)[--j];
		(*stack)[j] = swapped;
	}
}

void layer_tree_walk(const struct layer_tree *tree,
		     void (*fn)(void *ctx, const struct tree_node *node, const char *prefix), void *ctx)
{
	bool utf8 = table_is_utf8();
	const char *tee = utf8 ? "├─ " : "|- ", *corner = utf8 ? "└─ " : "`- ", *line = utf8 ? "│  " : "|  ";
	AUTO_TEXT struct text prefix = { .data = NULL };
	struct visit *stack = NULL;
	size_t count = 0;

	text_adds(&prefix, "");
	push_children(tree, tree->root, 0, false, &stack, &count);
	while (count > 0) {
		struct visit visit = stack[--count];
		const struct tree_node *node = &tree->nodes[visit.node];
		bool last = node->next == NO_NODE;

		prefix.len = visit.indent;
		prefix.data[prefix.len] = '\0';
		if (visit.fork)
			text_adds(&prefix, last ? corner : tee);
		fn(ctx, node, prefix.data);
		if (visit.fork) {
			prefix.len = visit.indent;
			text_adds(&prefix, last ? "   " : line);
		}
		push_children(tree, node->child, prefix.len,
			      node->child != NO_NODE && tree->nodes[node->child].next != NO_NODE, &stack, &count);
	}
	free(stack);
}
