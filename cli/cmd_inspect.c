#include "commands.h"

#include "image_text.h"
#include "json_out.h"
#include "listing.h"
#include "mem.h"
#include "registry.h"
#include "signals.h"
#include "transfer.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec options[] = {
	{ .letter = 'f', .name = "format", .arg = "TEMPLATE", .help = "print with a Go template" },
	{ .name = "config", .help = "print the image's config, byte for byte" },
	{ .name = "manifest", .help = "print the manifest it came with, byte for byte" },
	OPTION_PLATFORM,
	OPTIONS_REGISTRY,
	OPTION_JSON,
	{ .name = NULL },
};

#define REGISTRY "docker://"

static bool is_remote(const char *operand)
{
	return strncmp(operand, REGISTRY, strlen(REGISTRY)) == 0;
}

/* The store is opened when an operand is an image of it. */
static int open_store(struct app *app, const struct args *args)
{
	int code = EXIT_DONE;

	for (int i = 0; i < args->operand_count && !app->store && code == EXIT_DONE; i++)
		if (!is_remote(args->operands[i]))
			code = app_open(app, APP_LOOK);
	return code;
}

static int find_image(struct app *app, const struct args *args, const char *operand, struct nacre_image **ret,
		      struct nacre_error *err)
{
	const struct nacre_registry_options registry = registry_options(args);
	const struct nacre_copy_options copying = {
		.size = sizeof(copying),
		.platform = args_text(args, "platform"),
		.progress = { .cancel = signals_cancel() },
		.registry = &registry,
	};

	if (!is_remote(operand))
		return nacre_image_get(app->store, operand, ret, err);
	return nacre_remote_image(app->store, operand + strlen(REGISTRY), &copying, ret, err);
}

/* Keys as docker has them: {"/data": {}}. */
static json_t *json_set(const char *const *keys)
{
	json_t *set = json_object();

	for (; keys && *keys; keys++) {
		json_t *key = json_text(*keys);

		json_object_set_new(set, json_string_value(key), json_object());
		json_decref(key);
	}
	return set;
}

static json_t *json_pairs(const char *const *pairs)
{
	json_t *map = json_object();

	for (; pairs && pairs[0]; pairs += 2) {
		json_t *key = json_text(pairs[0]);

		json_object_set_new(map, json_string_value(key), json_text(pairs[1]));
		json_decref(key);
	}
	return map;
}

static json_t *json_config(const struct nacre_image *image)
{
	json_t *config = json_object();

	json_object_set_new(config, "user", json_text(image->user));
	json_object_set_new(config, "working_dir", json_text(image->working_dir));
	json_object_set_new(config, "env", json_texts(image->env));
	json_object_set_new(config, "entrypoint", json_texts(image->entrypoint));
	json_object_set_new(config, "cmd", json_texts(image->cmd));
	json_object_set_new(config, "stop_signal", json_text(image->stop_signal));
	json_object_set_new(config, "exposed_ports", json_set(image->exposed_ports));
	json_object_set_new(config, "volumes", json_set(image->volumes));
	json_object_set_new(config, "labels", json_pairs(image->labels));
	return config;
}

static json_t *json_root_fs(const struct nacre_image *image)
{
	json_t *root_fs = json_object(), *layers = json_array();

	for (size_t i = 0; i < image->layer_count; i++)
		json_array_append_new(layers, json_text(image->layers[i].diff_id));
	json_object_set_new(root_fs, "type", json_string("layers"));
	json_object_set_new(root_fs, "layers", layers);
	return root_fs;
}

static json_t *json_history(const struct nacre_image *image)
{
	json_t *history = json_array();

	for (size_t i = 0; i < image->history_count; i++) {
		const struct nacre_history_info *info = &image->history[i];
		json_t *entry = json_object();

		json_object_set_new(entry, "created", json_time(info->created, 0));
		json_object_set_new(entry, "created_by", json_text(info->created_by));
		json_object_set_new(entry, "author", json_text(info->author));
		json_object_set_new(entry, "comment", json_text(info->comment));
		json_object_set_new(entry, "empty_layer", json_boolean(info->empty_layer));
		json_object_set_new(entry, "size", json_size(info->size));
		json_array_append_new(history, entry);
	}
	return history;
}

