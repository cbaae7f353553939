/* UTF-8, as Go's utf8 package judges it. */
#ifndef NC_BASE_UTF8_H
#define NC_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the sequence at text (len at least 1), 0 where it is none. */
size_t nc_utf8_len(const unsigned char *text, size_t len);
bool nc_utf8_valid(const char *text, size_t len);
/* Writes a code point; returns its length, 0 when it is none. ret has room for 4 bytes. */
size_t nc_utf8_encode(unsigned long point, char *ret);

#endif
