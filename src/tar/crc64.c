#include "tar/split.h"

#include <isa-l/crc64.h>

uint64_t nc_crc64(uint64_t crc, const void *bytes, size_t len)
{
	return crc64_iso_refl(crc, bytes, len);
}
