#include "base/utf8.h"

size_t nc_utf8_len(const unsigned char *text, size_t len)
{
	unsigned char c = text[0];
	size_t need = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	if (need == 0 || need > len)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (c == 0xe0 && text[1] < 0xa0) || (c == 0xf0 && text[1] < 0x90);
	bool surrogate = c == 0xed && text[1] > 0x9f;
	bool beyond = c == 0xf4 && text[1] > 0x8f;
	return overlong || surrogate || beyond ? 0 : need;
}

bool nc_utf8_valid(const char *text, size_t len)
{
	size_t n;
	for (size_t i = 0; i < len; i += n)
		if ((n = nc_utf8_len((const unsigned char *)text + i, len - i)) == 0)
			return false;
	return true;
}

size_t nc_utf8_encode(unsigned long point, char *ret)
{
	if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	if (point < 0x80) {
		ret[0] = (char)point;
		return 1;
	}
	size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = len - 1; i > 0; i--, point >>= 6)
		ret[i] = (char)(0x80 | (point & 0x3f));
	ret[0] = (char)(first[len] | point);
	return len;
}
