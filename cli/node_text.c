#include "node_text.h"

#include "json_out.h"

const char *node_kind(const struct nacre_node *node)
{
	return node->damaged ? "damaged" : node->is_image ? "image" : node->has_layer ? "layer" : "empty";
}

json_t *json_node(const struct nacre_node *node)
{
	json_t *fact = json_object();

	json_object_set_new(fact, "id", json_text(node->id));
	json_object_set_new(fact, "parent", node->parent[0] ? json_text(node->parent) : json_null());
	json_object_set_new(fact, "kind", json_string(node_kind(node)));
	json_object_set_new(fact, "has_layer", json_boolean(node->has_layer));
	json_object_set_new(fact, "diff_id", node->diff_id[0] ? json_text(node->diff_id) : json_null());
	json_object_set_new(fact, "size", node->size >= 0 ? json_size((uint64_t)node->size) : json_null());
	json_object_set_new(fact, "v1", json_boolean(node->v1));
	json_object_set_new(fact, "damaged", json_boolean(node->damaged));
	return fact;
}
