/* Base64, standard alphabet. */
#ifndef NC_BASE_BASE64_H
#define NC_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#define NC_BASE64_ENCODED(len) (((len) + 2) / 3 * 4)
#define NC_BASE64_DECODED_MAX(len) ((len) / 4 * 3 + 3)

/* Writes NC_BASE64_ENCODED(len) characters, padded, without a NUL; returns their number. */
size_t nc_base64_encode(const void *bytes, size_t len, char *ret);
/* Padding may be missing; anything else that is not base64, blanks too, gives -1. ret has room for
 * NC_BASE64_DECODED_MAX(len) bytes and may be text itself. Returns the number of bytes. */
ssize_t nc_base64_decode(const char *text, size_t len, void *ret);

#endif
