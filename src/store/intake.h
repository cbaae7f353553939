/* The intake: a layer's blob as it comes from outside. It passes everything through and meanwhile finds out how it is
 * compressed, counts, hashes and copies it. A plain blob is not hashed here: the caller hashes its bytes anyway. */
#ifndef NC_STORE_INTAKE_H
#define NC_STORE_INTAKE_H

#include "io/codec.h"
#include "io/reader.h"

struct nc_intake_options {
	const struct nc_digest *digest;	/* promised; NULL: unknown, then SHA-256 is found out */
	uint64_t size;			/* promised; UINT64_MAX: unknown. More fails at once */
	int copy;			/* descriptor that receives a copy; -1: none */
	bool copy_plain;		/* also when it is not compressed */
};

/* Takes upstream. *ret is the intake as a reader (to be closed, or handed on to an adaptor). */
struct nc_intake;
int nc_intake_new(struct nc_reader *upstream, const struct nc_intake_options *options, struct nc_intake **ret,
		  struct nacre_error *err);
struct nc_reader *nc_intake_reader(struct nc_intake *intake);

/* Before the chain is closed: reads what nobody wanted to its end and compares with what was promised.
 * flat: the digest of the bytes inflated, which is that of the blob when it is plain. NACRE_E_DIGEST,
 * NACRE_E_BADDATA. */
int nc_intake_finish(struct nc_intake *intake, const struct nc_digest *flat, struct nc_digest *ret_blob,
		     uint64_t *ret_size, struct nacre_error *err);
/* Known once the first bytes were read. */
enum nc_codec nc_intake_codec(const struct nc_intake *intake);

#endif
