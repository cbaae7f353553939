#include "image/config.h"

#include "base/mem.h"
#include "image/field.h"
#include "image/gojson.h"

#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX 4096
#define HISTORY_MAX 16384	/* entries, those without a layer included */
#define WHAT "config"

static int parse_texts(const json_t *document, struct nc_config *config, struct nacre_error *err)
{
	const struct {
		const char *key;
		char **ret;
	} fields[] = {
		{ "architecture", &config->architecture }, { "variant", &config->variant },
		{ "os", &config->os },			   { "os.version", &config->os_version },
		{ "author", &config->author },		   { "created", &config->created },
	};
	int code = 0;
	for (size_t i = 0; i < sizeof fields / sizeof *fields && code == 0; i++)
		code = nc_field_text(document, WHAT ": ", fields[i].key, fields[i].ret, err);
	if (code < 0)
		return code;
	config->created_sec = NC_GOTIME_ZERO;
	if (config->created[0])
		code = nc_gotime_parse(config->created, &config->created_sec, &config->created_nsec, err);
	return code < 0 ? nc_wrap(err, code, WHAT ": created") : 0;
}

static int parse_rootfs(const json_t *document, struct nc_config *config, struct nacre_error *err)
{
	static const char *const keys[] = { "type", "diff_ids", NULL };
	const json_t *rootfs = NULL, *diff_ids = NULL;
	NC_AUTO_FREE char *type = NULL;
	int code = nc_field_get(document, WHAT ": ", "rootfs", JSON_OBJECT, &rootfs, err);
	if (code < 0)
		return code;
	if (!rootfs)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": rootfs: missing");
	code = nc_field_refuse_lookalikes(rootfs, WHAT ": rootfs.", keys, err);
	if (code == 0)
		code = nc_field_text(rootfs, WHAT ": rootfs.", "type", &type, err);
	if (code < 0)
		return code;
	if (strcmp(type, "layers") != 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": rootfs.type: '%.64s', not 'layers'", type);
	code = nc_field_get(rootfs, WHAT ": rootfs.", "diff_ids", JSON_ARRAY, &diff_ids, err);
	if (code < 0)
		return code;
	size_t n = json_array_size(diff_ids);
	if (n > LAYERS_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, WHAT ": rootfs.diff_ids: %zu layers, more than %d", n, LAYERS_MAX);
	config->diff_ids = nc_zalloc(n * sizeof *config->diff_ids);
	if (!config->diff_ids)
		return nc_nomem(err);
	config->diff_id_count = n;
	for (size_t i = 0; i < n && code == 0; i++) {
		char where[NC_WHERE];
		nc_where(where, WHAT ": rootfs.diff_ids[%zu]", i);
		code = nc_field_value_digest(json_array_get(diff_ids, i), where, &config->diff_ids[i], err);
	}
	return code;
}

static int parse_history_entry(const json_t *entry, const char *where, struct nc_history *ret,
			       struct nacre_error *err)
{
	char inner[NC_WHERE];
	nc_where(inner, "%s.", where);
	int code = nc_field_expect(entry, where, JSON_OBJECT, err);
	if (code == 0)
		code = nc_field_text(entry, inner, "created", &ret->created, err);
	if (code == 0)
		code = nc_field_text(entry, inner, "created_by", &ret->created_by, err);
	if (code == 0)
		code = nc_field_text(entry, inner, "author", &ret->author, err);
	if (code == 0)
		code = nc_field_text(entry, inner, "comment", &ret->comment, err);
	if (code == 0)
		code = nc_field_bool(entry, inner, "empty_layer", &ret->empty_layer, err);
	if (code < 0 || !ret->created[0])
		return code;
	int64_t sec;
	uint32_t nsec;
	code = nc_gotime_parse(ret->created, &sec, &nsec, err);
	return code < 0 ? nc_wrap(err, code, "%screated", inner) : 0;
}

/* A history may tell of the topmost layers alone, where the image below had none, as an absent one tells of no layer. It cannot
 * tell of more than there are. */
