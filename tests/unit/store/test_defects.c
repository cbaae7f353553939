/* The 27 defects of the graph of 2015, by their numbers (docs/graph.md): each test shows what nacre does instead. Those
 * that need several processes or the command are in tests/story/defects.bats. */
#include "fixture.h"

#include "io/reader.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#define NO_NODE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST_A "sha256:" NO_NODE
#define DIGEST_B "sha512:" NO_NODE NO_NODE

/* --- what the tests are made of --------------------------------------------------------------------------------- */

static int append(void *ctx, const void *bytes, size_t len)
{
	return nc_buf_add(ctx, bytes, len, NULL);
}

static int register_files(const struct fixture *fixture, const char *parent, const char *const *pairs, char *ret_id)
{
	NC_AUTO_BUF struct nc_buf tar;
	struct nacre_register_options options = { .size = sizeof options, .parent = parent };
	make_tar(&tar, pairs);
	return register_bytes(fixture->store, &options, tar.data, tar.len, ret_id);
}

static void layer(const struct fixture *fixture, const char *parent, const char *word, char *ret_id)
{
	assert_int_equal(register_files(fixture, parent, (const char *const[]){ "file", word, NULL }, ret_id), 0);
}

static void assert_tar(const struct fixture *fixture, const char *id, const struct nc_buf *tar)
{
	NC_AUTO_BUF struct nc_buf got = NC_BUF_INIT((size_t)64 << 20);
	assert_done(nacre_layer_tar(fixture->store, id, append, &got, &err));
	assert_int_equal(got.len, tar->len);
	assert_memory_equal(nc_buf_text(&got), nc_buf_text(tar), tar->len);
}

static void assert_nothing_left(const struct fixture *fixture)
{
	assert_int_equal(entries(fixture, "graph"), 1);		/* _tmp */
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	assert_int_equal(entries(fixture, "vfs/dir"), 0);
}

/* In the node's directory. */
static void write_file(const struct fixture *fixture, const char *id, const char *file, const char *text)
{
	NC_AUTO_FD int dir = -1;
	assert_done(nc_node_open(fixture->store, id, &dir, &err));
	assert_done(nc_file_replace(dir, file, text, strlen(text), false, &err));
}

static void drop_file(const struct fixture *fixture, const char *id, const char *file)
{
	NC_AUTO_FD int dir = -1;
	assert_done(nc_node_open(fixture->store, id, &dir, &err));
	assert_int_equal(unlinkat(dir, file, 0), 0);
}

/* The catalog is built from the files again. */
static void read_all_again(struct fixture *fixture, unsigned flags)
{
	char path[256];
	nacre_store_close(fixture->store);
	snprintf(path, sizeof path, "%s/catalog.db", fixture->root);
	unlink(path);
	fixture->store = open_with(fixture->root, 0, NULL);
	nacre_store_close(fixture->store);
	fixture->store = open_with(fixture->root, flags, NULL);
}

static int count_node(void *ctx, const struct nacre_node *node)
{
	++*(int *)ctx;
	return 0;
}

static int count_nodes(const struct fixture *fixture, enum nacre_select select, const char *parent)
{
	int count = 0;
	assert_done(nacre_nodes_each(fixture->store, select, parent, count_node, &count, &err));
	return count;
}

/* Member by member, for what make_tar does not do. */
struct archive {
	struct nc_buf bytes;
	struct nc_writer *out;
	struct nc_tar_writer *tar;
};

static void archive_open(struct archive *archive)
{
	archive->bytes = (struct nc_buf)NC_BUF_INIT((size_t)64 << 20);
	assert_done(nc_writer_buf(&archive->bytes, &archive->out, &err));
	assert_done(nc_tar_writer_new(archive->out, &archive->tar, &err));
}

static void archive_add(struct archive *archive, struct nc_entry entry, const char *text)
{
	entry.name_len = strlen(entry.name);
	entry.link = entry.link ? entry.link : "";
	entry.link_len = strlen(entry.link);
	entry.uid = geteuid();
	entry.gid = getegid();
	entry.size = entry.stored = strlen(text);
	entry.mtime = (struct nc_time){ 1400000000, 0 };
	assert_done(nc_tar_writer_entry(archive->tar, &entry, &err));
	assert_done(nc_tar_writer_data(archive->tar, text, strlen(text), &err));
}

static void archive_close(struct archive *archive)
{
	assert_done(nc_tar_writer_finish(archive->tar, &err));
	nc_tar_writer_free(archive->tar);
	nc_writer_close(archive->out);
}

/* --- 1 to 9 ----------------------------------------------------------------------------------------------------- */

