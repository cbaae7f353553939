#include "progress_json.h"

#include "json_out.h"
#include "mem.h"

#include <stdio.h>

#define BAR 50

/* "535 kB", "1.061 MB": decimal units, four digits. */
static char *size_text(uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double size = (double)bytes;
	size_t unit = 0;

	for (; size >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		size /= 1000;
	return must_printf("%.4g %s", size, units[unit]);
}

char *progress_json_bar(uint64_t current, uint64_t total)
{
	static const char full[] = "==================================================";
	AUTO_FREE char *done = size_text(current), *all = size_text(total);
	int filled;

	if (current == 0 && total == 0)
		return must_copy("");
	if (total == 0)
		return must_printf("%8s", done);
	filled = current >= total ? BAR : (int)((double)current / (double)total * 100) / 2;
	return must_printf("[%.*s>%*s] %8s/%s", filled, full, BAR - filled, "", done, all);
}

static char *text_of(json_t *line)
{
	char *text = json_text_of(line, true);

	json_decref(line);
	return text;
}

char *progress_json_step(const char *status, bool ended, uint64_t current, uint64_t total, const char *id)
{
	AUTO_FREE char *bar = progress_json_bar(current, total);
	json_t *line = json_object(), *detail = json_object();

	if (!ended) {
		json_object_set_new(detail, "current", json_size(current));
		if (total)
			json_object_set_new(detail, "total", json_size(total));
	}
	json_object_set_new(line, "status", json_text(status));
	json_object_set_new(line, "progressDetail", detail);
	if (!ended && bar[0])
		json_object_set_new(line, "progress", json_text(bar));
	if (id[0])
		json_object_set_new(line, "id", json_text(id));
	return text_of(line);
}

char *progress_json_error(const char *message)
{
	json_t *line = json_object(), *detail = json_object();

	json_object_set_new(detail, "message", json_text(message));
	json_object_set_new(line, "errorDetail", detail);
	json_object_set_new(line, "error", json_text(message));
	return text_of(line);
}
