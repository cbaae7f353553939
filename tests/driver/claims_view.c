/* What comes out again: content and views. */
#include "claims.h"

#include "io/fd.h"

#include <stdio.h>

/* --- content ---------------------------------------------------------------------------------------------------- */

static void check_content(unsigned layer, const char *name, const char *want)
{
	struct nacre_error err;
	struct nc_reader *reader;
	uint64_t size;
	int code = rig.driver->ops->content(rig.driver, rig_id(layer), name, strlen(name), &reader, &size, &err);
	if (!want) {
		assert_int_equal(code, NACRE_E_CORRUPT);
		return;
	}
	if (code < 0)
		fail_msg("content of '%s': %s", name, err.msg);
	char *bytes;
	size_t len;
	assert_done(nc_reader_slurp(reader, 1000, &bytes, &len, &err));
	assert_int_equal(len, size);
	assert_string_equal(bytes, want);
	free(bytes);
	nc_reader_close(reader);
}

void content(void **state)
{
	struct nacre_error err;
	rig_begin(&rig, 1, 0);
	assert_int_equal(rig_put(&rig, "f ./a//f content\n", &err), NC_PUT_BY_NAME);
	assert_int_equal(rig_put(&rig, "d d\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "l l d\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "f l/x 1\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "s s 10 2:ab\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "f .wh.y ignored\n", &err), NC_PUT_DONE);
	assert_int_equal(rig_put(&rig, "p p\n", &err), NC_PUT_DONE);
	rig_seal(&rig);
	check_content(1, "./a//f", "content");
	check_content(1, "/a/f", "content");
	check_content(1, "a", NULL);
	check_content(1, "l", NULL);
	check_content(1, "l/x", NULL);
	check_content(1, "p", NULL);
	check_content(1, "nothing", NULL);
	check_content(1, "a/f/g", NULL);
}

void sparse(void **state)
{
	rig_layer(&rig, 1, 0, "s a 10 2:ab 8:yz\ns b 4 0:ab\ns c 5\ns d 3 0:abc\n");
	rig_expect(&rig, 1, "f a %00%00ab%00%00%00%00yz\nf b ab%00%00\nf c %00%00%00%00%00\nf d abc\n");
	assert_int_equal(rig.size, 22);
	struct nacre_error err;
	uint64_t bytes;
	/* holes are holes, also in what the next layer has of them */
	rig_layer(&rig, 2, 0, "s big 100000000000 5000000:hello 99999999990:world\n");
	rig_layer(&rig, 3, 2, "h link big\n");
	for (unsigned layer = 2; layer <= 3; layer++) {
		assert_done(rig.driver->ops->usage(rig.driver, rig_id(layer), &bytes, &err));
		assert_true(bytes < 1000000);
	}
	struct nc_view *view;
	struct nc_view_file file;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(3), &view, &err));
	assert_done(view->ops->stat(view, "link", &file, &err));
	assert_true(file.entry.size == 100000000000);
	nc_view_close(view);
}

void wrong_content(void **state)
{
	struct nacre_error err;
	struct nc_entry entry = {
		.type = NC_ENTRY_FILE, .name = "f", .name_len = 1, .link = "", .mode = 0644, .size = 5, .stored = 5};
	rig_begin(&rig, 1, 0);
	assert_int_equal(nc_tree_data(rig.tree, "x", 1, 0, &err), NACRE_E_INVALID);
	assert_int_equal(nc_tree_entry(rig.tree, &entry, &err), NC_PUT_BY_NAME);
	assert_int_equal(nc_tree_data(rig.tree, "123456", 6, 0, &err), NACRE_E_INVALID);
	assert_int_equal(nc_tree_data(rig.tree, "123", 3, 0, &err), 0);
	assert_int_equal(nc_tree_entry(rig.tree, &entry, &err), NACRE_E_INVALID);
	rig_abort(&rig);
	rig_begin(&rig, 1, 0);
	assert_int_equal(nc_tree_entry(rig.tree, &entry, &err), NC_PUT_BY_NAME);
	uint64_t size;
	assert_int_equal(nc_tree_seal(&rig.tree, &size, &err), NACRE_E_INVALID);
	assert_null(rig.tree);
	rig_abort(&rig);
	assert_int_equal(rig.driver->ops->has(rig.driver, rig_id(1), &err), 0);
}

/* --- views ------------------------------------------------------------------------------------------------------ */

static int list_name(void *ctx, const char *name, struct nacre_error *err)
{
	return nc_buf_addf(ctx, err, "%s ", name);
}

static int list_kind(void *ctx, char kind, const char *path, struct nacre_error *err)
{
	return nc_buf_addf(ctx, err, "%c %s\n", kind, path);
}

