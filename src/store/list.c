/* Lists of images, filtered as docker and podman filter them. */
#include "image/gojson.h"
#include "store/inner.h"
#include "store/old_root.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The filters, looked up once. */
struct filter {
	struct nacre_store *store;
	const char *reference, *id;
	int dangling;
	const char *const *labels, *const *not_labels;
	bool has_before, has_since, has_until;
	struct moment {
		int64_t sec;
		uint32_t nsec;
	} before, since, until;
	struct nc_rows documents;	/* images that keep the digest */
	bool has_digest;
};

static bool is_earlier(struct moment a, struct moment b)
{
	return a.sec < b.sec || (a.sec == b.sec && a.nsec < b.nsec);
}

/* --- reading the options ---------------------------------------------------------------------------------------- */

static int moment_of(struct nacre_store *store, const char *what, struct moment *ret, struct nacre_error *err)
{
	char id[NC_HEX_ID];
	NC_AUTO_FACTS struct nc_node_facts facts = { 0 };
	int code = nc_store_resolve(store, what, id, NULL, err);
	if (code == 0)
		code = nc_node_look_brief(store, id, &facts, err);
	if (code == 0)
		*ret = (struct moment){ facts.created, facts.created_nsec };
	return code;
}

/* "1h30m", "36h", "45s", with days and weeks beside Go's units. False when it is none. */
static bool parse_duration(const char *text, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	int64_t total = 0;
	if (!*text)
		return false;
	while (*text) {
		char *end;
		if (*text < '0' || *text > '9')
			return false;
		long long number = strtoll(text, &end, 10);
		size_t i = 0;
		while (i < sizeof units / sizeof *units && units[i].unit != *end)
			i++;
		if (i == sizeof units / sizeof *units || number > INT64_MAX / 604800 - 1 || total > INT64_MAX / 2)
			return false;
		total += number * units[i].seconds;
		text = end + 1;
	}
	*ret = total;
	return true;
}

