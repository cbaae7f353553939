/* One looks at what is in the store while another changes it: before any of the calls of who looks, the other does his work. What
 * is seen is what was there before, or what is there after, and nothing in between; and nobody is told that something is damaged.
 * "all": before each call, not each seventh. */
#include "meet.h"

static struct nc_buf said;		/* by who looked */

static int take(void *ctx, const void *bytes, size_t len)
{
	return nc_buf_add(&said, bytes, len, &err);
}

static int take_file(void *ctx, const struct nacre_file *file)
{
	return nc_buf_addf(&said, &err, "%c %s %llu\n", file->type, file->path, (unsigned long long)file->size);
}

static int take_change(void *ctx, char kind, const char *path)
{
	return nc_buf_addf(&said, &err, "%c %s\n", kind, path);
}

static int take_node(void *ctx, const struct nacre_node *node)
{
	return nc_buf_addf(&said, &err, "%s on %s\n", node->id, node->parent);
}

static int take_writable(void *ctx, const struct nacre_writable *writable)
{
	return nc_buf_addf(&said, &err, "%s on %s\n", writable->name, writable->image);
}

static int list_image(struct nacre_store *store)
{
	return nacre_ls(store, nameless_id, "", true, take_file, NULL, &err);
}

static int list_name(struct nacre_store *store)
{
	return nacre_ls(store, "old:1", "", true, take_file, NULL, &err);
}

static int list_writable(struct nacre_store *store)
{
	return nacre_ls(store, "on-top", "", true, take_file, NULL, &err);
}

static int read_image(struct nacre_store *store)
{
	return nacre_cat(store, nameless_id, "file-nameless", take, NULL, &err);
}

static int read_writable(struct nacre_store *store)
{
	return nacre_cat(store, "on-top", "file-kept", take, NULL, &err);
}

static int export_image(struct nacre_store *store)
{
	return nacre_export(store, "old:1", take, NULL, NULL, &err);
}

static int export_writable(struct nacre_store *store)
{
	return nacre_export(store, "on-top", take, NULL, NULL, &err);
}

static int compare_images(struct nacre_store *store)
{
	return nacre_diff(store, "kept:1", nameless_id, take_change, NULL, &err);
}

static int compare_writable(struct nacre_store *store)
{
	return nacre_diff(store, "on-top", NULL, take_change, NULL, &err);
}

static int get_layer(struct nacre_store *store)
{
	return nacre_layer_tar(store, loose_id, take, NULL, &err);
}

static int get_image(struct nacre_store *store)
{
	struct nacre_image *image = NULL;
	int code = nacre_image_get(store, "old:1", &image, &err);
	if (code == 0)
		code = nc_buf_addf(&said, &err, "%s %zu %s\n", image->id, image->layer_count, image->config);
	nacre_image_free(image);
	return code;
}

static int get_images(struct nacre_store *store)
{
	struct nacre_image_list *list = NULL;
	int code = nacre_image_list(store, NULL, &list, &err);
	for (size_t i = 0; code == 0 && i < list->count; i++) {
		code = nc_buf_addf(&said, &err, "%s %llu\n", list->images[i]->id, (unsigned long long)list->images[i]->size);
		for (const char *const *name = list->images[i]->names; code == 0 && name && *name; name++)
			code = nc_buf_addf(&said, &err, "  %s\n", *name);
	}
	if (code == 0)
		code = nc_buf_addf(&said, &err, "%zu damaged\n", list->damaged);
	nacre_image_list_free(list);
	return code;
}

static int get_children(struct nacre_store *store)
{
	return nacre_nodes_each(store, NACRE_CHILDREN, nameless_id, take_node, NULL, &err);
}

static int get_writables(struct nacre_store *store)
{
	return nacre_writables_each(store, take_writable, NULL, &err);
}

static int save_image(struct nacre_store *store)
{
	char path[PATH_MAX], *text = NULL;
	size_t len;
	snprintf(path, sizeof path, "%s/saved", meeting.fixture->dir);
	int code = nacre_save(store, (const char *const[]){ "old:1" }, 1, NACRE_DOCKER_ARCHIVE, path, NULL, &err);
	if (code == 0)
		code = nc_file_read(AT_FDCWD, path, 1 << 24, &text, &len, &err);
	if (code == 0)
		code = nc_buf_add(&said, text, len, &err);
	free(text);
	assert_true(unlink(path) == 0 || code < 0);
	return code;
}

static const struct operation looks[] = {
	{ "list an image", list_image }, { "list a name", list_name }, { "list a writable layer", list_writable },
	{ "read of an image", read_image }, { "read of a writable layer", read_writable }, { "export an image", export_image },
	{ "export a writable layer", export_writable }, { "compare images", compare_images },
	{ "compare a writable layer", compare_writable }, { "get a layer", get_layer }, { "get an image", get_image },
	{ "get all images", get_images }, { "get children", get_children }, { "get writable layers", get_writables },
	{ "save an image", save_image },
};

struct sight {
	int code;
	struct nc_buf said;
};

static void sight_release(struct sight *sight)
{
	nc_buf_release(&sight->said);
}

static struct sight sight_of(int code)
{
	struct sight sight = { .code = code, .said = said };
	said = (struct nc_buf)NC_BUF_INIT(1 << 24);
	return sight;
}

static struct sight look_after(int changed)
{
	begin_anew();
	if (changed)
		work(1, 0);
	work(0, 0);
	return sight_of(meeting.codes[0]);
}

static bool is_same(const struct sight *a, const struct sight *b)
{
	return a->code == b->code && (a->code < 0 || (a->said.len == b->said.len && memcmp(a->said.data, b->said.data, a->said.len) == 0));
}

static bool look_on(const struct operation *look, const struct operation *change, long first, long step)
{
	meeting.who[0] = look;
	meeting.who[1] = change;
	NC_CLEANUP(sight_release) struct sight before = look_after(0);
	NC_CLEANUP(sight_release) struct sight after = look_after(1);
	bool good = true, met = true;
	for (long at = first; good && met; at += step) {
		begin_anew();
		met = first_is_met(at);
		NC_CLEANUP(sight_release) struct sight seen = sight_of(meeting.codes[0]);
		good = is_same(&seen, &before) || is_same(&seen, &after) || seen.code == NACRE_E_BUSY;
		if (!good)
			fprintf(stderr, "before call %ld of '%s' comes '%s': %d (%s)\n%.*sbefore %d\n%.*safter %d\n%.*s", at, look->name,
				change->name, seen.code, err.msg, (int)seen.said.len, seen.said.data, before.code, (int)before.said.len,
				before.said.data, after.code, (int)after.said.len, after.said.data);
	}
	return good;
}

/* A prune is many removals. */
static bool are_apart(const struct operation *look, const struct operation *change)
{
	return change->run == check || (change->run == prune && look->run == get_images);
}

static void what_is_seen_was_there(void **state)
{
	size_t bad = 0;
	said = (struct nc_buf)NC_BUF_INIT(1 << 24);
	prepare(*state);
	all = true;
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
		for (size_t j = 0; j < count; j++)
			bad += !are_apart(&looks[i], &operations[j]) &&
			       !look_on(&looks[i], &operations[j], asked_for_all ? 1 : 1 + (long)(i + j) % 7, asked_for_all ? 1 : 7);
	tidy_up();
	assert_int_equal(bad, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_seen_was_there, set_up_quick, tear_down),
	};
	begin(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