static void defect_1(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char id[65] = NO_NODE;
	struct nacre_register_options options = { .size = sizeof options, .id = id };
	make_tar(&tar, (const char *const[]){ "file", "precious", NULL });
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, NULL), 0);
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, NULL), 1);
	assert_tar(fixture, id, &tar);
	/* other content, none at all, and a stream that breaks */
	NC_AUTO_BUF struct nc_buf other;
	make_tar(&other, (const char *const[]){ "file", "another!", NULL });
	assert_int_equal(register_bytes(fixture->store, &options, other.data, other.len, NULL), NACRE_E_EXISTS);
	assert_int_equal(nacre_register(fixture->store, -1, &options, NULL, &err), NACRE_E_EXISTS);
	assert_true(register_bytes(fixture->store, &options, tar.data, 700, NULL) < 0);
	assert_tar(fixture, id, &tar);
}

struct looker {
	const struct fixture *fixture;
	const char *id;
	atomic_bool stop;
	int rounds;
};

static int look_deeper(void *ctx, const struct nacre_node *node)
{
	struct looker *looker = ctx;
	struct nacre_node again;
	/* calls back into the store, which must not wait for itself */
	nacre_node_get(looker->fixture->store, node->id, &again, NULL);
	nacre_nodes_each(looker->fixture->store, NACRE_HEADS, NULL, count_node, &(int){ 0 }, NULL);
	return 0;
}

static void *look(void *ctx)
{
	struct looker *looker = ctx;
	for (; !atomic_load(&looker->stop); looker->rounds++)
		if (nacre_nodes_each(looker->fixture->store, NACRE_ALL, NULL, look_deeper, looker, NULL) < 0)
			break;
	return NULL;
}

static void defect_2(void **state)
{
	struct fixture *fixture = *state;
	struct looker lookers[2] = { { .fixture = fixture }, { .fixture = fixture } };
	pthread_t threads[2];
	char id[65];
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, &lookers[i]), 0);
	alarm(60);		/* who waits for ever is killed */
	for (int i = 0; i < 25; i++) {
		char word[16];
		snprintf(word, sizeof word, "word %d", i);
		layer(fixture, NULL, word, id);
		if (i % 2)
			assert_done(nacre_delete(fixture->store, id, &err));
	}
	for (int i = 0; i < 2; i++) {
		atomic_store(&lookers[i].stop, true);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(lookers[i].rounds > 0);
	}
	alarm(0);
}

static void defect_3(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_node node;
	char id[65], digest[NACRE_DIGEST_MAX];
	NC_AUTO_FREE char *json = NULL;
	assert_int_equal(nacre_node_get(fixture->store, NO_NODE, &node, NULL), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_node_json(fixture->store, NO_NODE, &json, NULL, NULL), NACRE_E_NOTFOUND);
	assert_int_equal(nacre_delete(fixture->store, NO_NODE, NULL), NACRE_E_NOTFOUND);
	layer(fixture, NULL, "x", id);
	assert_int_equal(nacre_node_digest(fixture->store, id, digest, NULL), NACRE_E_UNSET);
	/* a sentence that speaks of what does not exist, and is another failure all the same */
	write_file(fixture, id, "json", "{\"comment\":\"no such file, does not exist\"");
	uint64_t size;
	drop_file(fixture, id, "layersize");
	assert_int_equal(nacre_node_size(fixture->store, id, &size, NULL), NACRE_E_CORRUPT);
}

/* Until the process may open no more than so many. */
static void allow_descriptors(rlim_t count)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count ? count : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t lowest_free(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(fd);
	return (rlim_t)fd;
}

static void defect_4(void **state)
{
	struct fixture *fixture = *state;
	struct nacre_image_list *list = NULL;
	char good[65], bad[65], digest[NACRE_DIGEST_MAX];
	make_image(fixture->store, (const char *const[]){ "a", NULL }, "good", good);
	make_image(fixture->store, (const char *const[]){ "b", NULL }, "bad", bad);
	write_file(fixture, bad, "config", "{");
	read_all_again(fixture, 0);
	assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
	assert_int_equal(list->count, 1);
	assert_int_equal(list->damaged, 1);
	assert_non_null(strstr(list->damage, (char[]){ bad[0], bad[1], bad[2], bad[3], '\0' }));
	nacre_image_list_free(list);
	/* it is there, though unreadable */
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, bad, &node, &err));
	/* a system that opens no more files says nothing about what is there */
	allow_descriptors(lowest_free());
	int code = nacre_node_digest(fixture->store, good, digest, &err);
	int other = nacre_layer_verify(fixture->store, good, &err);
	allow_descriptors(0);
	assert_int_equal(code, NACRE_E_IO);
	assert_true(other < 0 && other != NACRE_E_NOTFOUND);
}