static bool is_day(const char *text)
{
	static const char shape[] = "0000-00-00";
	size_t i = 0;
	for (; shape[i] && text[i]; i++)
		if (shape[i] == '-' ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
	return !shape[i] && !text[i];
}

static int parse_until(const char *text, struct moment *ret, struct nacre_error *err)
{
	int64_t ago;
	char full[40];
	char *end;
	if (nc_gotime_parse(text, &ret->sec, &ret->nsec, NULL) == 0)
		return 0;
	if (is_day(text)) {
		memcpy(full, text, 10);
		strcpy(full + 10, "T00:00:00Z");
		return nc_gotime_parse(full, &ret->sec, &ret->nsec, err);
	}
	ret->nsec = 0;
	ret->sec = strtoll(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end)	/* seconds since 1970, as docker takes them */
		return 0;
	if (!parse_duration(text, &ago))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' is neither a time nor a duration", text);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct moment){ now.tv_sec - ago, (uint32_t)now.tv_nsec };
	return 0;
}

static int filter_open(struct filter *filter, struct nacre_store *store, const struct nacre_list_options *options,
		       struct nacre_error *err)
{
	struct nacre_list_options mine = { .size = sizeof mine };
	if (options)
		memcpy(&mine, options, options->size < sizeof mine ? options->size : sizeof mine);
	*filter = (struct filter){ .store = store, .reference = mine.reference, .id = mine.id,
				   .dangling = mine.dangling, .labels = mine.labels, .not_labels = mine.not_labels, .has_before = mine.before,
				   .has_since = mine.since, .has_until = mine.until, .has_digest = mine.digest };
	if (filter->id && strncmp(filter->id, "sha256:", 7) == 0)
		filter->id += 7;
	int code = mine.before ? moment_of(store, mine.before, &filter->before, err) : 0;
	if (code == 0 && mine.since)
		code = moment_of(store, mine.since, &filter->since, err);
	if (code == 0 && mine.until)
		code = parse_until(mine.until, &filter->until, err);
	if (code == 0 && mine.digest)
		code = nc_catalog_ask(store->catalog, NC_ASK_BY_DOCUMENT, mine.digest, NULL, &filter->documents, err);
	return code;
}

static void filter_release(struct filter *filter)
{
	nc_rows_release(&filter->documents);
}

/* --- judging ---------------------------------------------------------------------------------------------------- */

static bool name_fits(const char *name, const char *pattern)
{
	struct nc_reference reference;
	char text[NC_REFERENCE_TEXT];
	if (nc_reference_parse(name, &reference, NULL) < 0)
		return false;
	return fnmatch(pattern, nc_reference_short(&reference, text), FNM_PATHNAME) == 0 ||
	       fnmatch(pattern, nc_reference_repository(&reference, text), FNM_PATHNAME) == 0 ||
	       fnmatch(pattern, name, FNM_PATHNAME) == 0;
}

/* Names that do not fit the reference are not shown; false when none does. */
static bool keep_names(const struct nacre_image *image, const char *pattern)
{
	/* the list is the image's own, made for it in image.c */
	char **names = (char **)(uintptr_t)image->names;
	size_t kept = 0;
	for (size_t i = 0; names[i]; i++) {
		if (name_fits(names[i], pattern)) {
			names[kept++] = names[i];
			continue;
		}
		free(names[i]);
	}
	names[kept] = NULL;
	return kept > 0;
}

static bool has_label(const struct nacre_image *image, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	size_t len = equals ? (size_t)(equals - wanted) : strlen(wanted);
	for (const char *const *label = image->labels; label && label[0]; label += 2)
		if (strlen(label[0]) == len && memcmp(label[0], wanted, len) == 0 &&
		    (!equals || strcmp(label[1], equals + 1) == 0))
			return true;
	return false;
}

/* What the ID alone tells. */
static bool id_fits(const struct filter *filter, const char *id)
{
	if (filter->id && strncmp(id, filter->id, strlen(filter->id)) != 0)
		return false;
	for (size_t i = 0; filter->has_digest && i < filter->documents.count; i++)
		if (strcmp(nc_rows_text(&filter->documents, i, 0), id) == 0)
			return true;
	return !filter->has_digest;
}

static bool fits(const struct filter *filter, const struct nacre_image *image)
{
	struct moment created = { image->created, image->created_nsec };
	bool named = image->names[0];
	if ((filter->dangling > 0 && named) || (filter->dangling < 0 && !named) ||
	    (filter->has_before && !is_earlier(created, filter->before)) ||
	    (filter->has_since && !is_earlier(filter->since, created)) ||
	    (filter->has_until && !is_earlier(created, filter->until)))
		return false;
	for (const char *const *label = filter->labels; label && *label; label++)
		if (!has_label(image, *label))
			return false;
	for (const char *const *label = filter->not_labels; label && *label; label++)
		if (has_label(image, *label))
			return false;
	return !filter->reference || keep_names(image, filter->reference);
}

/* --- the list --------------------------------------------------------------------------------------------------- */

static void list_auto(struct nacre_image_list **list)
{
	nacre_image_list_free(*list);
}

static int note_damage(struct nacre_image_list *list, const struct nacre_error *why, struct nacre_error *err)
{
	if (list->damaged++ == 0 && !(list->damage = nc_strdup(why->msg)))
		return nc_nomem(err);
	return 0;
}

/* What no image leads to, because its ancestors go in a circle or end in nothing. */
static int note_lost(struct nacre_store *store, struct nacre_image_list *list, struct nacre_error *err)
{
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = nc_catalog_ask(store->catalog, NC_ASK_LOST, NULL, NULL, &rows, err);
	for (size_t i = 0; code == 0 && i < rows.count; i++) {
		struct nacre_image *image = NULL;
		struct nacre_error why = { 0 };
		int read = nc_image_read(store, nc_rows_text(&rows, i, 0), true, &image, &why);
		nacre_image_free(image);
		if (read == NACRE_E_CORRUPT)
			code = note_damage(list, &why, err);
		else if (read == NACRE_E_NOMEM)
			code = nc_nomem(err);
	}
	return code;
}

/* Names that a root of 2015 has and that cannot be names here, as sentences. */
static int note_left_out(struct nacre_store *store, struct nacre_image_list *list, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	int code = 0;
	if (store->old_names && !(text = nc_strdup(nc_buf_text(&store->old_names->left_out))))
		return nc_nomem(err);
	if (!store->old_names && store->adopted &&
	    nc_file_read(store->root, NC_LEFT_OUT, NC_DOCUMENT_MAX, &text, &len, NULL) == NACRE_E_NOMEM)
		return nc_nomem(err);
	char *rest = NULL;
	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; code == 0 && line;
	     line = strtok_r(NULL, "\n", &rest))
		if (list->left_out++ == 0 && !(list->left_out_reason = nc_strdup(line)))
			code = nc_nomem(err);
	return code;
}

