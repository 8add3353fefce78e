// Packets between posternd and the helper: packing, sending, receiving, judging.  No state in here.
#ifndef POSTERN_POSTERND_HELPER_PACKET_H
#define POSTERN_POSTERND_HELPER_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/helper.h"

// A request ready to be sent; owns its bytes and its descriptors.
struct helper_packet {
	uint8_t *buf;
	size_t len;
	int fds[HELPER_MAX_FDS];
	unsigned nfds;
};

struct helper_answer {
	enum op_status status;
	union op_res res;          // OPS_OK
	struct op_failure failure; // otherwise
};

// Packs [id, op, {args}] and duplicates the descriptors; an optional one that is missing (-1) may only be followed by missing ones, for
// positions are all that tells them apart.  Returns 0 or an errno.
int helper_packet_pack(struct helper_packet *p, uint32_t id, enum op_id op, const void *args, const int *fds);
void helper_packet_finish(struct helper_packet *p);

// Sends it whole; false with errno.
bool helper_packet_send(int fd, const struct helper_packet *p);
bool helper_packet_send_hello(int fd);

// Receives one packet with its descriptors (close-on-exec; unused places are -1).  Returns its length, 0 at the end, -1 with errno
// (EMSGSIZE: longer than size, or more descriptors than allowed).
ssize_t helper_packet_receive(int fd, uint8_t *buf, size_t size, int fds[HELPER_MAX_FDS], unsigned *nfds);

// What is wrong with the helper's first packet, or NULL.
const char *helper_packet_check_hello(const uint8_t *buf, size_t len);

// The number of the request that an answer belongs to.
bool helper_packet_answer_id(const uint8_t *buf, size_t len, uint32_t *id);

// Reads the answer to an operation; what is wrong with it, or NULL.
const char *helper_packet_read(const uint8_t *buf, size_t len, enum op_id op, unsigned nfds, struct helper_answer *a);

#endif
