#include "io/inflate.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

static void isal_reset(void *state)
{
	isal_inflate_reset(state);
	((struct inflate_state *)state)->crc_flag = ISAL_DEFLATE;
}

static void *isal_make(void)
{
	struct inflate_state *state = nc_alloc(sizeof *state);
	if (state)
		isal_inflate_init(state);
	return state;
}

static int isal_run(void *state, struct nc_input *in, struct nc_output *out, struct nacre_error *err)
{
	struct inflate_state *isal = state;
	uint32_t had = in->left < UINT32_MAX ? (uint32_t)in->left : UINT32_MAX;
	uint32_t room = out->left < UINT32_MAX ? (uint32_t)out->left : UINT32_MAX;
	isal->next_in = (uint8_t *)in->at;	/* it only reads there */
	isal->avail_in = had;
	isal->next_out = out->at;
	isal->avail_out = room;
	int code = isal_inflate(isal);
	if (code < 0)	/* what it has put out ends with bytes that were never decoded */
		return nc_fail(err, NACRE_E_BADDATA, 0, "the deflate data is damaged (%s)",
			       code == ISAL_INVALID_BLOCK ? "a block" :
			       code == ISAL_INVALID_LOOKBACK ? "a distance" : "a code");
	in->at += had - isal->avail_in;
	in->left -= had - isal->avail_in;
	out->at += room - isal->avail_out;
	out->left -= room - isal->avail_out;
	return isal->block_state == ISAL_BLOCK_FINISH;
}

static size_t isal_swallowed(void *state, unsigned char *ret)
{
	struct inflate_state *isal = state;
	uint64_t bits = isal->read_in >> (isal->read_in_length % 8);
	size_t count = (size_t)isal->read_in_length / 8;
	for (size_t i = 0; i < count; i++, bits >>= 8)
		ret[i] = (unsigned char)bits;
	return count;
}

static uint32_t isal_crc(uint32_t crc, const unsigned char *bytes, size_t len)
{
	return crc32_gzip_refl(crc, bytes, len);
}

const struct nc_inflate_ops nc_inflate_isal = {
	isal_make, free, isal_reset, isal_run, isal_swallowed, isal_crc,
};