static void resolve(struct nc_view *view, const char *path, bool last, const char *want)
{
	struct nacre_error err;
	char *got = NULL;
	int code = nc_view_resolve(view, path, last, &got, &err);
	if (!want) {
		assert_int_equal(code, NACRE_E_NOTFOUND);
		return;
	}
	if (code < 0)
		fail_msg("resolving '%s': %s", path, err.msg);
	assert_string_equal(got, want);
	free(got);
}

void views(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "d d\nf d/x 1\nf gone 1\nl link /d\nl loop loop\nl rel d/../link/x\n");
	rig_layer(&rig, 2, 1, "f .wh.gone\nf d/y 2\nd e\nl e/up ../../../d\n");
	struct nc_view *view, *before;
	struct nc_view_file file;
	char *path;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(2), &view, &err));
	assert_done(rig.driver->ops->view(rig.driver, rig_id(1), &before, &err));
	assert_int_equal(view->ops->stat(view, "gone", &file, &err), NACRE_E_NOTFOUND);
	assert_int_equal(view->ops->stat(view, "d/x/y", &file, &err), NACRE_E_NOTFOUND);
	assert_int_equal(view->ops->stat(view, "link/x", &file, &err), NACRE_E_NOTFOUND);
	assert_int_equal(view->ops->names(view, "d/x", list_name, NULL, &err), NACRE_E_INVALID);
	assert_int_equal(view->ops->names(view, "gone", list_name, NULL, &err), NACRE_E_NOTFOUND);
	NC_AUTO_BUF struct nc_buf list = NC_BUF_INIT(10000);
	assert_done(view->ops->names(view, "", list_name, &list, &err));
	assert_done(view->ops->names(view, "d", list_name, &list, &err));
	assert_string_equal(list.data, "d e link loop rel x y ");
	resolve(view, "/d/x", true, "d/x");
	resolve(view, "link/x", true, "d/x");
	resolve(view, "link", false, "link");
	resolve(view, "link", true, "d");
	resolve(view, "link/", false, "d");
	resolve(view, "rel", true, "d/x");
	resolve(view, "e/up/../d/./x", true, "d/x");
	resolve(view, "../../..", true, "");
	resolve(view, "e/up/y", true, "d/y");
	resolve(view, "d/x/..", true, NULL);
	resolve(view, "gone", true, NULL);
	resolve(view, "nothing/..", true, NULL);
	assert_int_equal(nc_view_resolve(view, "loop", true, &path, &err), NACRE_E_INVALID);
	resolve(view, "loop", false, "loop");

	nc_buf_clear(&list);
	assert_done(nc_view_diff(before, view, list_kind, &list, &err));
	assert_string_equal(list.data, "A d/y\nA e\nA e/up\nD gone\n");
	nc_buf_clear(&list);
	assert_done(nc_view_diff(NULL, before, list_kind, &list, &err));
	assert_string_equal(list.data, "A d\nA d/x\nA gone\nA link\nA loop\nA rel\n");
	nc_view_close(view);
	nc_view_close(before);
	assert_int_equal(rig.driver->ops->view(rig.driver, rig_id(9), &view, &err), NACRE_E_NOTFOUND);
}

void differences(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0,
		  "f content abc\nf d/x 1\nf dir/y 1\nf dir/z/y 1\nf file 1\nf large 1\nf mode 1\nf owner 1\nf same "
		  "1\nf time abc\n"
		  "l to a\nf touched [644 0:0 1000.000000001] abc\nf xattr 1\nc zdev 1:3\n");
	rig_layer(&rig, 2, 1,
		  "f content abd\nd d [700 0:0 1000]\nf dir now-file\nd file\nf file/new 1\nf large 11\nf mode [600 "
		  "0:0 1000] 1\n"
		  "f owner [644 1:0 1000] 1\nf same 1\nf time [644 0:0 7] abc\nl to b\nf touched [644 0:0 "
		  "1000.000000002] abc\n"
		  "f xattr 1 {user.k=v}\nc zdev 1:5\n");
	struct nc_view *before, *after;
	assert_done(rig.driver->ops->view(rig.driver, rig_id(1), &before, &err));
	assert_done(rig.driver->ops->view(rig.driver, rig_id(2), &after, &err));
	NC_AUTO_BUF struct nc_buf list = NC_BUF_INIT(10000);
	assert_done(nc_view_diff(before, after, list_kind, &list, &err));
	assert_string_equal(
		list.data,
		"C content\nC d\nC dir\nC file\nA file/new\nC large\nC mode\nC owner\nC to\nC xattr\nC zdev\n");
	nc_view_close(before);
	nc_view_close(after);
}
