#include "fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

static const char *const ab[] = { "a", "b", NULL };
static const char *const ac[] = { "a", "c", NULL };

static int try_open(const char *root, unsigned flags, const char *driver)
{
	struct nacre_open_options options = { .size = sizeof options, .flags = flags, .driver = driver };
	struct nacre_store *store = NULL;
	int code = nacre_store_open(root, &options, &store, &err);
	nacre_store_close(store);
	return code;
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", fixture->root, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(nc_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static void what_is_no_store_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char path[128], file[160];
	snprintf(path, sizeof path, "%s/other", fixture->dir);
	assert_int_equal(try_open(path, NACRE_OPEN_READONLY, NULL), NACRE_E_NOTFOUND);
	assert_int_equal(try_open(path, NACRE_OPEN_NOCREATE, NULL), NACRE_E_NOTFOUND);
	assert_int_equal(try_open(path, 0, "no-such-driver"), NACRE_E_INVALID);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(try_open(path, NACRE_OPEN_NOCREATE, NULL), NACRE_E_NOTFOUND);
	snprintf(file, sizeof file, "%s/precious", path);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(try_open(path, 0, TEST_DRIVER), NACRE_E_INVALID);
	assert_int_equal(try_open(path, NACRE_OPEN_NOCREATE, NULL), NACRE_E_INVALID);
	assert_int_equal(try_open(path, NACRE_OPEN_READONLY, NULL), NACRE_E_INVALID);
	assert_non_null(strstr(err.msg, "precious"));
	unlink(file);
	assert_int_equal(try_open(path, 0, TEST_DRIVER), 0);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(file, sizeof file, "%s/missing/store", path);
	assert_int_equal(try_open(file, 0, TEST_DRIVER), NACRE_E_NOTFOUND);
}

static void a_store_says_what_it_is(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(try_open(fixture->root, 0, "memory"), NACRE_E_INVALID);
	assert_int_equal(try_open(fixture->root, 0, TEST_DRIVER), 0);
	struct nacre_store_info *info = NULL;
	char id[65];
	make_image(fixture->store, ab, "x", id);
	assert_done(nacre_store_info_get(fixture->store, &info, &err));
	assert_string_equal(info->driver, TEST_DRIVER);
	assert_int_equal(info->images, 1);
	assert_int_equal(info->layers, 2);
	assert_int_equal(info->names, 1);
	assert_int_equal(info->mounts, 0);
	nacre_store_info_free(info);
	nacre_store_close(NC_GIVE(fixture->store));
	write_file(fixture, "nacre.json", "{\"layout\":99,\"driver\":\"vfs\"}");
	assert_int_equal(try_open(fixture->root, 0, NULL), NACRE_E_UNSUPPORTED);
	static const char *const damaged[] = {"", "{", "[]", "{\"layout\":1}",
					      "{\"layout\":\"1\",\"driver\":\"vfs\"}"};
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		write_file(fixture, "nacre.json", damaged[i]);
		assert_int_equal(try_open(fixture->root, 0, NULL), NACRE_E_CORRUPT);
	}
	write_file(fixture, "nacre.json", "{\"layout\":1,\"driver\":\"unheard-of\"}");
	assert_int_equal(try_open(fixture->root, 0, NULL), NACRE_E_UNSUPPORTED);
}

static void making_that_was_cut_short_begins_again(void **state)
{
	struct fixture *fixture = *state;
	char path[128], file[160];
	snprintf(path, sizeof path, "%s/other", fixture->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(file, sizeof file, "%s/lock", path);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	snprintf(file, sizeof file, "%s/nacre.tmp", path);
	assert_int_equal(mkdir(file, 0700), 0);
	snprintf(file, sizeof file, "%s/nacre.tmp/nacre.json", path);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(try_open(path, 0, TEST_DRIVER), 0);
	assert_int_equal(access(file, F_OK), -1);
}

static void memory_stores_leave_nothing(void **state)
{
	struct fixture *fixture = *state;
	char path[128], id[65];
	snprintf(path, sizeof path, "%s/memory", fixture->dir);
	struct nacre_store *store = open_with(path, 0, "memory");
	make_image(store, ab, "x", id);
	assert_int_equal(try_open(path, 0, NULL), NACRE_E_BUSY);
	assert_int_equal(try_open(path, NACRE_OPEN_READONLY, NULL), NACRE_E_NOTFOUND);
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(store, "x", &image, &err));
	assert_done(nacre_layer_verify(store, image->layers[1].chain_id, &err));
	nacre_image_free(image);
	nacre_store_close(store);
	assert_int_equal(rmdir(path), 0);
}

