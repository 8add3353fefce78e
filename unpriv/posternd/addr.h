// Names and addresses between text and the helper's wire.
#ifndef POSTERN_POSTERND_ADDR_H
#define POSTERN_POSTERND_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/wire.h"

// Copies a text that has been checked to fit into an array of size bytes; what wouldn't fit is cut.
void copy_text(char *out, size_t size, const char *text);
#define COPY_TEXT(array, text) copy_text(array, sizeof(array), text)

#define CIDR_TEXT 52 // bytes of an address with its prefix length, with its NUL
#define MAC_TEXT  18

// "10.0.0.1/24" or "10.0.0.1" (prefix 32 or 128).  False where it is neither.
bool addr_parse(const char *text, struct wire_addr *a);

// Clears the bits behind the prefix: the network an address lies in.
void addr_network(struct wire_addr *a);

// Writes it with the prefix, or without.
void addr_text(const struct wire_addr *a, bool prefix, char out[CIDR_TEXT]);

// "02:00:00:00:00:01"; false where it isn't a unicast address, or all zero.
bool mac_parse(const char *text, uint8_t mac[6]);
void mac_text(const uint8_t mac[6], char out[MAC_TEXT]);

#endif
