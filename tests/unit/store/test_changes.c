/* Changes read from a tree that does not hold still, or cannot be read. */
#include "../unit.h"

#include "base/buf.h"
#include "store/changes.h"
#include "tar/header.h"

static struct nacre_error err;

/* A tree of one file "f" in which things go wrong between one look and the next. */
struct shaky {
	struct nc_view base;
	uint64_t size;			/* as stat says */
	const char *content;		/* NULL: cannot be read */
	unsigned looks;			/* how often the file is there still */
	uint64_t device;
};

static int shaky_stat(struct nc_view *view, const char *path, struct nc_view_file *ret, struct nacre_error *to)
{
	struct shaky *self = (struct shaky *)view;
	*ret = (struct nc_view_file){ .number = 1, .links = 1 };
	ret->entry = (struct nc_entry){ .type = NC_ENTRY_DIR, .name = "", .link = "", .mode = 0755 };
	if (!*path)
		return 0;
	if (!self->looks)
		return nc_fail(to, NACRE_E_NOTFOUND, 0, "'/%s' is not there", path);
	self->looks--;
	ret->entry = (struct nc_entry){ .type = NC_ENTRY_FILE, .name = "f", .name_len = 1, .link = "", .mode = 0644,
					.size = self->size };
	ret->device = self->device;
	return 0;
}

static int shaky_names(struct nc_view *view, const char *path,
		       int (*fn)(void *ctx, const char *name, struct nacre_error *to), void *ctx,
		       struct nacre_error *to)
{
	return fn(ctx, "f", to);
}

static int shaky_content(struct nc_view *view, const char *path, struct nc_reader **ret, struct nacre_error *to)
{
	struct shaky *self = (struct shaky *)view;
	if (!self->content)
		return nc_fail(to, NACRE_E_IO, 5, "read '/%s'", path);
	return nc_reader_memory(self->content, strlen(self->content), ret, to);
}

static void shaky_close(struct nc_view *view)
{
}

static const struct nc_view_ops ops = { shaky_stat, shaky_names, shaky_content, shaky_close };

static int run(uint64_t size, const char *content, unsigned looks, struct nc_buf *bytes)
{
	struct shaky shaky = { .base = { .ops = &ops }, .size = size, .content = content, .looks = looks };
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	*bytes = (struct nc_buf)NC_BUF_INIT(1u << 20);
	assert_done(nc_writer_buf(bytes, &out, &err));
	return nc_changes_tar(NULL, &shaky.base, out, NULL, NULL, &err);
}

/* Defect 22 of 2015: a file that could not be read was left out, and the export called a success. */
static void defect_22_a_file_that_cannot_be_read_fails_the_export(void **state)
{
	NC_AUTO_BUF struct nc_buf bytes = NC_BUF_INIT(0);
	assert_int_equal(run(3, NULL, 9, &bytes), NACRE_E_IO);
	assert_non_null(strstr(err.msg, "/f"));
}

static void files_that_change_meanwhile(void **state)
{
	NC_AUTO_BUF struct nc_buf steady = NC_BUF_INIT(0), grown = NC_BUF_INIT(0), other = NC_BUF_INIT(0);
	assert_done(run(3, "abc", 9, &steady));
	assert_int_equal(steady.len, 4 * NC_TAR_BLOCK);
	assert_done(run(3, "abcdef", 9, &grown));
	assert_int_equal(grown.len, steady.len);
	assert_memory_equal(grown.data, steady.data, steady.len);
	assert_int_equal(run(3, "ab", 9, &other), NACRE_E_BUSY);
	assert_non_null(strstr(err.msg, "became shorter"));
	nc_buf_release(&other);
	assert_int_equal(run(3, "abc", 1, &other), NACRE_E_BUSY);
	assert_non_null(strstr(err.msg, "went away"));
}

/* What two trees share is not read, however little its time says. */
static void the_same_file(void **state)
{
	struct shaky before = { .base = { .ops = &ops }, .size = 3, .looks = 9, .device = 7 }, after = before;
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	size_t count = 9;
	assert_done(nc_writer_null(&out, &err));
	assert_done(nc_changes_tar(&before.base, &after.base, out, NULL, &count, &err));
	assert_int_equal(count, 0);
	after.device = 8;
	assert_int_equal(nc_changes_tar(&before.base, &after.base, out, NULL, &count, &err), NACRE_E_IO);
	before.device = after.device = 0;
	assert_int_equal(nc_changes_tar(&before.base, &after.base, out, NULL, &count, &err), NACRE_E_IO);
}

static void cancelling(void **state)
{
	struct shaky shaky = { .base = { .ops = &ops }, .size = 3, .content = "abc", .looks = 9 };
	NC_CLEANUP(nc_writer_auto) struct nc_writer *out = NULL;
	volatile int cancel = 1;
	struct nacre_progress progress = { .cancel = &cancel };
	assert_done(nc_writer_null(&out, &err));
	assert_int_equal(nc_changes_tar(NULL, &shaky.base, out, &progress, NULL, &err), NACRE_E_CANCELLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defect_22_a_file_that_cannot_be_read_fails_the_export),
		cmocka_unit_test(files_that_change_meanwhile),
		cmocka_unit_test(the_same_file),
		cmocka_unit_test(cancelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