static int parse_history(const json_t *document, struct nc_config *config, struct nacre_error *err)
{
	const json_t *history = NULL;
	int code = nc_field_get(document, WHAT ": ", "history", JSON_ARRAY, &history, err);
	if (code < 0)
		return code;
	size_t n = json_array_size(history), layers = 0;
	if (n > HISTORY_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, WHAT ": history: %zu entries, more than %d", n, HISTORY_MAX);
	config->history = nc_zalloc(n * sizeof *config->history);
	if (!config->history)
		return nc_nomem(err);
	config->history_count = n;
	for (size_t i = 0; i < n && code == 0; i++) {
		char where[NC_WHERE];
		nc_where(where, WHAT ": history[%zu]", i);
		code = parse_history_entry(json_array_get(history, i), where, &config->history[i], err);
		layers += code == 0 && !config->history[i].empty_layer;
	}
	if (code < 0)
		return code;
	if (layers > config->diff_id_count)
		return nc_fail(err, NACRE_E_BADDATA, 0, WHAT ": history: tells of %zu layers, but rootfs has %zu", layers,
			       config->diff_id_count);
	return 0;
}

static int parse_runtime(const json_t *document, struct nc_config *config, struct nacre_error *err)
{
	static const char where[] = WHAT ": config.";
	const json_t *runtime = NULL;
	int code = nc_field_get(document, WHAT ": ", "config", JSON_OBJECT, &runtime, err);
	if (code == 0)
		code = nc_field_text(runtime, where, "User", &config->user, err);
	if (code == 0)
		code = nc_field_text(runtime, where, "WorkingDir", &config->working_dir, err);
	if (code == 0)
		code = nc_field_text(runtime, where, "StopSignal", &config->stop_signal, err);
	if (code == 0)
		code = nc_field_list(runtime, where, "Env", &config->env, err);
	if (code == 0)
		code = nc_field_words(runtime, where, "Cmd", &config->cmd, err);
	if (code == 0)
		code = nc_field_words(runtime, where, "Entrypoint", &config->entrypoint, err);
	if (code == 0)
		code = nc_field_pairs(runtime, where, "Labels", &config->labels, err);
	if (code == 0)
		code = nc_field_keys(runtime, where, "ExposedPorts", &config->exposed_ports, err);
	if (code == 0)
		code = nc_field_keys(runtime, where, "Volumes", &config->volumes, err);
	return code;
}

int nc_config_parse(const char *bytes, size_t len, struct nc_config **ret, struct nacre_error *err)
{
	static const char *const keys[] = { "rootfs", "history", "config", "architecture", "os", "variant", NULL };
	NC_CLEANUP(nc_json_auto) json_t *document = NULL;
	int code = nc_json_parse(bytes, len, WHAT, &document, err);
	if (code == 0)
		code = nc_field_expect(document, WHAT, JSON_OBJECT, err);
	if (code == 0)
		code = nc_field_refuse_lookalikes(document, WHAT ": ", keys, err);
	if (code < 0)
		return code;
	NC_CLEANUP(nc_config_auto) struct nc_config *config = nc_zalloc(sizeof *config);
	if (!config)
		return nc_nomem(err);
	code = parse_texts(document, config, err);
	if (code == 0)
		code = parse_rootfs(document, config, err);
	if (code == 0)
		code = parse_history(document, config, err);
	if (code == 0)
		code = parse_runtime(document, config, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(config);
	return 0;
}

void nc_config_free(struct nc_config *config)
{
	if (!config)
		return;
	char *texts[] = { config->architecture, config->variant, config->os,	      config->os_version, config->author,
			  config->created,	config->user,	 config->working_dir, config->stop_signal };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free(texts[i]);
	char **lists[] = { config->env,	   config->cmd,		  config->entrypoint,
			   config->labels, config->exposed_ports, config->volumes };
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		nc_list_free(lists[i]);
	for (size_t i = 0; i < config->history_count; i++) {
		free(config->history[i].created);
		free(config->history[i].created_by);
		free(config->history[i].author);
		free(config->history[i].comment);
	}
	free(config->history);
	free(config->diff_ids);
	free(config);
}