static void defect_5(void **state)
{
	struct fixture *fixture = *state;
	char id[65], bytes[4096], path[512];
	int fd = -1;
	uint64_t size;
	layer(fixture, NULL, "x", id);
	assert_done(nacre_layer_spool(fixture->store, id, NULL, &fd, &size, &err));
	assert_int_equal(nc_read_full(fd, bytes, sizeof bytes), size);
	assert_int_equal(read(fd, bytes, sizeof bytes), 0);
	assert_int_equal(read(fd, bytes, sizeof bytes), 0);
	close(fd);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
	/* what somebody left there goes at the next opening; what somebody is at stays */
	NC_CLEANUP(nc_stage_auto) struct nc_stage *used = NULL;
	assert_done(nc_stage_new(fixture->store->stages, &used, &err));
	snprintf(path, sizeof path, "%s/graph/_tmp/0123456789abcdef0123456789abcdef", fixture->root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(entries(fixture, "graph/_tmp"), 2);
	struct nacre_store *second = open_with(fixture->root, 0, NULL);
	assert_int_equal(entries(fixture, "graph/_tmp"), 1);
	nacre_store_close(second);
}

static void defect_6(void **state)
{
	struct fixture *fixture = *state;
	char id[65], digest[NACRE_DIGEST_MAX];
	int status;
	layer(fixture, NULL, "x", id);
	assert_int_equal(nacre_node_set_digest(fixture->store, id, "sha256:abc", &err), NACRE_E_INVALID);
	assert_int_equal(nacre_node_set_digest(fixture->store, id, "rubbish", &err), NACRE_E_INVALID);
	assert_done(nacre_node_set_digest(fixture->store, id, DIGEST_A, &err));
	nacre_store_close(NC_GIVE(fixture->store));
	pid_t child = fork();
	if (child == 0) {
		struct nacre_store *store = open_with(fixture->root, NACRE_OPEN_NOSYNC, NULL);
		for (int i = 0; i < 300; i++)
			if (nacre_node_set_digest(store, id, i % 2 ? DIGEST_A : DIGEST_B, &err) < 0)
				leave(1);
		leave(0);
	}
	/* whoever reads meanwhile has one or the other, never a part */
	fixture->store = open_with(fixture->root, 0, NULL);
	int seen[2] = { 0 };
	for (int i = 0; waitpid(child, &status, WNOHANG) == 0 || i < 100; i++) {
		assert_done(nacre_node_digest(fixture->store, id, digest, &err));
		assert_true(strcmp(digest, DIGEST_A) == 0 || strcmp(digest, DIGEST_B) == 0);
		seen[strcmp(digest, DIGEST_A) == 0]++;
	}
	assert_int_equal(status, 0);
	assert_true(seen[0] && seen[1]);
	assert_int_equal(entries(fixture, "graph/_tmp"), 0);
}

/* No file may become longer than so much: what is written last fails too, be it in a buffer until the close. */
static void defect_7(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	struct rlimit limit;
	char id[65] = NO_NODE;
	int failed = 0;
	struct nacre_register_options options = { .size = sizeof options, .id = id };
	make_tar(&tar, (const char *const[]){ "file", "content", "other", "more content", NULL });
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	for (rlim_t size = 1; size < 2000; size += size < 400 ? 13 : 97) {
		int fd = memfd_create("layer", MFD_CLOEXEC);
		assert_int_equal(nc_write_full(fd, tar.data, tar.len), 0);
		lseek(fd, 0, SEEK_SET);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ size, limit.rlim_max }), 0);
		int code = nacre_register(fixture->store, fd, &options, NULL, &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		close(fd);
		failed += code < 0;
		nacre_store_close(fixture->store);
		fixture->store = open_with(fixture->root, 0, NULL);
		if (code == 0 || nc_node_exists(fixture->store, id)) {
			assert_tar(fixture, id, &tar);
			assert_done(nacre_delete(fixture->store, id, &err));
		}
		assert_nothing_left(fixture);
	}
	assert_true(failed > 5);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), in = memfd_create("in", MFD_CLOEXEC);
	assert_int_equal(nacre_gzip(in, full, NULL, NULL, NULL, &err), NACRE_E_NOSPACE);
	close(full);
	close(in);
}

static void defect_8(void **state)
{
	struct fixture *fixture = *state;
	int ends[2], status;
	NC_AUTO_BUF struct nc_buf tar;
	make_tar(&tar, (const char *const[]){ "file", "content", "other", "more content", NULL });
	for (size_t len = 512; len < tar.len; len += 1024) {
		nacre_store_close(NC_GIVE(fixture->store));
		assert_int_equal(pipe(ends), 0);
		pid_t child = fork();
		if (child == 0) {
			struct nacre_store *store = open_with(fixture->root, 0, NULL);
			struct nacre_register_options options = { .size = sizeof options, .id = NO_NODE };
			close(ends[1]);
			nacre_register(store, ends[0], &options, NULL, &err);
			leave(0);
		}
		close(ends[0]);
		assert_int_equal(nc_write_full(ends[1], tar.data, len), 0);
		/* it is in the middle of the layer: its stage is there */
		for (int tries = 0; entries(fixture, "graph/_tmp") == 0 && tries < 10000; tries++)
			usleep(1000);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		close(ends[1]);
		fixture->store = open_with(fixture->root, 0, NULL);
		assert_nothing_left(fixture);
	}
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, NULL), 0);
}

