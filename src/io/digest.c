#include "io/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct alg {
	const char *prefix;
	size_t size;
	const EVP_MD *(*md)(void);
};

static const struct alg algs[] = {
	[NC_SHA256] = { "sha256:", 32, EVP_sha256 },
	[NC_SHA384] = { "sha384:", 48, EVP_sha384 },
	[NC_SHA512] = { "sha512:", 64, EVP_sha512 },
};

struct nc_hash {
	EVP_MD_CTX *ctx;
	enum nc_digest_alg alg;
	bool broken;	/* then the result is no digest, which equals none */
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Exactly size bytes, written with lowercase digits, and then the end of the text. */
static bool parse_hex(const char *text, unsigned char *ret, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int high = hex_value(text[2 * i]);
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
		if (low < 0)
			return false;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	return text[2 * size] == '\0';
}

int nc_digest_parse(const char *text, struct nc_digest *ret, struct nacre_error *err)
{
	for (size_t alg = NC_SHA256; alg <= NC_SHA512; alg++) {
		size_t prefix = strlen(algs[alg].prefix);
		if (strncmp(text, algs[alg].prefix, prefix) != 0)
			continue;
		struct nc_digest digest = { .alg = (enum nc_digest_alg)alg };
		if (!parse_hex(text + prefix, digest.bytes, algs[alg].size))
			return nc_fail(err, NACRE_E_INVALID, 0,
				       "'%.200s' is not a digest: %zu lowercase hex digits must follow '%s'", text,
				       2 * algs[alg].size, algs[alg].prefix);
		*ret = digest;
		return 0;
	}
	return nc_fail(err, NACRE_E_INVALID, 0, "'%.200s' is not a digest of a known algorithm", text);
}

int nc_digest_from_hex_id(const char *id, struct nc_digest *ret, struct nacre_error *err)
{
	struct nc_digest digest = { .alg = NC_SHA256 };
	if (!parse_hex(id, digest.bytes, algs[NC_SHA256].size))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.200s' is not an ID of 64 lowercase hex digits", id);
	*ret = digest;
	return 0;
}

static size_t size_of(const struct nc_digest *digest)
{
	return digest->alg >= NC_SHA256 && digest->alg <= NC_SHA512 ? algs[digest->alg].size : 0;
}

const char *nc_digest_hex(const struct nc_digest *digest, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	char *out = ret;
	for (size_t i = 0; i < size_of(digest); i++) {
		*out++ = digits[digest->bytes[i] >> 4];
		*out++ = digits[digest->bytes[i] & 15];
	}
	*out = '\0';
	return ret;
}

const char *nc_digest_text(const struct nc_digest *digest, char *ret)
{
	const char *prefix = size_of(digest) ? algs[digest->alg].prefix : "";
	size_t len = strlen(prefix);
	memcpy(ret, prefix, len);
	nc_digest_hex(digest, ret + len);
	return ret;
}

bool nc_digest_equal(const struct nc_digest *a, const struct nc_digest *b)
{
	return size_of(a) && a->alg == b->alg && memcmp(a->bytes, b->bytes, size_of(a)) == 0;
}

int nc_hash_new(enum nc_digest_alg alg, struct nc_hash **ret, struct nacre_error *err)
{
	if (alg < NC_SHA256 || alg > NC_SHA512)
		return nc_fail(err, NACRE_E_INVALID, 0, "no hash algorithm has the number %d", (int)alg);
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = nc_zalloc(sizeof *hash);
	if (!hash)
		return nc_nomem(err);
	hash->alg = alg;
	hash->ctx = EVP_MD_CTX_new();
	if (!hash->ctx)
		return nc_nomem(err);
	if (!EVP_DigestInit_ex(hash->ctx, algs[alg].md(), NULL))
		return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "OpenSSL refuses to compute %.6s", algs[alg].prefix);
	*ret = NC_GIVE(hash);
	return 0;
}

void nc_hash_add(struct nc_hash *hash, const void *bytes, size_t len)
{
	if (len && !EVP_DigestUpdate(hash->ctx, bytes, len))
		hash->broken = true;
}

void nc_hash_finish(struct nc_hash *hash, struct nc_digest *ret)
{
	struct nc_digest digest = { .alg = hash->alg };
	unsigned char bytes[EVP_MAX_MD_SIZE];
	if (hash->broken || !EVP_DigestFinal_ex(hash->ctx, bytes, NULL))
		digest.alg = 0;
	else
		memcpy(digest.bytes, bytes, algs[hash->alg].size);
	hash->broken = true;
	*ret = digest;
}

void nc_hash_free(struct nc_hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->ctx);
	free(hash);
}

int nc_digest_of(const void *bytes, size_t len, struct nc_digest *ret, struct nacre_error *err)
{
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	int code = nc_hash_new(NC_SHA256, &hash, err);
	if (code < 0)
		return code;
	nc_hash_add(hash, bytes, len);
	nc_hash_finish(hash, ret);
	return 0;
}
