/* That what was read of a node, or of a writable layer, is what it held.
 *
 * Readers lock nothing, so a node may be removed while it is read, and even be there again under the same ID before
 * the reader is done. Removal takes the node out of graph/ before it touches anything of it, and a parent only goes
 * after its last child: so if a node is the same directory of graph/ at the end as at the beginning, all that was read
 * of it and of its ancestors is true, and if not, nothing that was read counts, neither failures nor the rest. A writable
 * layer goes out of its place in the same way, before its image can. */
#ifndef NC_STORE_WITNESS_H
#define NC_STORE_WITNESS_H

#include "store/inner.h"
#include "store/writable.h"

struct nc_witness {
	int home;			/* borrowed from the store */
	int dir;			/* of the node, O_PATH: as long as it is open no other one has its number */
	char path[NC_HEX_ID + 16];	/* in home */
};
#define NC_WITNESS_NONE { .dir = -1 }
#define NC_AUTO_WITNESS __attribute__((cleanup(nc_witness_release)))

/* From before the first look at the node. NACRE_E_NOTFOUND. */
int nc_witness_take(struct nacre_store *store, const char *id, struct nc_witness *ret, struct nacre_error *err);
int nc_witness_take_writable(struct nacre_store *store, const struct nc_writable *writable, struct nc_witness *ret,
			     struct nacre_error *err);
/* Whether the node is still the same one. */
bool nc_witness_holds(const struct nc_witness *witness);
/* After the last look: code as it is, or NACRE_E_NOTFOUND when the node is not the same any more. Who was told to stop
 * stops. A witness of nothing changes nothing. */
int nc_witness_judge(const struct nc_witness *witness, int code, struct nacre_error *err);
void nc_witness_release(struct nc_witness *witness);

/* A reader of something of the node (taken, also on failure) that fails as judged. proved: what it gives is proved by
 * a digest, so that only its failures are. The witness is taken, and then one of nothing. */
int nc_witness_reader(struct nc_witness *witness, struct nc_reader *reader, bool proved, struct nc_reader **ret,
		      struct nacre_error *err);

#endif