static void defect_9(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_FD int locks = -1;
	char base[65], top[65];
	layer(fixture, NULL, "base", base);
	layer(fixture, base, "top", top);
	assert_int_equal(nacre_delete(fixture->store, base, &err), NACRE_E_INUSE);
	assert_done(nacre_layer_verify(fixture->store, base, &err));
	/* somebody is at it */
	assert_done(nc_locks_open(fixture->store, &locks, &err));
	assert_done(nc_lock_id(locks, top, NC_LOCK_SHARED, false, &err));
	assert_int_equal(nacre_delete(fixture->store, top, &err), NACRE_E_BUSY);
	nc_unlock_id(locks, top);
	assert_done(nacre_layer_verify(fixture->store, top, &err));
	assert_int_equal(count_nodes(fixture, NACRE_ALL, NULL), 2);
	assert_done(nacre_delete(fixture->store, top, &err));
	assert_done(nacre_delete(fixture->store, base, &err));
	assert_nothing_left(fixture);
}

/* --- 10 to 18 --------------------------------------------------------------------------------------------------- */

static void defect_10(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	uint64_t size = 0;
	layer(fixture, NULL, "four", id);
	drop_file(fixture, id, "layersize");
	read_all_again(fixture, NACRE_OPEN_READONLY);
	assert_int_equal(count_nodes(fixture, NACRE_ALL, NULL), 1);
	assert_done(nacre_node_size(fixture->store, id, &size, &err));
	assert_int_equal(size, 4);
	read_all_again(fixture, 0);
	assert_done(nacre_node_size(fixture->store, id, &size, &err));
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, id, &node, &err));
	assert_int_equal(node.size, 4);		/* remembered */
}

static void defect_11(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text;
		uint64_t size;
	} sizes[] = { { "7\n", 7 }, { " 12 \r\n", 12 }, { "9000000000", 9000000000 },
		      { "9223372036854775807", INT64_MAX }, { "0", 0 } };
	char id[65], json[512];
	uint64_t size;
	layer(fixture, NULL, "four", id);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		write_file(fixture, id, "layersize", sizes[i].text);
		read_all_again(fixture, 0);
		assert_done(nacre_node_size(fixture->store, id, &size, &err));
		assert_int_equal(size, sizes[i].size);
	}
	snprintf(json, sizeof json, "\n  {\"id\":\"%s\",\"created\":\"2015-07-21T03:32:14Z\"}  \n\n", id);
	write_file(fixture, id, "json", json);
	read_all_again(fixture, 0);
	struct nacre_node node;
	assert_done(nacre_node_get(fixture->store, id, &node, &err));
	assert_done(nacre_layer_verify(fixture->store, id, &err));
}

static void defect_12(void **state)
{
	struct fixture *fixture = *state;
	static const char *const ids[] = {
		"", ".", "..", "../..", "_tmp", "../store/graph", "a/b", "A", "0123 ",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
		"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n",
	};
	struct nacre_store *store = fixture->store;
	char digest[NACRE_DIGEST_MAX], *text = NULL;
	NC_AUTO_BUF struct nc_buf tar;
	uint64_t size;
	int fd = -1;
	struct nacre_node node;
	make_tar(&tar, (const char *const[]){ "file", "content", NULL });
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		const char *id = ids[i];
		struct nacre_register_options as = { .size = sizeof as, .id = id };
		struct nacre_register_options on = { .size = sizeof on, .id = NO_NODE, .parent = id };
		const int codes[] = {
			nacre_node_get(store, id, &node, &err),
			nacre_node_json(store, id, &text, NULL, &err),
			nacre_node_size(store, id, &size, &err),
			nacre_node_digest(store, id, digest, &err),
			nacre_node_set_digest(store, id, DIGEST_A, &err),
			nacre_node_path(store, id, &text, &err),
			nacre_layer_verify(store, id, &err),
			nacre_layer_spool(store, id, NULL, &fd, &size, &err),
			nacre_delete(store, id, &err),
			nacre_nodes_each(store, NACRE_CHILDREN, id, count_node, &(int){ 0 }, &err),
			register_bytes(store, &as, tar.data, tar.len, NULL),
			*id ? register_bytes(store, &on, tar.data, tar.len, NULL) : NACRE_E_INVALID,
		};
		for (size_t c = 0; c < sizeof codes / sizeof *codes; c++)
			if (codes[c] != NACRE_E_INVALID)
				fail_msg("'%s', operation %zu: %d", id, c, codes[c]);
	}
	assert_nothing_left(fixture);
}

