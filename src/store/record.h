/* The tar-split record of a layer, as it is written: in what it says is by a member's name, the driver has the content; what a
 * later member of the layer displaces goes into the record itself. */
#ifndef NC_STORE_RECORD_H
#define NC_STORE_RECORD_H

#include "driver/driver.h"
#include "store/store.h"
#include "tar/reader.h"

#define NC_RECORD "tar-data.json.gz"

struct nc_record;

/* A new record in dir (borrowed). */
int nc_record_new(struct nacre_store *store, int dir, struct nc_record **ret, struct nacre_error *err);
void nc_record_free(struct nc_record *record);
NC_DEFINE_CLEANUP(nc_record_auto, struct nc_record *, nc_record_free)

/* What the driver calls. */
struct nc_displaced nc_record_hook(struct nc_record *record);
/* Before the driver gets a member. */
void nc_record_before(struct nc_record *record);
/* After it: by_name says whether its content is found by its name again. */
int nc_record_member(struct nc_record *record, const struct nc_entry *entry, bool by_name, struct nacre_error *err);
int nc_record_content(struct nc_record *record, const void *bytes, size_t len, struct nacre_error *err);
int nc_record_framing(struct nc_record *record, const void *bytes, size_t len, struct nacre_error *err);
/* After the last byte. */
int nc_record_finish(struct nc_record *record, struct nacre_error *err);
/* After the tree is sealed: what was displaced goes in. 1 when there was anything: the whole shall be proved then, or 0. */
int nc_record_settle(struct nc_record *record, struct nacre_error *err);

#endif