static json_t *json_image(const struct nacre_image *image)
{
	json_t *value = json_object();
	char id[ID_TEXT_MAX];

	json_object_set_new(value, "id", json_text(image_id_text(id, image->id, image->v1, true)));
	json_object_set_new(value, "names", json_texts(image->names));
	json_object_set_new(value, "repo_tags", json_short_names(image->names));
	json_object_set_new(value, "repo_digests", json_repo_digests(image));
	json_object_set_new(value, "digests", json_texts(image->digests));
	json_object_set_new(value, "created", json_time(image->created, image->created_nsec));
	json_object_set_new(value, "author", json_text(image->author));
	json_object_set_new(value, "architecture", json_text(image->architecture));
	json_object_set_new(value, "variant", json_text(image->variant));
	json_object_set_new(value, "os", json_text(image->os));
	json_object_set_new(value, "size", json_size(image->size));
	json_object_set_new(value, "config", json_config(image));
	json_object_set_new(value, "root_fs", json_root_fs(image));
	json_object_set_new(value, "layers", json_layers(image));
	json_object_set_new(value, "history", json_history(image));
	json_object_set_new(value, "manifest_media_type", json_text(image->manifest_media_type));
	json_object_set_new(value, "v1", json_boolean(image->v1));
	return value;
}

/* The exact bytes that make the image what it is. */
static int print_raw(struct app *app, const struct nacre_image *image, bool manifest)
{
	const char *bytes = manifest ? image->manifest : image->config;
	size_t len = manifest ? image->manifest_len : image->config_len;

	if (!bytes)
		return app_error(app, EXIT_NOTFOUND, "the image '%.12s' came without a %s", image->id,
				 manifest ? "manifest" : "config");
	out_foreign_block(bytes, len);
	return EXIT_DONE;
}

static int run(struct app *app, const struct args *args)
{
	bool config = args_flag(args, "config"), manifest = args_flag(args, "manifest");
	const char *template = args_text(args, "format");
	json_t *found = json_array();
	int worst = EXIT_DONE, code;

	code = config + manifest + (template != NULL) > 1 ?
	       app_usage(app, "--format, --config and --manifest exclude each other") : open_store(app, args);
	if (code != EXIT_DONE) {
		json_decref(found);
		return code;
	}
	for (int i = 0; i < args->operand_count; i++) {
		struct nacre_image *image = NULL;
		struct nacre_error err = { .code = 0 };

		code = find_image(app, args, args->operands[i], &image, &err);
		if (code < 0) {
			worst = app_worse(worst, app_fail(app, code, &err));
			continue;
		}
		if (config || manifest)
			worst = app_worse(worst, print_raw(app, image, manifest));
		else
			json_array_append_new(found, json_image(image));
		nacre_image_free(image);
	}
	if (config || manifest) {
		json_decref(found);
		return worst;
	}
	if (template && strcmp(template, "json") != 0)
		return app_worse(worst, template_print(app, template, found));
	json_print(found);
	return worst;
}

const struct command cmd_inspect = {
	.name = "inspect",
	.operands = "IMAGE…",
	.summary = "show all that is known of images, as JSON",
	.details = "docker://NAME is one at a registry, which is not brought.\n"
		   "Always an array; docs/json.md tells the fields. Templates find them whatever\n"
		   "their case and underscores, so .RepoTags and .Config.Cmd work as with docker.",
	.example = "nacre inspect --format '{{.Id}} {{json .Config.Cmd}}' debian:12",
	.options = options,
	.min = 1,
	.max = -1,
	.completes = "image",
	.run = run,
};
