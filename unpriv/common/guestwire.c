// Incremental reader and bounded writer of the guest wire; the values themselves are proto/guest.c's work.  See guestwire.h.
#include "unpriv/common/guestwire.h"

#include <errno.h>
#include <msgpack/pack.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void guestwire_in_init(struct guestwire_in *in)
{
	in->start = 0;
	in->end = 0;
	in->greeted = false;
}

void guestwire_out_init(struct guestwire_out *out, const uint8_t *secret)
{
	struct msg m = {.id = MSG_hello};

	out->start = 0;
	out->end = 0;
	out->greeted = out->windowed = false;
	out->under_way = 0;
	m.hello.version = GUEST_PROTOCOL;
	m.hello.features = FEATURE_STDIN_WINDOW;
	m.hello.has_secret = secret != NULL;
	m.hello.secret = (struct mp_slice){.p = secret, .len = secret != NULL ? 32 : 0};
	(void)guestwire_put(out, &m); // an empty buffer always has room for it
}

// Moves what is left to the front, so that the free space lies in one piece.
static void settle(uint8_t *buf, size_t *start, size_t *end)
{
	if (*start == 0)
		return;
	memmove(buf, buf + *start, *end - *start);
	*end -= *start;
	*start = 0;
}

ssize_t guestwire_fill(struct guestwire_in *in, int fd)
{
	ssize_t n;

	settle(in->buf, &in->start, &in->end);
	if (in->end == sizeof(in->buf)) {
		errno = ENOBUFS;
		return -1;
	}
	do
		n = read(fd, in->buf + in->end, sizeof(in->buf) - in->end);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		in->end += (size_t)n;
	return n;
}

size_t guestwire_feed(struct guestwire_in *in, const void *bytes, size_t len)
{
	size_t room;

	settle(in->buf, &in->start, &in->end);
	room = sizeof(in->buf) - in->end;
	if (len > room)
		len = room;
	memcpy(in->buf + in->end, bytes, len);
	in->end += len;
	return len;
}

static enum guestwire_status bad(struct wire_error *err, const char *what)
{
	*err = (struct wire_error){.field = NULL, .what = what};
	return GUESTWIRE_BAD;
}

enum guestwire_status guestwire_next(struct guestwire_in *in, struct msg *m, struct wire_error *err)
{
	size_t used;

	switch (msg_read(in->buf + in->start, in->end - in->start, FROM_GUEST, m, &used, err)) {
	case MP_SHORT: return GUESTWIRE_MORE;
	case MP_BAD: return GUESTWIRE_BAD;
	case MP_OK: break;
	}
	// Every version so far can be spoken to: its hello only has to come first, and once.
	if ((m->id == MSG_hello) == in->greeted)
		return bad(err, in->greeted ? "a second hello" : "no hello first");
	in->greeted = true;
	in->start += used;
	return GUESTWIRE_MSG;
}

bool guestwire_put(struct guestwire_out *out, const struct msg *m)
{
	struct mp_out o;

	settle(out->buf, &out->start, &out->end);
	o = (struct mp_out){.buf = out->buf, .cap = sizeof(out->buf), .len = out->end, .full = false};
	if (!msg_write(&o, m))
		return false;
	out->end = o.len;
	return true;
}

bool guestwire_note(struct guestwire_out *out, const struct msg *m)
{
	if (m->id == MSG_hello) {
		out->greeted = true;
		out->windowed = (m->hello.features & FEATURE_STDIN_WINDOW) != 0;
	} else if (m->id == MSG_stdin_taken) {
		if (m->stdin_taken.bytes > out->under_way)
			return false;
		out->under_way -= m->stdin_taken.bytes;
	}
	return true;
}

size_t guestwire_stdin_room(const struct guestwire_out *out)
{
	if (!out->greeted)
		return 0;
	return out->windowed ? STDIN_WINDOW - out->under_way : SIZE_MAX;
}

size_t guestwire_put_stdin(struct guestwire_out *out, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t done = 0;

	if (len > guestwire_stdin_room(out))
		len = guestwire_stdin_room(out);
	while (done < len) {
		struct msg m = {.id = MSG_stdin_data};
		size_t n = len - done < GUEST_MAX_DATA ? len - done : GUEST_MAX_DATA;

		m.stdin_data.data = (struct mp_slice){.p = p + done, .len = (uint32_t)n};
		if (!guestwire_put(out, &m))
			break;
		done += n;
	}
	if (out->windowed)
		out->under_way += (uint32_t)done;
	return done;
}

size_t guestwire_pending(const struct guestwire_out *out)
{
	return out->end - out->start;
}

ssize_t guestwire_flush(struct guestwire_out *out, int fd)
{
	ssize_t n;

	if (guestwire_pending(out) == 0)
		return 0;
	do
		n = send(fd, out->buf + out->start, guestwire_pending(out), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		out->start += (size_t)n;
	return n;
}

bool guestwire_list(struct mp_out *scratch, const char *const *v, struct wire_bytes_list *list)
{
	msgpack_packer pk;
	size_t from = scratch->len;

	list->n = 0;
	msgpack_packer_init(&pk, scratch, mp_out_write);
	for (; *v != NULL; v++, list->n++) {
		msgpack_pack_bin(&pk, strlen(*v));
		msgpack_pack_bin_body(&pk, *v, strlen(*v));
	}
	list->raw = (struct mp_slice){.p = scratch->buf + from, .len = (uint32_t)(scratch->len - from)};
	return !scratch->full;
}

void guestwire_text(const char *text, struct mp_slice *s)
{
	*s = (struct mp_slice){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
}
