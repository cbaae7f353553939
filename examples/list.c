/* Loads an archive into a store, lists the store's images, and mounts the newest one.
 *
 *	list STORE ARCHIVE [DIR]
 *
 * Mounts at DIR, prints what is in it, and unmounts again; without DIR nothing is mounted. */
#include <nacre/nacre.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const struct nacre_error *err)
{
	fprintf(stderr, "%s: %s (%s)\n", what, err->msg, nacre_code_text(err->code));
	return 1;
}

static void on_event(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
		     uint64_t total)
{
	(void)ctx;
	(void)total;
	if (event == NACRE_EVENT_DONE)
		fprintf(stderr, "%s %s: %llu bytes\n", what, id, (unsigned long long)current);
}

static int load(struct nacre_store *store, const char *archive)
{
	struct nacre_copy_options options;
	struct nacre_copied *copied;
	struct nacre_error err;

	memset(&options, 0, sizeof(options));
	options.size = sizeof(options);
	options.progress.event = on_event;
	if (nacre_load(store, archive, &options, &copied, &err) < 0)
		return fail("load", &err);
	for (size_t i = 0; i < copied->count; i++)
		printf("loaded %s\n", copied->images[i].id);
	nacre_copied_free(copied);
	return 0;
}

static void print_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			printf("found %s\n", entry->d_name);
	if (dir)
		closedir(dir);
}

static int mount_and_look(struct nacre_store *store, const char *image, const char *dir)
{
	struct nacre_error err;

	if (nacre_mount(store, image, dir, NULL, &err) < 0)
		return fail("mount", &err);
	print_directory(dir);
	if (nacre_umount(store, dir, &err) < 0)
		return fail("umount", &err);
	return 0;
}

static int list_and_mount(struct nacre_store *store, const char *dir)
{
	struct nacre_image_list *list;
	struct nacre_error err;
	int code = 0;

	if (nacre_image_list(store, NULL, &list, &err) < 0)
		return fail("list", &err);
	for (size_t i = 0; i < list->count; i++) {
		const struct nacre_image *image = list->images[i];

		printf("image %.12s %s %llu bytes in %zu layers\n", image->id,
		       image->names[0] ? image->names[0] : "<none>", (unsigned long long)image->size,
		       image->layer_count);
	}
	/* the newest is the first */
	if (dir && list->count > 0)
		code = mount_and_look(store, list->images[0]->id, dir);
	nacre_image_list_free(list);
	return code;
}

int main(int argc, char **argv)
{
	struct nacre_store *store;
	struct nacre_error err;
	int code;

	if (argc < 3) {
		fprintf(stderr, "usage: %s STORE ARCHIVE [DIR]\n", argv[0]);
		return 2;
	}
	if (nacre_store_open(argv[1], NULL, &store, &err) < 0)
		return fail("open", &err);
	code = load(store, argv[2]);
	if (code == 0)
		code = list_and_mount(store, argc > 3 ? argv[3] : NULL);
	nacre_store_close(store);
	return code;
}
