#include "transfer.h"

#include "image_text.h"
#include "json_out.h"
#include "out.h"

#include <string.h>

enum nacre_blobs blobs_of(const char *text)
{
	return text && strcmp(text, "drop") == 0 ? NACRE_BLOBS_DROP : NACRE_BLOBS_KEEP;
}

enum nacre_compression compression_of(const char *text)
{
	static const char *const names[] = {
		[NACRE_COMPRESSION_AUTO] = "auto",
		[NACRE_COMPRESSION_NONE] = "none",
		[NACRE_COMPRESSION_GZIP] = "gzip",
		[NACRE_COMPRESSION_ZSTD] = "zstd",
	};

	for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			return (enum nacre_compression)i;
	return NACRE_COMPRESSION_AUTO;
}

const char *progress_mode(const struct args *args)
{
	const char *mode = args_text(args, "progress");

	return mode || !args_flag(args, "quiet") ? mode : "none";
}

static const char *text_of(const struct args *args, const char *name)
{
	return args_has(args, name) ? args_text(args, name) : NULL;
}

static bool has_flag(const struct args *args, const char *name)
{
	return args_has(args, name) && args_flag(args, name);
}

struct nacre_copy_options copy_options(const struct args *args, struct progress *progress)
{
	return (struct nacre_copy_options){
		.size = sizeof(struct nacre_copy_options),
		.platform = text_of(args, "platform"),
		.keep_ids = has_flag(args, "keep-ids"),
		.blobs = blobs_of(text_of(args, "blobs")),
		.compression = compression_of(text_of(args, "compression")),
		.name = text_of(args, "name"),
		.all_platforms = has_flag(args, "all-platforms"),
		.progress = progress_hook(progress),
	};
}

/* IDs of 2015 are random, all others are digests. */
static bool is_v1(struct nacre_store *store, const char *id)
{
	struct nacre_node node;

	return store && nacre_node_get(store, id, &node, NULL) == 0 && node.v1;
}

static void print_copied(struct app *app, const struct args *args, const struct nacre_copied *copied,
			 const char *verb)
{
	char id[ID_TEXT_MAX], name[NAME_TEXT_MAX];
	json_t *facts = json_array();

	for (size_t i = 0; i < copied->count; i++) {
		const struct nacre_copied_image *image = &copied->images[i];
		json_t *fact = json_object();

		image_id_text(id, image->id, is_v1(app->store, image->id), true);
		json_object_set_new(fact, "id", json_text(id));
		json_object_set_new(fact, "names", json_texts((const char *const *)image->names));
		json_object_set_new(fact, "manifest_digest", image->manifest_digest && image->manifest_digest[0] ?
				    json_text(image->manifest_digest) : json_null());
		json_array_append_new(facts, fact);
		if (args_flag(args, "json"))
			continue;
		if (args_flag(args, "quiet"))
			outf("%s\n", id);
		else if (!image->names || !image->names[0])
			outf("%s image ID: %s\n", verb, id);
		else
			for (char **at = image->names; *at; at++)
				outf("%s image: %s\n", verb, short_name(name, *at));
	}
	if (args_flag(args, "json"))
		json_print(json_incref(facts));
	json_decref(facts);
}

int finish_copy(struct app *app, const struct args *args, struct progress *progress, int code, struct nacre_copied *copied,
		const struct nacre_error *err, const char *verb)
{
	progress_free(progress, code >= 0);
	if (code < 0)
		return app_fail(app, code, err);
	if (verb)
		print_copied(app, args, copied, verb);
	nacre_copied_free(copied);
	return EXIT_DONE;
}