static void describe(const struct fixture *fixture, const char *id, const char *parent)
{
	char json[512];
	snprintf(json, sizeof json, "{\"id\":\"%s\",\"parent\":\"%s\",\"created\":\"2015-07-21T03:32:14Z\"}\n", id,
		 parent);
	write_file(fixture, id, "json", json);
}

static void defect_13(void **state)
{
	struct fixture *fixture = *state;
	char base[65], one[65], two[65], self[65], good[65], id[65] = NO_NODE;
	struct nacre_register_options options = { .size = sizeof options, .id = id, .parent = id };
	struct nacre_image *image = NULL;
	/* nothing like it is registered */
	assert_true(nacre_register(fixture->store, -1, &options, NULL, &err) < 0);
	options.parent = NO_NODE;
	options.id = NULL;
	assert_int_equal(register_bytes(fixture->store, &options, "", 0, NULL), NACRE_E_NOTFOUND);
	assert_nothing_left(fixture);
	/* and where it is there, walks end */
	layer(fixture, NULL, "base", base);
	layer(fixture, base, "one", one);
	layer(fixture, one, "two", two);
	layer(fixture, NULL, "self", self);
	make_image(fixture->store, (const char *const[]){ "good", NULL }, "good", good);
	describe(fixture, base, two);
	describe(fixture, self, self);
	alarm(60);
	read_all_again(fixture, 0);
	int before = count_nodes(fixture, NACRE_ALL, NULL);
	assert_int_equal(before, 6);
	/* what asks for a chain is told that there is none */
	const char *const odd[] = { two, self };
	for (size_t i = 0; i < 2; i++)
		if (nacre_image_get(fixture->store, odd[i], &image, &err) == 0)
			nacre_image_free(image);
	assert_done(nacre_image_get(fixture->store, "good", &image, &err));
	nacre_image_free(image);
	/* nor do walks to the nearest layer, where there is none */
	struct nacre_register_options bare = { .size = sizeof bare, .id = NO_NODE, .parent = good };
	char *path = NULL;
	assert_int_equal(nacre_register(fixture->store, -1, &bare, NULL, &err), 0);
	assert_done(nacre_node_path(fixture->store, NO_NODE, &path, &err));
	free(path);
	describe(fixture, NO_NODE, NO_NODE);
	assert_int_equal(nacre_node_path(fixture->store, NO_NODE, &path, &err), NACRE_E_CORRUPT);
	assert_done(nacre_delete(fixture->store, NO_NODE, &err));
	/* what goes in a circle can be removed, when asked for, and what stands on it keeps it */
	char child[65];
	layer(fixture, one, "child", child);
	assert_int_equal(nacre_delete(fixture->store, one, &err), NACRE_E_INUSE);
	assert_done(nacre_delete(fixture->store, child, &err));
	assert_done(nacre_delete(fixture->store, self, &err));
	assert_done(nacre_delete(fixture->store, one, &err));
	assert_done(nacre_delete(fixture->store, base, &err));
	assert_done(nacre_delete(fixture->store, two, &err));
	assert_int_equal(count_nodes(fixture, NACRE_ALL, NULL), 2);
	assert_done(nacre_remove(fixture->store, "good", 0, NULL, NULL, &err));
	assert_nothing_left(fixture);
	alarm(0);
}

static void defect_14(void **state)
{
	struct fixture *fixture = *state;
	char base[65], one[65], two[65], path[512], away[512];
	layer(fixture, NULL, "base", base);
	layer(fixture, base, "one", one);
	layer(fixture, base, "two", two);
	/* no file of the graph can be read: who is whose parent is known without */
	snprintf(path, sizeof path, "%s/graph", fixture->root);
	snprintf(away, sizeof away, "%s/away", fixture->dir);
	assert_int_equal(mkdir(away, 0700), 0);
	const char *const ids[] = { base, one, two };
	for (int i = 0; i < 3; i++) {
		char from[600], to[600];
		snprintf(from, sizeof from, "%s/%s/json", path, ids[i]);
		snprintf(to, sizeof to, "%s/%d", away, i);
		assert_int_equal(rename(from, to), 0);
	}
	assert_int_equal(count_nodes(fixture, NACRE_CHILDREN, base), 2);
	assert_int_equal(count_nodes(fixture, NACRE_CHILDREN, one), 0);
	assert_int_equal(count_nodes(fixture, NACRE_HEADS, NULL), 2);
	assert_int_equal(count_nodes(fixture, NACRE_ALL, NULL), 3);
}

