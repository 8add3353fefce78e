// UTF-8 by the table of RFC 3629, section 4. See utf8.h.
#include "unpriv/posternd/utf8.h"

static int in(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

// The second byte has a range of its own after four of the lead bytes.
static int second_fits(unsigned char lead, unsigned char c)
{
	switch (lead) {
	case 0xe0: return in(c, 0xa0, 0xbf);
	case 0xed: return in(c, 0x80, 0x9f);
	case 0xf0: return in(c, 0x90, 0xbf);
	case 0xf4: return in(c, 0x80, 0x8f);
	default: return in(c, 0x80, 0xbf);
	}
}

size_t utf8_length(const unsigned char *s, size_t n)
{
	if (s[0] < 0x80)
		return 1;
	size_t len = in(s[0], 0xc2, 0xdf) ? 2 : in(s[0], 0xe0, 0xef) ? 3 : in(s[0], 0xf0, 0xf4) ? 4 : 0;
	if (len == 0 || len > n || !second_fits(s[0], s[1]))
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!in(s[i], 0x80, 0xbf))
			return 0;
	return len;
}

size_t utf8_put(unsigned long code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = len - 1; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(lead[len] | code);
	return len;
}
