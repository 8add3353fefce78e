// Attributes of a kernel message.  What is shorter than its type is read as far as it goes.
#ifndef POSTERN_POSTERND_RTNL_ATTR_H
#define POSTERN_POSTERND_RTNL_ATTR_H

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t rtnl_get_u32(const struct rtattr *a)
{
	uint32_t v = 0;

	memcpy(&v, RTA_DATA(a), RTA_PAYLOAD(a) < sizeof(v) ? RTA_PAYLOAD(a) : sizeof(v));
	return v;
}

static inline uint8_t rtnl_get_u8(const struct rtattr *a)
{
	return RTA_PAYLOAD(a) >= 1 ? *(const uint8_t *)RTA_DATA(a) : 0;
}

static inline void rtnl_get_text(const struct rtattr *a, char *out, size_t size)
{
	size_t n = strnlen(RTA_DATA(a), RTA_PAYLOAD(a));

	n = n < size ? n : size - 1;
	memcpy(out, RTA_DATA(a), n);
	out[n] = '\0';
}

typedef void rtnl_attr_fn(const struct rtattr *a, void *out);

// The last one may lack its padding, so RTA_NEXT, which counts it, is no help here.
static inline void rtnl_each_attr(const struct rtattr *a, size_t len, rtnl_attr_fn *fn, void *out)
{
	while (len >= sizeof(*a) && a->rta_len >= sizeof(*a) && a->rta_len <= len) {
		size_t step = RTA_ALIGN(a->rta_len);
		fn(a, out);
		if (step >= len)
			return;
		len -= step;
		a = (const struct rtattr *)(const void *)((const char *)a + step);
	}
}

static inline void rtnl_nested(const struct rtattr *a, rtnl_attr_fn *fn, void *out)
{
	rtnl_each_attr(RTA_DATA(a), RTA_PAYLOAD(a), fn, out);
}

#endif
