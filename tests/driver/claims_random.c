/* Layers that nobody thought of. */
#include "claims.h"

#include "io/fd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* --- any layer -------------------------------------------------------------------------------------------------- */

/* A linear congruence is all the chance that is needed, and the same everywhere. */
static unsigned dice;

static unsigned roll(unsigned sides)
{
	dice = dice * 1103515245u + 12345u;
	return (dice >> 16) % sides;
}

static void random_path(char *to, unsigned depth)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	*to = '\0';
	for (unsigned i = 0; i < depth; i++) {
		if (i)
			strcat(to, "/");
		strcat(to, names[roll(4)]);
	}
}

static void random_member(char *to, size_t size, unsigned serial)
{
	char path[64], other[64];
	random_path(path, 1 + roll(3));
	random_path(other, 1 + roll(3));
	char *slash = strrchr(path, '/');
	switch (roll(12)) {
	case 0:
	case 1:
	case 2:
		snprintf(to, size, "f %s [%o %u:0 %u] %u", path, 0600 + roll(64), roll(3), serial, serial);
		break;
	case 3:
	case 4:
	case 5:
		snprintf(to, size, "d %s [7%o0 0:%u %u]", path, roll(8), roll(3), serial);
		break;
	case 6:
		snprintf(to, size, "l %s %s%s", path, roll(2) ? "/" : roll(2) ? "../" : "", other);
		break;
	case 7:
		snprintf(to, size, roll(3) ? "s %s [600 0:0 1] 19 2:%s" : "h %s %s", path, other);
		break;
	case 8:
		if (roll(4))
			snprintf(to, size, "p %s [600 0:0 %u]", path, serial);
		else
			snprintf(to, size, roll(2) ? "d . [7%o5 0:0 %u]" : "f .wh..wh.aufs [%o 0:0 %u]", roll(8),
				 serial);
		break;
	case 9:
		snprintf(to, size, "f %.*s%s.wh..wh..opq [600 0:0 %u]", slash ? (int)(slash - path) : 0, path,
			 slash ? "/" : "", serial);
		/* opaque roots would end most stories early */
		if (!slash && roll(8))
			snprintf(to, size, "f a/.wh..wh..opq [600 0:0 %u]", serial);
		break;
	default:
		snprintf(to, size, "f %.*s%s.wh.%s [600 0:0 %u]", slash ? (int)(slash - path) : 0, path,
			 slash ? "/" : "", slash ? slash + 1 : path, serial);
		break;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What goes with a directory is reported in the order of the directory, which is any. */
static bool same_reports(const char *a, const char *b)
{
	char *texts[2] = { strdup(a), strdup(b) }, *parts[2][1000];
	size_t counts[2] = { 0, 0 };
	for (size_t side = 0; side < 2; side++) {
		char *rest;
		for (char *part = strtok_r(texts[side], ";", &rest); part; part = strtok_r(NULL, ";", &rest))
			parts[side][counts[side]++] = part;
		qsort(parts[side], counts[side], sizeof *parts[side], by_text);
	}
	bool same = counts[0] == counts[1];
	for (size_t i = 0; same && i < counts[0]; i++)
		same = strcmp(parts[0][i], parts[1][i]) == 0;
	free(texts[0]);
	free(texts[1]);
	return same;
}

/* Each path that a random layer may have, asked of a view that has not looked at anything yet, one after the other from a random one on. */
static void compare_look_ups(struct rig *other, unsigned id)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	NC_CLEANUP(nc_view_auto) struct nc_view *want_view = NULL;
	struct nacre_error err;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(id), &view, &err));
	assert_done(other->driver->ops->view(other->driver, rig_id(id), &want_view, &err));
	/* digits from 1 on are names */
	for (unsigned i = 0, number = roll(125); i < 125; i++, number = (number + 1) % 125) {
		char path[8] = "";
		bool names = true;
		for (unsigned rest = number, depth = 0; rest; rest /= 5, depth++) {
			names = names && rest % 5;
			sprintf(path + strlen(path), "%s%c", depth ? "/" : "", 'a' + (char)(rest % 5) - 1);
		}
		if (!names)
			continue;
		struct nc_view_file file, want;
		int code = view->ops->stat(view, path, &file, &err), want_code = want_view->ops->stat(want_view, path, &want, &err);
		if (code != want_code || (code == 0 && (file.entry.type != want.entry.type || file.entry.size != want.entry.size ||
							file.entry.mode != want.entry.mode || file.entry.mtime.sec != want.entry.mtime.sec)))
			fail_msg("layer %u, '%s': %d, memory %d", id, path, code, want_code);
	}
}

