/* The changes between two trees as a layer: what is in it, and that it makes the one out of the other. */
#include "claims.h"

#include "store/changes.h"
#include "tar/reader.h"

#include <stdio.h>

static struct nc_view *open_view(unsigned number)
{
	struct nacre_error err;
	struct nc_view *view = NULL;
	if (number && rig.driver->ops->view(rig.driver, rig_id(number), &view, &err) < 0)
		fail_msg("view of %u: %s", number, err.msg);
	return view;
}

static size_t changes_to(unsigned a, struct nc_view *after, struct nc_buf *ret)
{
	struct nacre_error err;
	NC_CLEANUP(nc_view_auto) struct nc_view *before = open_view(a);
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	size_t count = 0;
	*ret = (struct nc_buf)NC_BUF_INIT(1u << 26);
	assert_done(nc_writer_buf(ret, &out, &err));
	if (nc_changes_tar(before, after, out, NULL, &count, &err) < 0)
		fail_msg("changes of %u: %s", a, err.msg);
	assert_done(nc_writer_finish(out, &err));
	return count;
}

/* The changes from a (0: nothing) to b as a tar. Returns how many. */
static size_t changes(unsigned a, unsigned b, struct nc_buf *ret)
{
	NC_CLEANUP(nc_view_auto) struct nc_view *after = open_view(b);
	return changes_to(a, after, ret);
}

/* Feeds a tar to the layer that is being written, or lists its members into text. */
static int each_member(const struct nc_buf *bytes, struct nc_buf *text, struct nacre_error *ret_err)
{
	struct nacre_error err;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	NC_CLEANUP(nc_tar_auto) struct nc_tar *tar = NULL;
	struct nc_tar_item item;
	int event;
	assert_done(nc_reader_memory(bytes->data, bytes->len, &reader, &err));
	assert_done(nc_tar_new(reader, &tar, &err));
	while ((event = nc_tar_next(tar, &item, ret_err)) > 0) {
		int code = 0;
		if (event == NC_TAR_ENTRY && text)
			code = nc_buf_addf(text, ret_err, "%c %s%s%s\n", item.entry->type, item.entry->name,
					   *item.entry->link ? " " : "", item.entry->link);
		else if (event == NC_TAR_ENTRY)
			code = nc_tree_entry(rig.tree, item.entry, ret_err);
		else if (event == NC_TAR_DATA && !text)
			code = nc_tree_data(rig.tree, item.bytes, item.len, item.at, ret_err);
		if (code < 0)
			return code;
	}
	return event;
}

size_t lay_changes(unsigned a, struct nc_view *after, unsigned made)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf tar = NC_BUF_INIT(0);
	size_t count = changes_to(a, after, &tar);
	rig_begin(&rig, made, a);
	if (each_member(&tar, NULL, &err) < 0)
		fail_msg("changes over %u: %s", a, err.msg);
	rig_seal(&rig);
	return count;
}

void prove_changes(unsigned a, unsigned b, unsigned made)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf tar = NC_BUF_INIT(0), again = NC_BUF_INIT(0), list = NC_BUF_INIT(1u << 20);
	changes(a, b, &tar);
	assert_done(each_member(&tar, &list, &err));
	rig_begin(&rig, made, a);
	if (each_member(&tar, NULL, &err) < 0)
		fail_msg("%u over %u: %s\n%s", b, a, err.msg, nc_buf_text(&list));
	rig_seal(&rig);
	char *want = rig_view_dump(&rig, b), *got = rig_view_dump(&rig, made);
	if (strcmp(want, got) != 0) {
		char *from = a ? rig_view_dump(&rig, a) : strdup("");
		fail_msg("from\n%s--- to\n%s--- the changes\n%s--- give\n%s", from, want, nc_buf_text(&list), got);
	}
	free(want);
	free(got);
	if (changes(made, b, &again) != 0)
		fail_msg("%u over %u gives a tree that differs", b, a);
	nc_buf_release(&again);
	/* once more, byte for byte, and by way of the tree that was made */
	changes(a, made, &again);
	assert_int_equal(again.len, tar.len);
	assert_memory_equal(again.data, tar.data, tar.len);
}

static void expect(unsigned a, unsigned b, const char *members)
{
	struct nacre_error err;
	NC_AUTO_BUF struct nc_buf tar = NC_BUF_INIT(0), list = NC_BUF_INIT(1u << 20);
	changes(a, b, &tar);
	assert_done(each_member(&tar, &list, &err));
	assert_string_equal(nc_buf_text(&list), members);
	prove_changes(a, b, 1000 + a * 20 + b);
}

void changes_of_every_kind(void **state)
{
	rig_layer(&rig, 1, 0,
		  "d . [755 0:0 5]\nd dir\nf dir/a 1\nf dir/b 2\nf dir/sub/c 3\nf file 4\nf gone 5\nf kept 6\n"
		  "l link kept\nd meta\nf meta/inside 7\nd quiet\nf quiet/changed 8\nd times [755 0:0 9.5]\nf touched 9\n");
	rig_layer(&rig, 2, 1,
		  "d . [750 0:0 5]\nf dir now a file\nd file\nf file/new new\nf .wh.gone\nl link elsewhere\n"
		  "d meta [700 0:0 1000]\nf quiet/changed 9\nd times [755 0:0 9.000000500]\n"
		  "f touched [644 0:0 1001] 9\nd new\nf new/%ff%01%0a bytes\n");
	expect(1, 2,
	       "5 ./\n0 .wh.gone\n0 dir\n5 file/\n0 file/new\n2 link elsewhere\n5 meta/\n5 new/\n0 new/\xff\x01\n\n"
	       "0 quiet/changed\n5 times/\n0 touched\n");
	/* and the way back: a directory that comes again is there with all that it had */
	expect(2, 1,
	       "5 ./\n0 .wh.new\n5 dir/\n0 dir/a\n0 dir/b\n5 dir/sub/\n0 dir/sub/c\n0 file\n0 gone\n2 link kept\n"
	       "5 meta/\n0 quiet/changed\n5 times/\n0 touched\n");
}