/* The names that a pattern can fit that is none: of one tag, or of all tags of a repository. False: any. */
static bool find_names(const char *pattern, char *ret_from, char *ret_below)
{
	struct nc_reference reference;
	if (strpbrk(pattern, "*?[\\") || nc_reference_parse_bare(pattern, &reference, NULL) < 0 || *reference.digest)
		return false;
	nc_reference_full(&reference, ret_from);
	strcpy(ret_below, ret_from);
	/* no name has '!', which is below whatever a tag may go on with; ';' follows ':' */
	strcat(ret_below, *reference.tag ? "!" : ";");
	if (!*reference.tag)
		strcat(ret_from, ":");
	return true;
}

/* Those that may fit: all, where nothing names them. */
static int find_candidates(const struct filter *filter, struct nc_rows *ret, struct nacre_error *err)
{
	struct nc_catalog *catalog = filter->store->catalog;
	char from[NC_REFERENCE_TEXT + 2], below[NC_REFERENCE_TEXT + 2];
	if (filter->id) {
		size_t len = strnlen(filter->id, NC_HEX_ID - 1);
		memcpy(from, filter->id, len);
		from[len] = '\0';
		memcpy(below, filter->id, len);
		strcpy(below + len, "g");	/* no ID has it, and it follows the last digit */
		return nc_catalog_ask(catalog, NC_ASK_IMAGES_FROM, from, below, ret, err);
	}
	if (filter->reference && find_names(filter->reference, from, below))
		return nc_catalog_ask(catalog, NC_ASK_IMAGES_NAMED, from, below, ret, err);
	return nc_catalog_ask(catalog, NC_ASK_IMAGES, NULL, NULL, ret, err);
}

int nacre_image_list(struct nacre_store *store, const struct nacre_list_options *options,
		     struct nacre_image_list **ret, struct nacre_error *err)
{
	NC_CLEANUP(list_auto) struct nacre_image_list *list = NULL;
	NC_CLEANUP(filter_release) struct filter filter;
	NC_AUTO_ROWS struct nc_rows rows = { 0 };
	int code = filter_open(&filter, store, options, err);
	if (code == 0)
		code = find_candidates(&filter, &rows, err);
	if (code == 0 && (!(list = nc_zalloc(sizeof *list)) ||
			  !(list->images = nc_realloc_array(NULL, rows.count, sizeof *list->images))))
		code = nc_nomem(err);
	for (size_t i = 0; code == 0 && i < rows.count; i++) {
		const char *id = nc_rows_text(&rows, i, NC_COL_ID);
		struct nacre_image *image = NULL;
		struct nacre_error why = { 0 };
		if (!id_fits(&filter, id))
			continue;
		int read = nc_image_read_listed(store, &rows, i, &image, &why);
		if (read == NACRE_E_NOMEM) {
			code = nc_nomem(err);
		} else if (read == NACRE_E_NOTFOUND) {
			continue;	/* it was removed meanwhile */
		} else if (read < 0) {
			code = note_damage(list, &why, err);
		} else if (fits(&filter, image)) {
			list->images[list->count++] = image;
		} else {
			nacre_image_free(image);
		}
	}
	if (code == 0)
		code = note_lost(store, list, err);
	if (code == 0)
		code = note_left_out(store, list, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(list);
	return 0;
}

void nacre_image_list_free(struct nacre_image_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++)
		nacre_image_free(list->images[i]);
	free(list->images);
	free(list->damage);
	free(list->left_out_reason);
	free(list);
}