/* The driver and the memory driver, which shares no code with the others, must be of one mind about random layers. */
void random_layers(void **state)
{
	struct rig other;
	char path[4200];
	snprintf(path, sizeof path, "%s/other", rig.path);
	assert_return_code(mkdir(path, 0700), errno);
	rig_open(&other, "memory", path);
	struct nacre_error err, other_err;
	unsigned layers = 0, refused = 0;
	const char *wanted = getenv("NACRE_TEST_STORIES");
	unsigned stories = wanted ? (unsigned)atoi(wanted) : 60;
	for (unsigned story = 1; story <= stories; story++) {
		unsigned parent = 0, made[6], count = 0;
		for (unsigned i = 0; i < 6; i++) {
			unsigned id = story * 100 + i;
			dice = id;
			NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(1u << 16);
			rig_begin(&rig, id, parent);
			rig_begin(&other, id, parent);
			int code = 0, other_code = 0;
			for (unsigned n = 0; code >= 0 && n < 8; n++) {
				char line[256];
				random_member(line, sizeof line, n + 1);
				nc_buf_addf(&text, NULL, "%s\n", line);
				code = rig_put(&rig, line, &err);
				other_code = rig_put(&other, line, &other_err);
				if (code != other_code)
					fail_msg("layer %u on %u:\n%s%d (%s), memory %d (%s)", id, parent, text.data,
						 code, code < 0 ? err.msg : "", other_code,
						 other_code < 0 ? other_err.msg : "");
			}
			if (code < 0) {
				rig_abort(&rig);
				rig_abort(&other);
				refused++;
				continue;
			}
			char *reports_now = strdup(nc_buf_text(&rig.reports));
			rig_seal(&rig);
			rig_seal(&other);
			if (!rig.keeps_tars && !same_reports(reports_now, nc_buf_text(&other.reports)))
				fail_msg("layer %u on %u:\n%sreports %s, memory %s", id, parent, text.data,
					 reports_now, nc_buf_text(&other.reports));
			free(reports_now);
			if (rig.size != other.size)
				fail_msg("layer %u on %u:\n%ssize %u, memory %u", id, parent, text.data,
					 (unsigned)rig.size, (unsigned)other.size);
			char *tree = rig_view_dump(&rig, id), *want = rig_view_dump(&other, id),
			     *mounted = rig_mount_dump(&rig, id);
			if (strcmp(tree, want) != 0)
				fail_msg("layer %u on %u:\n%sgives:\n%smemory:\n%s", id, parent, text.data, tree,
					 want);
			if (mounted && strcmp(tree, mounted) != 0)
				fail_msg("layer %u on %u:\n%sgives:\n%smounted:\n%s", id, parent, text.data, tree,
					 mounted);
			compare_look_ups(&other, id);
			free(tree);
			free(want);
			free(mounted);
			/* from any tree to any other, and from nothing */
			made[count++] = id;
			prove_changes(story % 7 ? made[roll(count)] : 0, id, story * 100 + 50 + 2 * i);
			prove_changes(id, made[roll(count)], story * 100 + 51 + 2 * i);
			parent = id;
			layers++;
		}
	}
	print_message("%u random layers agreed, %u were refused by both\n", layers, refused);
	assert_true(layers > stories);
	assert_true(refused > stories);
	rig_close(&other);
}
