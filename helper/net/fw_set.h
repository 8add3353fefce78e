// The sets and maps of table inet postern: which of them holds a record, and how its key and value look there.
//
// A forward, a translation or a plain allow rule is one element (a translation out of any uplink: one for each), found by one lookup however
// many there are.  Which set it is depends on the record alone, so that a record can be taken out again by whoever knows only it.
#ifndef HELPER_NET_FW_SET_H
#define HELPER_NET_FW_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helper/common/policy.h"

#define FW_TABLE   "postern"
#define FW_HAIRPIN "hairpin"  // set of pairs of links that packets filled in; see fw_rule.c
#define FW_KEY_MAX 64u // bytes; NFT_DATA_VALUE_MAXLEN of the kernel

// What a key is made of, in this order.
enum fw_part {
	PART_LINK = 1,   // name of the link a packet comes by, or, of source translations, leaves by
	PART_SOURCE = 2, // source address
	PART_HOST = 4,   // destination address
	PART_PORT = 8,   // layer 4 protocol and destination port
};

struct fw_set {
	const char *name;
	enum fw_kind kind;
	uint8_t family; // 4, 6; 0: no addresses in it
	uint8_t parts;
	bool any; // its elements stand for "any uplink", one for each
};

// One field of a key or value as the kernel is told of it.
struct fw_field {
	uint8_t type; // nft's number of the data type
	uint8_t len;  // bytes it says something in
};

struct fw_elem {
	uint8_t key[FW_KEY_MAX], end[FW_KEY_MAX]; // end: see fw_set_ranges
	uint8_t value[FW_KEY_MAX];
};

#define FW_SETS 30u
extern const struct fw_set fw_sets[FW_SETS];

// The set that holds the record; NULL: it is a rule of its own.
const struct fw_set *fw_set_of(const struct fw_record *r);

// The set of that name, or NULL.
const struct fw_set *fw_set_named(const char *name);

// True when its keys are ranges, for the source is a network.
bool fw_set_ranges(const struct fw_set *s);

// The fields of its keys or values; returns how many (values: 0 for a set that is no map).
#define FW_FIELDS 5u
unsigned fw_set_key(const struct fw_set *s, struct fw_field f[FW_FIELDS]);
unsigned fw_set_value(const struct fw_set *s, struct fw_field f[FW_FIELDS]);

// Bytes that fields take: one alone as many as it has, several each a multiple of four.
uint32_t fw_fields_len(const struct fw_field *f, unsigned n);

// The element of a record; link: the uplink it is for, of sets with `any`.
void fw_elem_of(const struct fw_set *s, const struct fw_record *r, const char *link, struct fw_elem *e);

// The record of an element (its comment stays empty, and of sets with `any` its interface too); false where nothing of ours looks so.
bool fw_elem_record(const struct fw_set *s, const struct fw_elem *e, struct fw_record *r);

#endif
