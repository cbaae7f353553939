/* A thousand loads that fail, one after the other on one handle (B23 and B29 of docs/security.md): no memory, descriptor, thread or
 * file is left of them, and nothing of what they were told is still there for the next. */
#include "room.h"

#include <dirent.h>
#include <malloc.h>

enum { ROUNDS = 200, KINDS = 5 };

static const char *const bad[KINDS] = { "cut.tar", "other.tar", "layer.tar", "words.tar", "layout" };

static void write_bad(void)
{
	struct image good = image_of("good", NC_GZIP, NULL), wrong = image_of("wrong", NC_GZIP, NULL);
	struct bytes keep = good.blobs[1];
	struct pack pack;
	size_t len;
	/* an archive that ends too early */
	write_docker("cut.tar", &good, "[\"bad:cut\"]");
	char *whole = get_file("cut.tar", &len);
	put_file("cut.tar", whole, len / 2);
	free(whole);
	/* a layer that is another's, and one that breaks off */
	good.blobs[1] = wrong.blobs[1];
	write_docker("other.tar", &good, "[\"bad:other\"]");
	good.blobs[1] = keep;
	good.blobs[1].len /= 2;
	write_docker("layer.tar", &good, "[\"bad:layer\"]");
	good.blobs[1] = keep;
	pack_begin(&pack);
	pack_docker_image(&pack, &good);
	pack_text(&pack, "manifest.json", "[{\"Config\":");
	pack_write(&pack, "words.tar");
	/* a blob that does not have its digest */
	good.blobs[1].data[good.blobs[1].len / 2] ^= 1;
	write_layout("layout", &good, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"bad:layout\"}");
	image_free(&good);
	image_free(&wrong);
}

static int entries_in(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void fail_with_each(struct nacre_store *store)
{
	const struct nacre_copy_options options = { .size = sizeof options, .name = "told:once", .blobs = NACRE_BLOBS_KEEP };
	for (int i = 0; i < KINDS; i++) {
		struct nacre_copied *copied = NULL;
		int code = nacre_load(store, at("", bad[i]), &options, &copied, &err);
		if (code != NACRE_E_BADDATA && code != NACRE_E_DIGEST)
			fail_msg("%s: %d (%s)", bad[i], code, err.msg);
		assert_null(copied);
	}
}

static void leave_nothing(void **state)
{
	struct image good = image_of("good", NC_GZIP, NULL);
	struct nacre_open_options options = { .size = sizeof options, .flags = NACRE_OPEN_NOSYNC, .driver = "vfs" };
	struct nacre_store *store;
	struct nacre_copied *copied;
	write_bad();
	write_docker("good.tar", &good, "[\"good:1\"]");
	assert_done(nacre_store_open(at("", "store"), &options, &store, &err));
	fail_with_each(store);
	fail_with_each(store);
	int descriptors = entries_in("/proc/self/fd"), threads = entries_in("/proc/self/task");
	size_t in_use = mallinfo2().uordblks;
	for (int round = 0; round < (getenv("VALGRIND") ? 4 : ROUNDS); round++)
		fail_with_each(store);
	assert_int_equal(entries_in("/proc/self/fd"), descriptors);
	assert_int_equal(entries_in("/proc/self/task"), threads);
	/* what ASan puts in place of malloc tells nothing here, and finds leaks by itself */
	size_t now = mallinfo2().uordblks;
	if (now > in_use && now - in_use >= 16 * ROUNDS * KINDS)	/* malloc keeps a few that were freed */
		fail_msg("%d failing loads leave %zu bytes", ROUNDS * KINDS, now - in_use);
	assert_int_equal(entries_of("store/graph"), 1);		/* _tmp */
	assert_int_equal(entries_of("store/graph/_tmp"), 0);
	assert_int_equal(entries_of("store/blobs/sha256"), 0);
	assert_int_equal(entries_of("store/vfs/dir"), 0);

	assert_done(nacre_load(store, at("", "good.tar"), NULL, &copied, &err));
	assert_int_equal(copied->count, 1);
	assert_string_equal(copied->images[0].names[0], "docker.io/library/good:1");
	assert_null(copied->images[0].names[1]);
	nacre_copied_free(copied);
	assert_int_equal(entries_of("store/blobs/sha256"), 0);
	nacre_store_close(store);
	image_free(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(leave_nothing, enter_room, leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
