#include "commands.h"

#include "human.h"
#include "image_text.h"
#include "json_out.h"
#include "layer_tree.h"
#include "listing.h"
#include "mem.h"

#include <string.h>

static const struct option_spec options[] = {
	OPTION_NO_TRUNC,
	OPTION_NOHEADING,
	OPTION_JSON,
	{ .name = NULL },
};

static const struct column columns[] = {
	{ .field = "Layer", .header = "LAYERS AND IMAGES" },
	{ .field = "Size", .header = "SIZE", .right = true },
	{ .field = "SharedBy", .header = "SHARED BY" },
	{ .field = NULL },
};

struct drawing {
	struct listing *listing;
	struct nacre_image *const *all;	/* of the store */
	size_t all_count;
	bool selected;			/* only some of them are drawn */
	bool full;
};

static bool has_layer(const struct nacre_image *image, const struct nacre_layer_info *layer, size_t depth)
{
	return depth < image->layer_count && strcmp(image->layers[depth].chain_id, layer->chain_id) == 0;
}

static char *image_label(const struct nacre_image *image, bool full)
{
	struct text label = { .data = NULL };
	char id[ID_TEXT_MAX], name[NAME_TEXT_MAX];

	for (const char *const *at = image->names; at && *at; at++)
		text_addf(&label, "%s%s", label.len ? ", " : "", short_name(name, *at));
	image_id_text(id, image->id, image->v1, full);
	text_addf(&label, label.len ? " (%s)" : "<none> (%s)", id);
	return label.data;
}

/* The other images that have the layer: how many, or which when the drawing does not show them. */
static char *sharers(const struct drawing *drawing, const struct tree_node *node)
{
	struct text names = { .data = NULL };
	char buf[NAME_TEXT_MAX];
	size_t more = 0;

	text_adds(&names, "");
	if (!drawing->selected) {
		if (node->layer->users > 1)
			text_addf(&names, "%u images", node->layer->users);
		return names.data;
	}
	for (size_t i = 0; i < drawing->all_count; i++) {
		const struct nacre_image *image = drawing->all[i];
		bool named = image->names && image->names[0];

		if (strcmp(image->id, node->image->id) == 0 || !has_layer(image, node->layer, node->depth))
			continue;
		if (names.len > 60)
			more++;
		else
			text_addf(&names, "%s%s", names.len ? ", " : "",
				  named ? short_name(buf, image->names[0]) :
					  image_id_text(buf, image->id, image->v1, false));
	}
	if (more > 0)
		text_addf(&names, " and %zu more", more);
	return names.data;
}

static void draw_node(void *ctx, const struct tree_node *node, const char *prefix)
{
	struct drawing *drawing = ctx;
	AUTO_FREE char *label = NULL, *shared = NULL, *shown = NULL;
	char id[ID_TEXT_MAX], size[HUMAN_MAX];

	/* a gap before each new root but the first */
	if (node->depth == 0 && json_array_size(drawing->listing->rows) > 0)
		listing_row(drawing->listing, (const char *[]){ "", "", "" });
	if (node->layer) {
		label = must_copy(image_id_text(id, node->layer->chain_id, false, drawing->full));
		shared = sharers(drawing, node);
		human_size(size, node->layer->size);
	} else {
		label = image_label(node->image, drawing->full);
		shared = must_copy("");
		human_size(size, node->image->size);
	}
	shown = must_printf("%s%s", prefix, label);
	listing_row(drawing->listing, (const char *[]){ shown, size, shared });
}

/* For --json: a flat list of layers, each naming its parent and the images that have it. */
static void tell_node(void *ctx, const struct tree_node *node, const char *prefix)
{
	struct drawing *drawing = ctx;
	json_t *fact, *ids;

	if (!node->layer)
		return;
	fact = json_object();
	ids = json_array();
	for (size_t i = 0; i < drawing->all_count; i++) {
		const struct nacre_image *image = drawing->all[i];
		char id[ID_TEXT_MAX];

		if (has_layer(image, node->layer, node->depth))
			json_array_append_new(ids, json_text(image_id_text(id, image->id, image->v1, true)));
	}
	json_object_set_new(fact, "chain_id", json_text(node->layer->chain_id));
	json_object_set_new(fact, "parent", node->depth == 0 ? json_null() :
			    json_text(node->image->layers[node->depth - 1].chain_id));
	json_object_set_new(fact, "diff_id", node->layer->diff_id[0] ? json_text(node->layer->diff_id) : json_null());
	json_object_set_new(fact, "size", json_size(node->layer->size));
	json_object_set_new(fact, "images", ids);
	listing_fact(drawing->listing, fact);
}

/* The images that were asked for, out of the list; NULL when one is not there, which has been reported. */
static struct nacre_image **select_images(struct app *app, const struct args *args,
					  const struct nacre_image_list *list, size_t *ret_count, int *ret_code)
{
	struct nacre_image **chosen = must_alloc(((size_t)args->operand_count + list->count) * sizeof(*chosen));
	size_t count = 0;

	for (int i = 0; i < args->operand_count; i++) {
		struct nacre_image *image = NULL;
		struct nacre_error err = { .code = 0 };
		int code = nacre_image_get(app->store, args->operands[i], &image, &err);

		if (code < 0) {
			*ret_code = app_fail(app, code, &err);
			free(chosen);
			return NULL;
		}
		for (size_t j = 0; j < list->count; j++)
			if (strcmp(list->images[j]->id, image->id) == 0)
				chosen[count++] = list->images[j];
		nacre_image_free(image);
	}
	if (args->operand_count == 0 && list->count > 0)
		memcpy(chosen, list->images, (count = list->count) * sizeof(*chosen));
	*ret_count = count;
	return chosen;
}

static int draw(struct app *app, const struct args *args, const struct nacre_image_list *list,
		struct listing *listing)
{
	struct drawing drawing = { .listing = listing, .all = list->images, .all_count = list->count,
				   .selected = args->operand_count > 0, .full = args_flag(args, "no-trunc") };
	int code = EXIT_DONE;
	size_t count = 0;
	AUTO_FREE struct nacre_image **chosen = select_images(app, args, list, &count, &code);
	struct layer_tree tree;

	if (!chosen)
		return code;
	layer_tree_build(&tree, chosen, count);
	layer_tree_walk(&tree, args_flag(args, "json") ? tell_node : draw_node, &drawing);
	layer_tree_release(&tree);
	return EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	AUTO_LISTING struct listing listing;
	struct nacre_image_list *list = NULL;
	struct nacre_error err = { .code = 0 };
	int code;

	listing_init(&listing, columns, NULL);
	code = app_open(app, args->operand_count ? APP_LOOK : APP_LOOK_OR_NONE);
	if (code != EXIT_DONE)
		return code;
	if (app->store) {
		code = nacre_image_list(app->store, NULL, &list, &err);
		if (code < 0)
			return app_fail(app, code, &err);
		code = draw(app, args, list, &listing);
		nacre_image_list_free(list);
	}
	return code == EXIT_DONE ? listing_print(app, &listing, args) : code;
}

const struct command cmd_tree = {
	.name = "tree",
	.operands = "[IMAGE…]",
	.summary = "draw layers, their sizes, and who shares them",
	.details = "Layers grow downwards, and each image stands below its topmost one. With an\n"
		   "IMAGE, shows its layers alone and names the other images that have them.",
	.example = "nacre tree debian:12",
	.options = options,
	.min = 0,
	.max = -1,
	.completes = "image",
	.run = run,
};
