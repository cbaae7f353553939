#include "image/config.h"

#include <stdio.h>

/* The chain ID of one layer is its diff ID; of more, the digest of the text "CHAIN DIFF": the chain ID of all below the
 * topmost, a space, and the topmost's diff ID. */
int nc_chain_ids(const struct nc_digest *diff_ids, size_t n, struct nc_digest *ret, struct nacre_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 0) {
			ret[0] = diff_ids[0];
			continue;
		}
		char below[NC_DIGEST_TEXT], diff[NC_DIGEST_TEXT], both[2 * NC_DIGEST_TEXT];
		int len = snprintf(both, sizeof both, "%s %s", nc_digest_text(&ret[i - 1], below),
				   nc_digest_text(&diff_ids[i], diff));
		int code = nc_digest_of(both, (size_t)len, &ret[i], err);
		if (code < 0)
			return code;
	}
	return 0;
}