static void defect_15(void **state)
{
	struct fixture *fixture = *state;
	static const char *const damage[] = { "", "{", "[]", "{\"id\":5}", "{\"id\":\"" NO_NODE "\"}",
					      "{\"parent\":\"..\"}", "{\"created\":\"yesterday\"}" };
	char good[65], bad[65];
	make_image(fixture->store, (const char *const[]){ "a", NULL }, "good", good);
	make_image(fixture->store, (const char *const[]){ "b", NULL }, "bad", bad);
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		struct nacre_image_list *list = NULL;
		write_file(fixture, bad, "json", damage[i]);
		read_all_again(fixture, 0);
		assert_done(nacre_image_list(fixture->store, NULL, &list, &err));
		assert_true(list->count >= 1);
		nacre_image_list_free(list);
		struct nacre_image *image = NULL;
		assert_done(nacre_image_get(fixture->store, "good", &image, &err));
		nacre_image_free(image);
		assert_int_equal(count_nodes(fixture, NACRE_ALL, NULL), 4);	/* nothing went by itself */
	}
	assert_done(nacre_remove(fixture->store, "bad", 0, NULL, NULL, &err));
	/* nobody knows any more which layer was its */
	assert_int_equal(count_nodes(fixture, NACRE_ALL, NULL), 3);
}

static void defect_16(void **state)
{
	struct fixture *fixture = *state;
	char path[256], id[65];
	struct stat st;
	rlim_t before = lowest_free();
	for (int i = 0; i < 20; i++) {
		char word[16];
		snprintf(word, sizeof word, "word %d", i);
		layer(fixture, NULL, word, id);
		assert_done(nacre_delete(fixture->store, id, &err));
	}
	snprintf(path, sizeof path, "%s/lock", fixture->root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(lowest_free(), before);
}

static void defect_17(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char id[65], path[512];
	uint64_t size;
	int fd = -1;
	make_tar(&tar, (const char *const[]){ "file", "content", NULL });
	assert_int_equal(register_bytes(fixture->store, NULL, tar.data, tar.len, id), 0);
	/* a record that is there and cannot be used is damage, never passed over */
	snprintf(path, sizeof path, "%s/graph/%s/tar-data.json.gz", fixture->root, id);
	static const char *const damage[] = { "", "no gzip", "\x1f\x8b\x08" };
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		write_file(fixture, id, "tar-data.json.gz", damage[i]);
		assert_int_equal(nacre_layer_verify(fixture->store, id, &err), NACRE_E_CORRUPT);
		assert_non_null(strstr(err.msg, (char[]){ id[0], id[1], id[2], id[3], id[4], '\0' }));
		assert_int_equal(nacre_layer_spool(fixture->store, id, NULL, &fd, &size, &err), NACRE_E_CORRUPT);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(nacre_layer_verify(fixture->store, id, &err) < 0);
}

static void defect_18(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf nothing = NC_BUF_INIT(16);
	NC_AUTO_BUF struct nc_buf packed;
	char id[65], again[65];
	assert_int_equal(register_bytes(fixture->store, NULL, "", 0, id), 0);
	assert_tar(fixture, id, &nothing);
	gzip(&nothing, &packed);
	assert_int_equal(register_bytes(fixture->store, NULL, packed.data, packed.len, again), 1);
	assert_string_equal(id, again);
}

/* --- 19 to 27 --------------------------------------------------------------------------------------------------- */

static void defect_19(void **state)
{
	struct fixture *fixture = *state;
	struct archive archive;
	char id[65], base[65];
	layer(fixture, NULL, "base", base);
	archive_open(&archive);
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_FILE, .name = "twice", .mode = 0644 }, "first");
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_FILE, .name = "./twice", .mode = 0644 }, "second");
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_FILE, .name = ".wh.file", .mode = 0644 }, "a body");
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_FILE, .name = ".wh..wh.plnk/1.2", .mode = 0644 },
		    "shared");
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_FILE, .name = "gone", .mode = 0644 }, "replaced by");
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_SYMLINK, .name = "gone", .link = "a link",
						 .mode = 0777 }, "");
	char deep[400];
	for (size_t i = 0; i < sizeof deep - 1; i++)
		deep[i] = i % 100 == 99 ? '/' : 'n';
	deep[sizeof deep - 2] = 'n';
	deep[sizeof deep - 1] = '\0';
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_FILE, .name = deep, .mode = 0644 }, "long");
	archive_close(&archive);
	struct nacre_register_options options = { .size = sizeof options, .parent = base };
	assert_int_equal(register_bytes(fixture->store, &options, archive.bytes.data, archive.bytes.len, id), 0);
	assert_tar(fixture, id, &archive.bytes);
	reopen(fixture);
	assert_tar(fixture, id, &archive.bytes);
	nc_buf_release(&archive.bytes);
	/* sparse members, GNU's and pax's, and global headers */
	static const char *const samples[] = { "go-sparse-formats.tar", "go-pax-global-records.tar",
					       "la-compat_gtar_2.tar" };
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		char path[1024];
		NC_AUTO_FREE char *bytes = NULL;
		NC_AUTO_FD int dir = open(TAR_CORPUS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct nc_buf tar = { .len = 0 };
		snprintf(path, sizeof path, "%s", samples[i]);
		assert_done(nc_file_read(dir, path, (size_t)16 << 20, &bytes, &tar.len, &err));
		tar.data = bytes;
		int code = register_bytes(fixture->store, NULL, tar.data, tar.len, id);
		if (code != 0)
			fail_msg("%s: %d (%s)", path, code, err.msg);
		assert_tar(fixture, id, &tar);
	}
}