static void drivers_tell_whether_they_work(void *ctx, const char *driver, const char *reason)
{
	*(int *)ctx += strcmp(driver, "vfs") == 0 && !reason;
}

static void drivers_are_listed(void **state)
{
	struct fixture *fixture = *state;
	char path[160];
	int works = 0;
	snprintf(path, sizeof path, "%s/not/there/yet", fixture->dir);
	assert_done(nacre_drivers_each(path, drivers_tell_whether_they_work, &works, &err));
	assert_int_equal(works, 1);
	assert_int_equal(entries(fixture, ".."), 1);
}

/* --- the catalog ------------------------------------------------------------------------------------------------ */

static void the_catalog_may_go_at_any_moment(void **state)
{
	struct fixture *fixture = *state;
	char path[256], id[65], got[65];
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	for (int i = 0; i < 12; i++) {
		char word[16], name[16];
		snprintf(word, sizeof word, "w%d", i);
		snprintf(name, sizeof name, "n%d", i);
		if (i % 3 == 0)		/* under an open store */
			unlink(path);
		make_image(fixture->store, (const char *const[]){ "base", word, NULL }, name, id);
		if (i % 4 == 1)
			unlink(path);
		assert_done(nacre_tag(fixture->store, name, "moving", &err));
		if (i % 5 == 2)
			unlink(path);
		assert_done(nc_store_resolve(fixture->store, id, got, NULL, &err));
		if (i % 2 == 1) {
			assert_done(nacre_untag(fixture->store, "moving", &err));
			if (i % 3 == 2)
				unlink(path);
			assert_done(nacre_remove(fixture->store, name, 0, NULL, NULL, &err));
		}
	}
	assert_catalog_true(fixture);
	struct nacre_image_list *list = NULL;
	assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
	assert_int_equal(list->count, 6);
	nacre_image_list_free(list);
}

static void a_damaged_catalog_is_built_anew(void **state)
{
	struct fixture *fixture = *state;
	char path[256], id[65], got[65];
	make_image(fixture->store, ab, "x", id);
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	for (int i = 0; i < 4; i++) {
		nacre_store_close(NC_GIVE(fixture->store));
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		int fd = open(path, O_RDWR);
		char junk[4096];
		memset(junk, 0x5a, sizeof junk);
		if (i == 0)
			assert_int_equal(ftruncate(fd, 0), 0);
		if (i == 1)
			assert_int_equal(write(fd, "no database", 11), 11);
		if (i == 2)	/* only what comes behind the schema */
			for (off_t at = 4096; at < st.st_size; at += 4096)
				assert_int_equal(pwrite(fd, junk, sizeof junk, at), (ssize_t)sizeof junk);
		if (i == 3) {
			sqlite3 *db = NULL;
			assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
			assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 77", NULL, NULL, NULL), SQLITE_OK);
			sqlite3_close(db);
		}
		close(fd);
		reopen(fixture);
		assert_done(nc_store_resolve(fixture->store, id, got, NULL, &err));
		struct nacre_image_list *list = NULL;
		assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
		assert_int_equal(list->count, 1);
		nacre_image_list_free(list);
	}
	assert_catalog_true(fixture);
}

/* Who is in the middle of a change, and needs to know something, cannot wait for himself. */
static void a_catalog_that_cannot_be_built_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	char path[256], id[65], got[65];
	int locks = -1;
	make_image(fixture->store, ab, "x", id);
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	assert_done(nc_locks_open(fixture->store, &locks, &err));
	assert_done(nc_catalog_hold(fixture->store, locks, &err));
	assert_int_equal(unlink(path), 0);
	id[10] = '\0';
	assert_done(nc_store_resolve(fixture->store, id, got, NULL, &err));
	assert_int_equal(access(path, F_OK), -1);
	NC_AUTO_PLAN struct nc_plan plan = { 0 };
	assert_done(nc_plan_add_node(&plan, got, &err));
	assert_done(nc_catalog_learn(fixture->store, &plan, &err));
	nc_catalog_let_go(locks);
	close(locks);
	assert_done(nc_store_resolve(fixture->store, id, got, NULL, &err));
	assert_int_equal(access(path, F_OK), 0);
	assert_catalog_true(fixture);
}

/* --- reading only ----------------------------------------------------------------------------------------------- */

