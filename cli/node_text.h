/* How nodes of the graph are written. */
#ifndef CLI_NODE_TEXT_H
#define CLI_NODE_TEXT_H

#include <jansson.h>
#include <nacre/nacre.h>

/* "image", "layer" or "empty". */
const char *node_kind(const struct nacre_node *node);
json_t *json_node(const struct nacre_node *node);

#endif