static bool shows(const struct fixture *fixture, const char *id, const char *path)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(1000);
	int code = nacre_cat(fixture->store, id, path, append, &text, &err);
	assert_true(code == 0 || code == NACRE_E_NOTFOUND);
	return code == 0;
}

static void defect_20(void **state)
{
	struct fixture *fixture = *state;
	char base[65], top[65], root[65];
	assert_int_equal(register_files(fixture, NULL, (const char *const[]){ "d/", "", "d/old", "x", "e", "x", NULL },
					base), 0);
	/* members before and behind the marker stay */
	assert_int_equal(register_files(fixture, base, (const char *const[]){ "d/", "", "d/before", "x",
		"d/.wh..wh..opq", "", "d/behind", "x", NULL }, top), 0);
	assert_true(shows(fixture, top, "d/before") && shows(fixture, top, "d/behind") && shows(fixture, top, "e"));
	assert_false(shows(fixture, top, "d/old"));
	assert_int_equal(register_files(fixture, base, (const char *const[]){ ".wh..wh..opq", "", "f", "x", NULL },
					root), 0);
	assert_true(shows(fixture, root, "f") && !shows(fixture, root, "e") && !shows(fixture, root, "d/old"));
}

static int check_dir(void *ctx, const struct nacre_file *file)
{
	int *count = ctx;
	if (file->type != NACRE_DIR)
		return 0;
	assert_int_equal(file->mode, 0755);
	assert_int_equal(file->mtime, 1700000000);
	++*count;
	return 0;
}

static void defect_21(void **state)
{
	struct fixture *fixture = *state;
	char id[65];
	int count = 0;
	assert_int_equal(register_files(fixture, NULL, (const char *const[]){ "a/b/c/file", "x", NULL }, id), 0);
	assert_done(nacre_ls(fixture->store, id, "/", true, check_dir, &count, &err));
	assert_int_equal(count, 3);
}

static int count_change(void *ctx, char kind, const char *path)
{
	++*(int *)ctx;
	return 0;
}

static void defect_22(void **state)
{
	struct fixture *fixture = *state;
	char base[65], top[65];
	NC_AUTO_BUF struct nc_buf whole = NC_BUF_INIT(1 << 20);
	int all = 0, failed = 0;
	assert_int_equal(register_files(fixture, NULL, (const char *const[]){ "a/", "", "a/b/", "", "a/b/c", "1", "d",
					"2", NULL }, base), 0);
	assert_int_equal(register_files(fixture, base, (const char *const[]){ "a/b/c", "3", "d", "4", "e/f", "5",
					NULL }, top), 0);
	assert_done(nacre_diff(fixture->store, top, NULL, count_change, &all, &err));
	assert_done(nacre_export(fixture->store, top, append, &whole, NULL, &err));
	/* each file that cannot be opened is a failure: never a shorter list, or archive */
	rlim_t first = lowest_free();
	for (rlim_t more = 0; more < 16; more++) {
		NC_AUTO_BUF struct nc_buf part = NC_BUF_INIT(1 << 20);
		int some = 0;
		allow_descriptors(first + more);
		int diff = nacre_diff(fixture->store, top, NULL, count_change, &some, &err);
		int export = nacre_export(fixture->store, top, append, &part, NULL, &err);
		allow_descriptors(0);
		failed += diff < 0 && export < 0;
		if (diff == 0)
			assert_int_equal(some, all);
		if (export == 0) {
			assert_int_equal(part.len, whole.len);
			assert_memory_equal(part.data, whole.data, whole.len);
		}
	}
	assert_true(failed > 1);
}

static void defect_23(void **state)
{
	struct fixture *fixture = *state;
	char value[1001], id[65];
	struct archive archive;
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	if (setxattr(fixture->root, "user.test", "x", 1, 0) < 0)
		skip();
	assert_int_equal(removexattr(fixture->root, "user.test"), 0);
	struct nc_xattr xattr = { "user.long", value, strlen(value) };
	archive_open(&archive);
	archive_add(&archive, (struct nc_entry){ .type = NC_ENTRY_FILE, .name = "file", .mode = 0644,
						 .xattrs = &xattr, .xattr_count = 1 }, "content");
	archive_close(&archive);
	assert_int_equal(register_bytes(fixture->store, NULL, archive.bytes.data, archive.bytes.len, id), 0);
	assert_tar(fixture, id, &archive.bytes);
	NC_AUTO_BUF struct nc_buf tar = NC_BUF_INIT(1 << 20);
	assert_done(nacre_export(fixture->store, id, append, &tar, NULL, &err));
	assert_non_null(memmem(tar.data, tar.len, value, strlen(value)));
	nc_buf_release(&archive.bytes);
}

