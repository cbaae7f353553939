/* The copy from a source to a sink, and what the public functions that copy share. */
#ifndef NC_TRANSPORT_COPY_H
#define NC_TRANSPORT_COPY_H

#include "transport/places.h"

struct nc_copy {
	const struct nacre_copy_options *options;	/* all fields set */
	const char *what;		/* "loading layer", for progress */
	const char *rename;		/* full name instead of the source's names; NULL */
	struct nacre_copied *copied;	/* grows; NULL */
};

/* Every image of source to sink, without the commit. */
int nc_copy_images(const struct nc_copy *copy, struct nc_source *source, struct nc_sink *sink,
		   struct nacre_error *err);

/* Every image of source into the store, to the commit. */
int nc_copy_into_store(const struct nc_copy *copy, struct nc_source *source, struct nacre_store *store,
		       struct nacre_error *err);

/* What nacre_copy, nacre_load, nacre_pull and nacre_push are told, as the caller said it. */
struct nc_errand {
	struct nacre_store *store;	/* may be NULL */
	const char *from, *to;		/* to may be NULL */
};
/* Takes the options, does it, and gives what was copied to *ret (may be NULL). */
int nc_errand_run(const struct nc_errand *errand, const struct nacre_copy_options *given,
		  int (*fn)(const struct nc_errand *errand, const struct nacre_copy_options *options,
			    struct nacre_copied *copied, struct nacre_error *err),
		  struct nacre_copied **ret, struct nacre_error *err);

/* NACRE_E_INVALID: images of several platforms are to have one name in the store. */
int nc_check_store_name(const struct nacre_copy_options *options, struct nacre_error *err);

/* Options of any age, NULL too, as ours. NACRE_E_INVALID. */
int nc_copy_options_take(const struct nacre_copy_options *given, struct nacre_copy_options *ret,
			 struct nacre_error *err);
/* What a source is asked for; rest and spool stay to be set. */
int nc_source_wish_make(struct nacre_store *store, const struct nacre_copy_options *options,
			struct nc_source_wish *ret, struct nacre_error *err);
/* The (first) image that a name means at registries. offer is the source's. */
int nc_remote_offer(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
		    struct nc_source **ret, const struct nc_offer **ret_offer, struct nacre_error *err);
/* A name made full; room for NC_REFERENCE_TEXT bytes. NACRE_E_INVALID for a digest. */
int nc_full_name(const char *text, char *ret, struct nacre_error *err);

#endif
