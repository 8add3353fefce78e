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

static inline void rtnl_each_attr(const struct rtattr *a, size_t len, rtnl_attr_fn *fn, void *out)
{
	unsigned left = (unsigned)len;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		fn(a, out);
}

static inline void rtnl_nested(const struct rtattr *a, rtnl_attr_fn *fn, void *out)
{
	rtnl_each_attr(RTA_DATA(a), RTA_PAYLOAD(a), fn, out);
}

#endif