void changes_of_nothing(void **state)
{
	rig_layer(&rig, 1, 0, "f a 1\nd b\nh c a\n");
	rig_layer(&rig, 2, 1, "d b\nf a 1\nh c a\n");
	rig_layer(&rig, 3, 0, "d . [755 0:0 0]\n");
	NC_AUTO_BUF struct nc_buf tar = NC_BUF_INIT(0), empty = NC_BUF_INIT(0);
	assert_int_equal(changes(1, 2, &tar), 0);
	assert_int_equal(tar.len, 1024);
	assert_int_equal(changes(0, 3, &empty), 0);
	assert_int_equal(empty.len, 1024);
	expect(0, 1, "0 a\n5 b/\n1 c a\n");
	expect(1, 3, "0 .wh.a\n0 .wh.b\n0 .wh.c\n");
}

/* Size and time say nothing where the time has no fraction. */
void changes_within_a_second(void **state)
{
	rig_layer(&rig, 1, 0, "f a [644 0:0 7] one\nf b [644 0:0 7] one\nf c [644 0:0 7.000000001] one\n");
	rig_layer(&rig, 2, 1, "f a [644 0:0 7] two\nf b [644 0:0 7] one\nf c [644 0:0 7.000000002] one\n");
	expect(1, 2, "0 a\n0 c\n");
}

void changes_of_opaque_directories(void **state)
{
	rig_layer(&rig, 1, 0, "d d\nf d/a 1\nf d/b 2\nd e\nf e/a 1\nf e/same 1\n");
	rig_layer(&rig, 2, 1, "f d/.wh..wh..opq\nf d/c 3\nd d\nf .wh.e\nd e\nf e/same 1\n");
	expect(1, 2, "0 d/.wh.a\n0 d/.wh.b\n0 d/c\n0 e/.wh.a\n");
}

void changes_of_hard_links(void **state)
{
	rig_layer(&rig, 1, 0, "f a 1\nh b a\nh c a\nf x 2\nf y 2\nf z 3\nh zz z\n");
	rig_layer(&rig, 2, 1, "f .wh.c\n");
	expect(1, 2, "0 .wh.c\n");
	/* one more name: all of them, so that they are one inside the layer */
	rig_layer(&rig, 3, 1, "f n 1\nf a 1\nh b a\nh c a\nh d a\n");
	expect(1, 3, "0 a\n1 b a\n1 c a\n1 d a\n0 n\n");
	/* equal files that become one, and one that falls into two */
	rig_layer(&rig, 4, 1, "f x 2\nh y x\nf zz 3\n");
	expect(1, 4, "0 x\n1 y x\n0 z\n0 zz\n");
	expect(4, 1, "0 x\n0 y\n0 z\n1 zz z\n");
	rig_layer(&rig, 5, 1, "f z 4\nh zz z\n");
	expect(1, 5, "0 z\n1 zz z\n");
	/* a name changes hands */
	rig_layer(&rig, 6, 1, "f x 2\nh b x\n");
	rig_layer(&rig, 7, 0, "f a 1\nf x 1\nh b x\nh c a\nf y 2\nf z 3\nh zz z\n");
	prove_changes(1, 6, 900);
	prove_changes(6, 1, 901);
	prove_changes(1, 7, 902);
	prove_changes(7, 6, 903);
	prove_changes(4, 3, 904);
}

void changes_of_other_files(void **state)
{
	struct nacre_error err;
	rig_layer(&rig, 1, 0, "p fifo\nl l a\nc null 1:3\nb disk 8:0\nf own [4755 1:2 3] x {user.k=v}\n");
	rig_layer(&rig, 2, 1, "p fifo [600 0:0 1000]\nl l [777 3:4 1000] a\nc null 1:5\nb disk 8:0\n"
			      "f own [4755 1:2 3] x {user.k=w}\nf %20%3d [644 0:0 -5.5] \n");
	expect(1, 2, "0  =\n6 fifo\n2 l a\n3 null\n0 own\n");
	prove_changes(2, 1, 900);
	prove_changes(0, 2, 901);
	char name[256];
	memset(name, 'n', 255);
	name[255] = '\0';
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(1u << 16);
	for (unsigned depth = 0; depth < 20; depth++)
		assert_done(nc_buf_addf(&text, NULL, "%s%s", depth ? "/" : "f ", name));
	assert_done(nc_buf_addf(&text, NULL, " deep\nf %.250s short\n", name));
	rig_layer(&rig, 3, 1, text.data);
	prove_changes(1, 3, 902);
	prove_changes(3, 1, 903);
	prove_changes(0, 3, 904);
}

void expect_no_layer(unsigned a, struct nc_view *after)
{
	struct nacre_error err;
	NC_CLEANUP(nc_view_auto) struct nc_view *before = open_view(a);
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	assert_done(nc_writer_null(&out, &err));
	assert_int_equal(nc_changes_tar(before, after, out, NULL, NULL, &err), NACRE_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, ".wh."));
}
