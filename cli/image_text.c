#include "image_text.h"

#include "json_out.h"
#include "mem.h"
#include "table.h"

#include <ctype.h>

char *image_id_text(char *buf, const char *id, bool v1, bool full)
{
	snprintf(buf, ID_TEXT_MAX, "%s%.*s", full && !v1 ? "sha256:" : "", full ? 64 : 12, id);
	return buf;
}

char *short_name(char *buf, const char *full)
{
	if (nacre_name_parse(full, NULL, buf, NULL) < 0)
		snprintf(buf, NAME_TEXT_MAX, "%s", full);
	return buf;
}

char *split_tag(char *buf)
{
	char *slash = strrchr(buf, '/'), *colon = strrchr(slash ? slash : buf, ':');

	if (!colon)
		return buf + strlen(buf);
	*colon = '\0';
	return colon + 1;
}

json_t *json_short_names(const char *const *names)
{
	json_t *array = json_array();
	char buf[NAME_TEXT_MAX];

	for (; names && *names; names++)
		json_array_append_new(array, json_text(short_name(buf, *names)));
	return array;
}

json_t *json_layers(const struct nacre_image *image)
{
	json_t *array = json_array();

	for (size_t i = 0; i < image->layer_count; i++) {
		const struct nacre_layer_info *info = &image->layers[i];
		json_t *layer = json_object();

		json_object_set_new(layer, "chain_id", json_text(info->chain_id));
		json_object_set_new(layer, "diff_id", info->diff_id[0] ? json_text(info->diff_id) : json_null());
		json_object_set_new(layer, "size", json_size(info->size));
		json_object_set_new(layer, "blob", info->blob[0] ? json_text(info->blob) : json_null());
		json_object_set_new(layer, "blob_size", info->blob[0] ? json_size(info->blob_size) : json_null());
		json_object_set_new(layer, "users", json_integer(info->users));
		json_array_append_new(array, layer);
	}
	return array;
}

json_t *json_repo_digests(const struct nacre_image *image)
{
	json_t *array = json_array();
	char last[NAME_TEXT_MAX] = "", buf[NAME_TEXT_MAX];

	/* the names are sorted, so tags of one repository follow each other */
	for (const char *const *name = image->names; name && *name; name++) {
		split_tag(short_name(buf, *name));
		if (strcmp(buf, last) == 0)
			continue;
		strcpy(last, buf);
		for (const char *const *digest = image->digests; digest && *digest; digest++) {
			AUTO_FREE char *text = must_printf("%s@%s", buf, *digest);

			json_array_append_new(array, json_text(text));
		}
	}
	return array;
}

char *split_path(char *text)
{
	char *at = strstr(text, ":/");

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

const char *bare_id(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
}

char *one_line(const char *text, size_t max)
{
	struct text line = { .data = NULL };
	bool space = false;
	size_t characters = 0;

	text_adds(&line, "");
	for (; *text; text++) {
		bool starts = ((unsigned char)*text & 0xc0) != 0x80;

		if (isspace((unsigned char)*text)) {
			space = line.len > 0;
			continue;
		}
		if (max && starts && characters + space >= max - 1) {
			text_adds(&line, table_is_utf8() ? "\xe2\x80\xa6" : "~");
			break;
		}
		if (space)
			text_adds(&line, " ");
		characters += space + starts;
		space = false;
		text_add(&line, text, 1);
	}
	return must(line.data);
}
