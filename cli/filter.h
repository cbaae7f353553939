/* --filter KEY=VALUE of image lists: each may be given several times, and all of them must fit. */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include "app.h"

struct filter;

/* texts as from args_texts; may be NULL. Returns NULL when a filter makes no sense, which has been reported. */
struct filter *filter_new(struct app *app, const char *const *texts);
void filter_free(struct filter *filter);

/* The images that pass: the first *ret_count of *ret. Returns a negative code of the library. */
int filter_list(const struct filter *filter, struct nacre_store *store, struct nacre_image_list **ret,
		size_t *ret_count, struct nacre_error *err);
/* Whether a name of an image that passed is asked for; name is short ("alpine:latest"). */
bool filter_name(const struct filter *filter, const char *name);
/* Whether there is any reference= filter, so that rows without a name do not pass. */
bool filter_names(const struct filter *filter);

#endif