static void read_all(struct nacre_store *store, const char *id)
{
	struct nacre_image *image = NULL;
	assert_done(nacre_image_get(store, "x", &image, &err));
	assert_string_equal(image->id, id);
	assert_done(nacre_layer_verify(store, image->layers[0].chain_id, &err));
	nacre_image_free(image);
	assert_int_equal(nacre_tag(store, "x", "y", &err), NACRE_E_DENIED);
	assert_int_equal(nacre_untag(store, "x", &err), NACRE_E_DENIED);
	assert_int_equal(nacre_remove(store, "x", 0, NULL, NULL, &err), NACRE_E_DENIED);
	assert_int_equal(register_bytes(store, NULL, "", 0, NULL), NACRE_E_DENIED);
}

static void reading_writes_nothing(void **state)
{
	struct fixture *fixture = *state;
	char id[65], before[128], after[128];
	make_image(fixture->store, ab, "x", id);
	/* beside a writer whose log is not empty */
	struct nacre_store *reader = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	read_all(reader, id);
	nacre_store_close(reader);
	nacre_store_close(NC_GIVE(fixture->store));
	char command[256];
	snprintf(command, sizeof command, "find %s -printf '%%p %%T@ %%C@\\n' | sort | md5sum", fixture->root);
	FILE *find = popen(command, "r");
	assert_non_null(fgets(before, sizeof before, find));
	pclose(find);
	reader = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	read_all(reader, id);
	nacre_store_close(reader);
	find = popen(command, "r");
	assert_non_null(fgets(after, sizeof after, find));
	pclose(find);
	assert_string_equal(before, after);
	/* without a catalog, and with one that is damaged */
	char path[256];
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	assert_int_equal(truncate(path, 5000), 0);
	reader = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	read_all(reader, id);
	nacre_store_close(reader);
	unlink(path);
	reader = open_with(fixture->root, NACRE_OPEN_READONLY, NULL);
	read_all(reader, id);
	nacre_store_close(reader);
	assert_int_equal(access(path, F_OK), -1);
}

/* --- several at once -------------------------------------------------------------------------------------------- */