static void defect_24(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	NC_AUTO_BUF struct nc_buf packed;
	struct nacre_register_options options = { .size = sizeof options, .diff_id = DIGEST_A };
	make_tar(&tar, (const char *const[]){ "file", "content", NULL });
	gzip(&tar, &packed);
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, NULL), NACRE_E_DIGEST);
	assert_int_equal(register_bytes(fixture->store, &options, packed.data, packed.len, NULL), NACRE_E_DIGEST);
	/* of the compressed bytes, too */
	NC_CLEANUP(nc_ingest_auto) struct nc_ingest *ingest = NULL;
	struct nc_digest flat = digest_of(&tar), blob = digest_of(&packed);
	struct nc_layer_out out;
	blob.bytes[0] ^= 1;
	assert_done(nc_ingest_begin(fixture->store, &ingest, &err));
	assert_int_equal(bring(ingest, &(struct nc_layer_in){ .diff_id = &flat, .blob = &blob,
							      .blob_size = UINT64_MAX }, &packed, &out), NACRE_E_DIGEST);
	nc_ingest_free(NC_GIVE(ingest));
	assert_nothing_left(fixture);
}

static void defect_26(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = { ".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh..", "d/.wh..." };
	char base[65], top[65];
	assert_int_equal(register_files(fixture, NULL, (const char *const[]){ "d/", "", "d/file", "x", NULL }, base), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(register_files(fixture, base, (const char *const[]){ "new", "y", names[i], "", NULL },
						top), NACRE_E_BADDATA);
		assert_int_equal(entries(fixture, "vfs/dir"), 1);
		assert_true(shows(fixture, base, "d/file"));
	}
	assert_int_equal(count_nodes(fixture, NACRE_ALL, NULL), 1);
}

static void defect_27(void **state)
{
	struct fixture *fixture = *state;
	NC_AUTO_BUF struct nc_buf tar;
	char base[65], id[65];
	assert_int_equal(register_files(fixture, NULL, (const char *const[]){ "d/", "", "d/old", "x", NULL }, base), 0);
	struct nacre_register_options options = { .size = sizeof options, .parent = base };
	make_tar(&tar, (const char *const[]){ "d/", "", "d/sub/", "", "d/sub/x", "y", ".wh.d", "", "e", "z", NULL });
	assert_int_equal(register_bytes(fixture->store, &options, tar.data, tar.len, id), 0);
	assert_tar(fixture, id, &tar);
	assert_true(shows(fixture, id, "e") && !shows(fixture, id, "d/old"));
}

#define DEFECT(number, text) { "defect " #number ": " text, defect_##number, set_up, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEFECT(1, "registering an ID again leaves its content alone"),
		DEFECT(2, "listing and registering at once do not wait for one another"),
		DEFECT(3, "what is not there is told by a code"),
		DEFECT(4, "what cannot be read is counted, and is not what is not there"),
		DEFECT(5, "no temporary file stays, and a spooled layer ends at its end"),
		DEFECT(6, "digests are checked, and replaced whole"),
		DEFECT(7, "a write that fails at the very end fails the whole"),
		DEFECT(8, "a registrar that is killed leaves nothing"),
		DEFECT(9, "deleting looks for children and waits for nobody"),
		DEFECT(10, "a size is worked out once, and also where nothing can be written"),
		DEFECT(11, "white space around sizes and JSON, and sizes of 64 bits"),
		DEFECT(12, "what is no ID is refused by every operation"),
		DEFECT(13, "parents are there, and no walk goes in circles"),
		DEFECT(14, "who is whose parent is known without reading every JSON"),
		DEFECT(15, "one bad image stops nothing"),
		DEFECT(16, "locks leave nothing behind"),
		DEFECT(17, "a record that is damaged is named, and never passed over"),
		DEFECT(18, "a layer of no bytes is an empty one"),
		DEFECT(19, "archives that could not be given back are, exactly"),
		DEFECT(20, "opaque markers hide what lies below"),
		DEFECT(21, "directories that only follow from a name are 0755 and have its time"),
		DEFECT(22, "changes and exports are whole, or fail"),
		DEFECT(23, "extended attributes may be long"),
		DEFECT(24, "content without its digest is refused"),
		DEFECT(26, "whiteouts of nothing, of . and of .. are refused"),
		DEFECT(27, "a directory that the same layer takes away again"),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
