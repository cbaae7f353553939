/* Digests as OCI writes them ("sha256:" and 64 hex digits), and hashing (OpenSSL's EVP). */
#ifndef NC_IO_DIGEST_H
#define NC_IO_DIGEST_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

enum nc_digest_alg { NC_SHA256 = 1, NC_SHA384, NC_SHA512 };

struct nc_digest {
	enum nc_digest_alg alg;		/* 0: no digest */
	unsigned char bytes[64];	/* unused ones are 0, so memcmp compares */
};

/* Longest text, "sha512:" + 128 digits + NUL. */
#define NC_DIGEST_TEXT 136
#define NC_HEX_ID 65			/* 64 hex digits + NUL */

/* Strict: algorithm known, lowercase hex, exact length, nothing after. NACRE_E_INVALID otherwise. */
int nc_digest_parse(const char *text, struct nc_digest *ret, struct nacre_error *err);
/* ret has room for NC_DIGEST_TEXT bytes; returns ret. */
const char *nc_digest_text(const struct nc_digest *digest, char *ret);
/* The hex part alone; same room. */
const char *nc_digest_hex(const struct nc_digest *digest, char *ret);
/* No digest (alg 0) equals nothing, itself included. */
bool nc_digest_equal(const struct nc_digest *a, const struct nc_digest *b);
/* 64 lowercase hex digits as the SHA-256 that they name. NACRE_E_INVALID otherwise. */
int nc_digest_from_hex_id(const char *id, struct nc_digest *ret, struct nacre_error *err);

/* Running hashes. nc_hash_finish may be called once. */
struct nc_hash;
int nc_hash_new(enum nc_digest_alg alg, struct nc_hash **ret, struct nacre_error *err);
void nc_hash_add(struct nc_hash *hash, const void *bytes, size_t len);
void nc_hash_finish(struct nc_hash *hash, struct nc_digest *ret);
void nc_hash_free(struct nc_hash *hash);
NC_DEFINE_CLEANUP(nc_hash_auto, struct nc_hash *, nc_hash_free)

/* SHA-256 of bytes in memory. */
int nc_digest_of(const void *bytes, size_t len, struct nc_digest *ret, struct nacre_error *err);

#endif