static void wait_for_all(int count)
{
	for (int i = 0; i < count; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static int count_image(void *ctx, const struct nacre_node *node)
{
	*(int *)ctx += node->is_image;
	return 0;
}

static void processes_bring_the_same_layers(void **state)
{
	struct fixture *fixture = *state;
	enum { workers = 4, rounds = 5 };
	nacre_store_close(NC_GIVE(fixture->store));
	for (int w = 0; w < workers; w++) {
		if (fork() != 0)
			continue;
		struct nacre_store *store = open_with(fixture->root, 0, NULL);
		for (int i = 0; i < rounds; i++) {
			char word[16], name[32], author[32], id[65];
			snprintf(word, sizeof word, "w%d", i);
			snprintf(name, sizeof name, "n%d-%d", w, i);
			snprintf(author, sizeof author, "%d", w % 2);
			if (try_image(store, (const char *const[]){ "base", word, "top", NULL }, author,
				      (const char *const[]){ name, NULL }, id) < 0)
				leave(1);
		}
		nacre_store_close(store);
		leave(0);
	}
	wait_for_all(workers);
	reopen(fixture);
	int images = 0;
	assert_done(nacre_nodes_each(fixture->store, NACRE_ALL, NULL, count_image, &images, &err));
	assert_int_equal(images, 2 * rounds);
	assert_int_equal(entries(fixture, "vfs/dir"), 1 + 2 * rounds);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_catalog_true(fixture);
}

static void one_removes_while_another_loads(void **state)
{
	struct fixture *fixture = *state;
	enum { workers = 4, rounds = 12 };
	nacre_store_close(NC_GIVE(fixture->store));
	for (int w = 0; w < workers; w++) {
		if (fork() != 0)
			continue;
		struct nacre_store *store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
		char id[65], name[16], author[16];
		snprintf(name, sizeof name, "n%d", w);
		snprintf(author, sizeof author, "%d", w);
		for (int i = 0; i < rounds; i++) {
			if (try_image(store, i % 2 ? ab : ac, author, (const char *const[]){ name, NULL }, id) < 0)
				leave(1);
			struct nacre_image *image = NULL;
			if (nacre_image_get(store, name, &image, &err) < 0 ||
			    nacre_layer_verify(store, image->layers[1].chain_id, &err) < 0)
				leave(2);
			nacre_image_free(image);
			int code = nacre_remove(store, name, 0, NULL, NULL, &err);
			if (code < 0)
				leave(3);
		}
		nacre_store_close(store);
		leave(0);
	}
	wait_for_all(workers);
	reopen(fixture);
	struct nacre_image_list *list = NULL;
	assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
	assert_int_equal(list->count, 0);
	nacre_image_list_free(list);
	assert_int_equal(entries(fixture, "names"), 0);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_int_equal(entries(fixture, "vfs/dir") + 1, entries(fixture, "graph"));
	assert_catalog_true(fixture);
}

/* --- failing again and again ------------------------------------------------------------------------------------ */

static size_t count_descriptors(void)
{
	size_t count = 0;
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	assert_done(nc_dir_each(fd, count_name, &count, &err));
	close(fd);
	return count;
}

static void failures_cost_nothing(void **state)
{
	struct fixture *fixture = *state;
	static const char junk[2048] = "this is no archive";
	size_t before = count_descriptors();
	for (int i = 0; i < 300; i++) {
		assert_int_equal(register_bytes(fixture->store, NULL, junk, sizeof junk, NULL), NACRE_E_BADDATA);
		assert_int_equal(nacre_remove(fixture->store, "nothing", 0, NULL, NULL, &err), NACRE_E_NOTFOUND);
		assert_int_equal(nacre_delete(fixture->store, "abc", &err), NACRE_E_NOTFOUND);
		assert_int_equal(nacre_mount(fixture->store, "nothing", NULL, NULL, &err), NACRE_E_NOTFOUND);
	}
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
}

/* A file system of its own, of so many KiB, at the fixture's directory "small". False when we may not mount. */
static bool mount_small(const struct fixture *fixture, int kib, char *ret_path, size_t size)
{
	char options[64];
	snprintf(ret_path, size, "%s/small", fixture->dir);
	snprintf(options, sizeof options, "size=%dk", kib);
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mkdir(ret_path, 0700) == 0 && mount("tmpfs", ret_path, "tmpfs", 0, options) == 0;
}

static void a_full_disk_leaves_the_store_as_it_was(void **state)
{
	struct fixture *fixture = *state;
	struct fixture small = *fixture;
	char path[80], id[65];
	if (!mount_small(fixture, 2048, path, sizeof path))
		skip();
	snprintf(small.root, sizeof small.root, "%s/s", path);
	small.store = open_with(small.root, 0, TEST_DRIVER);
	make_image(small.store, ab, "kept", id);
	NC_AUTO_BUF struct nc_buf tar;
	char *big = malloc(1 << 21);
	memset(big, 'x', 1 << 21);
	big[(1 << 21) - 1] = '\0';
	make_tar(&tar, (const char *const[]){ "a", "small", "b", big, NULL });
	for (int i = 0; i < 3; i++) {
		assert_int_equal(register_bytes(small.store, NULL, tar.data, tar.len, NULL), NACRE_E_NOSPACE);
		assert_int_equal(entries(&small, "graph/_tmp"), 0);
		assert_int_equal(entries(&small, "vfs/dir"), 2);
	}
	/* from nearly full to quite full: something is written every time, or nothing */
	char filler[200];
	snprintf(filler, sizeof filler, "%s/filler", path);
	int fd = open(filler, O_WRONLY | O_CREAT, 0600);
	for (int room = 256; room >= 0; room -= 4) {
		struct nacre_image_list *list = NULL;
		char word[16];
		snprintf(word, sizeof word, "w%d", room);
		struct statfs fs;
		assert_int_equal(fstatfs(fd, &fs), 0);
		off_t spare = (off_t)fs.f_bavail * fs.f_bsize - (off_t)room * 1024;
		struct stat st;
		fstat(fd, &st);
		if (spare > 0)
			assert_int_equal(posix_fallocate(fd, st.st_size, spare), 0);
		int code = try_image(small.store, (const char *const[]){ "a", word, NULL }, word,
				     (const char *const[]){ word, NULL }, id);
		assert_true(code == 0 || code == NACRE_E_NOSPACE || code == NACRE_E_IO);
		if (code < 0) {
			assert_int_equal(ftruncate(fd, 0), 0);
			reopen(&small);
			assert_int_equal(entries(&small, "graph/_tmp"), 0);
		}
		assert_done(nacre_image_list(small.store, NULL, &list, &err));
		assert_int_equal(list->damaged, 0);
		bool named = list->count == 2;
		assert_int_equal(entries(&small, "vfs/dir"), named ? 3 : 2);
		assert_int_equal(entries(&small, "graph"), named ? 6 : 4);
		nacre_image_list_free(list);
		assert_true(named || code < 0);
		if (named) {
			/* with no room left it may fail half way, and is then finished by whoever opens the store */
			code = nacre_remove(small.store, word, 0, NULL, NULL, &err);
			assert_true(code == 0 || code == NACRE_E_NOSPACE || code == NACRE_E_IO);
		}
		assert_int_equal(ftruncate(fd, 0), 0);
		if (named && code < 0) {
			reopen(&small);
			code = nacre_remove(small.store, word, 0, NULL, NULL, &err);
			assert_true(code == 0 || code == NACRE_E_NOTFOUND);
		}
		assert_int_equal(entries(&small, "vfs/dir"), 2);
		assert_int_equal(entries(&small, "graph/_tmp"), 0);
	}
	close(fd);
	assert_catalog_true(&small);
	nacre_store_close(small.store);
	free(big);
	assert_int_equal(umount(path), 0);
}

/* --- mounts ----------------------------------------------------------------------------------------------------- */

static int count_mount(void *ctx, const char *id, const char *path)
{
	++*(int *)ctx;
	return 0;
}

static void mounts_are_known(void **state)
{
	struct fixture *fixture = *state;
	char id[65], other[65], dir[160];
	NC_AUTO_FREE char *path = NULL, *again = NULL;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	reopen(fixture);	/* its descriptors belong to the other namespace */
	make_image(fixture->store, ab, "x", id);
	make_image(fixture->store, ac, "y", other);
	int code = nacre_mount(fixture->store, "x", NULL, &path, &err);
	if (code == NACRE_E_UNSUPPORTED)	/* an old kernel */
		skip();
	assert_int_equal(code, 0);
	assert_done(nacre_mount(fixture->store, "x", NULL, &again, &err));
	assert_string_equal(path, again);
	char file[256];
	snprintf(file, sizeof file, "%s/file-b", path);
	assert_int_equal(access(file, R_OK), 0);
	int mounts = 0;
	assert_done(nacre_mounts_each(fixture->store, count_mount, &mounts, &err));
	assert_int_equal(mounts, 1);
	assert_int_equal(nacre_remove(fixture->store, "x", 0, NULL, NULL, &err), NACRE_E_INUSE);
	assert_int_equal(nacre_delete(fixture->store, id, &err), NACRE_E_INUSE);
	snprintf(dir, sizeof dir, "%s/here", fixture->dir);
	assert_int_equal(nacre_mount(fixture->store, "x", dir, NULL, &err), NACRE_E_NOTFOUND);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_done(nacre_mount(fixture->store, "x", dir, NULL, &err));
	assert_int_equal(nacre_mount(fixture->store, "y", dir, NULL, &err), NACRE_E_BUSY);
	assert_int_equal(nacre_umount(fixture->store, dir, &err), 1);
	assert_int_equal(nacre_umount(fixture->store, dir, &err), 0);
	assert_done(nacre_mount(fixture->store, "x", dir, NULL, &err));
	assert_int_equal(nacre_umount(fixture->store, "x", &err), 2);
	assert_int_equal(nacre_umount(fixture->store, "x", &err), 0);
	assert_false(there(fixture, "mnt/x"));
	assert_int_equal(entries(fixture, "mnt"), 0);
	assert_int_equal(entries(fixture, "mounts"), 0);
	/* unmounted behind our back, and of an earlier boot */
	assert_done(nacre_mount(fixture->store, "x", dir, NULL, &err));
	assert_int_equal(umount(dir), 0);
	char record[256];
	snprintf(record, sizeof record,
		 "{\"id\":\"%s\",\"path\":\"/\",\"boot\":\"long ago\",\"namespace\":\"mnt:[1]\"}\n", id);
	write_file(fixture, "mounts/0123456789abcdef0123456789abcdef", record);
	mounts = 0;
	assert_done(nacre_mounts_each(fixture->store, count_mount, &mounts, &err));
	assert_int_equal(mounts, 0);
	assert_done(nacre_remove(fixture->store, "x", 0, NULL, NULL, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_no_store_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_store_says_what_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(making_that_was_cut_short_begins_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_stores_leave_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drivers_are_listed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_catalog_may_go_at_any_moment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_catalog_is_built_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_catalog_that_cannot_be_built_is_not_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reading_writes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(processes_bring_the_same_layers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_removes_while_another_loads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_cost_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_store_as_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mounts_are_known, set_up, tear_down),
	};
	if (getenv("VALGRIND"))	/* it knows neither open_tree nor mount_setattr */
		cmocka_set_skip_filter("mounts_are_known");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
