/* What all files of claims share. A claim is a cmocka test; each gets a driver in a directory of its own. */
#ifndef NC_TESTS_DRIVER_CLAIMS_H
#define NC_TESTS_DRIVER_CLAIMS_H

#include "rig.h"

extern struct rig rig;
extern const char *driver_name;

/* For each: removes the tree. */
int remove_id(void *ctx, const char *id, struct nacre_error *err);
/* For each: adds one to *ctx. */
int count_id(void *ctx, const char *id, struct nacre_error *err);
int count_name(void *ctx, const char *name, unsigned char type, struct nacre_error *err);

/* The changes from tree a (0: nothing) to tree b, laid over a as layer made, must give b. */
void prove_changes(unsigned a, unsigned b, unsigned made);
/* The changes from tree a (0: nothing) to a view, laid over a as layer made. Returns how many. */
size_t lay_changes(unsigned a, struct nc_view *after, unsigned made);
/* No layer can hold them. */
void expect_no_layer(unsigned a, struct nc_view *after);

void nothing(void **state);
void every_type(void **state);
void modes_and_owners(void **state);
void byte_order(void **state);
void times(void **state);
void times_of_directories(void **state);
void root_metadata(void **state);
void xattrs(void **state);
void xattrs_left_out(void **state);
void acls_are_not_inherited(void **state);
void hard_links(void **state);
void hard_links_to_lower_layers(void **state);
void hard_links_to_themselves(void **state);
void links_of_aufs(void **state);
void through_links(void **state);
void links_that_change(void **state);
void whiteouts(void **state);
void whiteouts_hide_parents_only(void **state);
void opaque(void **state);
void opaque_root(void **state);
void bad_whiteouts(void **state);
void replaced_by_another_layer(void **state);
void replaced_by_the_same_layer(void **state);
void duplicates(void **state);
void reports(void **state);
void implied(void **state);
void names(void **state);
void long_names(void **state);
void deep(void **state);
void hostile(void **state);
void content(void **state);
void sparse(void **state);
void wrong_content(void **state);
void views(void **state);
void differences(void **state);
void changes_of_every_kind(void **state);
void changes_of_nothing(void **state);
void changes_within_a_second(void **state);
void changes_of_opaque_directories(void **state);
void changes_of_hard_links(void **state);
void changes_of_other_files(void **state);
void writable(void **state);
void writable_over_nothing(void **state);
void writable_marks(void **state);
void removal(void **state);
void layers_127(void **state);
void layers_500(void **state);
void layers_501(void **state);
void mounts(void **state);
void mounts_by_the_old_call(void **state);
void random_layers(void **state);
void probe(void **state);
void read_only(void **state);
void a_long_way_to_the_store(void **state);
void full_disk(void **state);
void several_at_once(void **state);
void a_parent_that_is_being_written(void **state);
void a_parent_that_fails(void **state);
void subvolumes_in_subvolumes(void **state);
void subvolumes_far_down(void **state);
void space_of_branches(void **state);
void sealed_and_synced(void **state);

#endif
