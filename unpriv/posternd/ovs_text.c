// See ovs_text.h. Formats: lib/match.c, lib/dpctl.c, lib/ct-dpif.c and ofproto/ofproto.c of Open vSwitch 2.15 to 3.5.
#include "unpriv/posternd/ovs_text.h"

#include <string.h>

#define DEFAULT_PRIORITY 32768u                // OFP_DEFAULT_PRIORITY, which match_format() leaves out
#define OWN_TABLE        254u                  // TBL_INTERNAL of ofproto/ofproto-dpif.h
#define NUMBER_MAX       ((uint64_t)INT64_MAX) // what results hold

bool ovs_text_number(const char *s, uint64_t *out)
{
	unsigned base = strncmp(s, "0x", 2) == 0 ? 16 : 10;
	uint64_t n = 0;

	s += base == 16 ? 2 : 0;
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		unsigned digit = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0') : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10 : 99;
		if (digit >= base || n > (NUMBER_MAX - digit) / base)
			return false;
		n = n * base + digit;
	}
	*out = n;
	return true;
}

// What follows the beginning `head`, or NULL.
static char *behind(char *text, const char *head)
{
	size_t n = strlen(head);

	return strncmp(text, head, n) == 0 ? text + n : NULL;
}

// Reads the number that a text begins with, up to one of `ends` or the text's end, and cuts it off there. Returns what follows, or NULL.
static char *leading(char *text, const char *ends, uint64_t *out)
{
	char *end = text + strcspn(text, ends), *next = *end != '\0' ? end + 1 : end;

	*end = '\0';
	return ovs_text_number(text, out) ? next : NULL;
}

// Cuts the text at the first `sep`, and returns what follows it; NULL where there is none.
static char *cut(char *text, const char *sep)
{
	char *at = strstr(text, sep);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return at + strlen(sep);
}

// ---- flows ----

// "priority=N,MATCH" or "MATCH", without the comma before the actions.
static bool take_match(char *text, struct ovs_flow *f)
{
	char *number = behind(text, "priority=");
	uint64_t priority = DEFAULT_PRIORITY;

	if (number != NULL && ((text = leading(number, ",", &priority)) == NULL || priority > UINT32_MAX))
		return false;
	f->priority = (uint32_t)priority;
	f->match = text;
	return true;
}

// One member before the match, "name=value"; false where a value that is wanted is none.
static bool take_member(char *text, struct ovs_flow *f, unsigned *seen)
{
	uint64_t table = 0;
	char *v;

	if ((v = behind(text, "table_id=")) != NULL) {
		if (!ovs_text_number(v, &table) || table > UINT8_MAX)
			return false;
		f->table = (uint32_t)table;
	} else if ((v = behind(text, "duration=")) != NULL) {
		return leading(v, ".s", &f->duration) != NULL;
	} else if ((v = behind(text, "n_packets=")) != NULL) {
		*seen |= 1;
		return ovs_text_number(v, &f->packets);
	} else if ((v = behind(text, "n_bytes=")) != NULL) {
		*seen |= 2;
		return ovs_text_number(v, &f->bytes);
	}
	return true;
}

bool ovs_text_flow(char *line, struct ovs_flow *out)
{
	unsigned seen = 0;
	char *next, *actions;

	*out = (struct ovs_flow){0};
	// Members end with ", "; neither a match nor the list of actions behind it begins before the last of those.
	while (strncmp(line, "actions=", 8) != 0 && (next = strstr(line, ", ")) != NULL && next < line + strcspn(line, ",") + 1) {
		*next = '\0';
		if (!take_member(line, out, &seen))
			return false;
		line = next + 2;
	}
	actions = behind(line, "actions=");
	if (actions != NULL)
		line[0] = '\0';
	else
		actions = cut(line, ",actions=");
	out->actions = actions;
	return actions != NULL && seen == 3 && take_match(line, out);
}

bool ovs_flow_hidden(const struct ovs_flow *f)
{
	return f->table == OWN_TABLE || f->priority > UINT16_MAX;
}

// ---- datapaths ----

static bool take_lookups(char *text, struct ovs_show_line *out)
{
	char *hit = behind(text, "hit:"), *missed, *lost;

	return hit != NULL && (missed = leading(hit, " ", &out->hit)) != NULL && (missed = behind(missed, "missed:")) != NULL &&
	       (lost = leading(missed, " ", &out->missed)) != NULL && (lost = behind(lost, "lost:")) != NULL &&
	       leading(lost, " ", &out->lost) != NULL;
}

static bool take_port(char *text, struct ovs_show_line *out)
{
	char *name = leading(text, ":", &out->number), *type;

	if (name == NULL || *name++ != ' ' || *name == '\0')
		return false;
	type = cut(name, " (");
	out->name = name;
	out->type = type != NULL ? type : "";
	if (type != NULL)
		type[strcspn(type, ":)")] = '\0';
	return true;
}

enum ovs_show ovs_text_show(char *line, struct ovs_show_line *out)
{
	size_t n = strlen(line);
	char *rest;

	*out = (struct ovs_show_line){.name = "", .type = ""};
	if (n > 1 && line[0] != ' ' && line[n - 1] == ':') {
		line[n - 1] = '\0';
		out->name = line;
		return OVS_SHOW_NAME;
	}
	if ((rest = behind(line, "  lookups: ")) != NULL)
		return take_lookups(rest, out) ? OVS_SHOW_LOOKUPS : OVS_SHOW_OTHER;
	if ((rest = behind(line, "  flows: ")) != NULL)
		return ovs_text_number(rest, &out->number) ? OVS_SHOW_FLOWS : OVS_SHOW_OTHER;
	if ((rest = behind(line, "  port ")) != NULL)
		return take_port(rest, out) ? OVS_SHOW_PORT : OVS_SHOW_OTHER;
	return OVS_SHOW_OTHER;
}

// "never", or "SECONDS.MILLISECONDSs".
static bool take_used(char *text, struct ovs_dp_flow *out)
{
	uint64_t seconds, thousandths = 0;
	char *rest;

	if (strcmp(text, "never") == 0)
		return true;
	rest = leading(text, ".s", &seconds);
	if (rest == NULL || (*rest != '\0' && (leading(rest, "s", &thousandths) == NULL || thousandths > 999)))
		return false;
	out->used = true;
	out->used_secs = (double)seconds + (double)thousandths / 1000;
	return true;
}

bool ovs_text_dp_flow(char *line, struct ovs_dp_flow *out)
{
	char *packets = cut(line, ", packets:"), *bytes = packets != NULL ? cut(packets, ", bytes:") : NULL;
	char *rest = bytes != NULL ? cut(bytes, ", ") : NULL, *used, *actions;

	*out = (struct ovs_dp_flow){.match = line};
	if (rest == NULL || !ovs_text_number(packets, &out->packets) || !ovs_text_number(bytes, &out->bytes))
		return false;
	used = behind(rest, "used:");
	actions = behind(rest, "actions:");
	if (actions == NULL)
		actions = cut(rest, ", actions:");
	if (actions == NULL)
		return false;
	out->actions = actions;
	if (used == NULL)
		return true;
	used[strcspn(used, ",")] = '\0';
	return take_used(used, out);
}

const char *ovs_text_thread(char *line)
{
	size_t n = strlen(line);
	char *who = behind(line, "flow-dump from "), *core;

	if (who == NULL || line[n - 1] != ':')
		return NULL;
	line[n - 1] = '\0';
	if (strcmp(who, "the main thread") == 0)
		return "main";
	core = behind(who, "pmd on cpu core: ");
	return core != NULL ? core : who;
}

bool ovs_text_count(char *line, const char **proto, uint64_t *n)
{
	char *total = behind(line, "    Total: "), *name = behind(line, "  ");
	char *number = total != NULL ? total : name != NULL && *name != ' ' ? cut(name, ": ") : NULL;

	*proto = total != NULL ? NULL : name;
	return number != NULL && ovs_text_number(number, n);
}

bool ovs_text_limit(char *line, int64_t *zone, uint64_t *limit, uint64_t *count)
{
	char *rest = behind(line, "default limit=");
	uint64_t number;

	*zone = -1;
	*count = 0;
	if (rest != NULL)
		return ovs_text_number(rest, limit);
	rest = behind(line, "zone=");
	if (rest == NULL || (rest = leading(rest, ",", &number)) == NULL || (rest = behind(rest, "limit=")) == NULL ||
	    (rest = leading(rest, ",", limit)) == NULL || (rest = behind(rest, "count=")) == NULL)
		return false;
	*zone = (int64_t)number;
	return ovs_text_number(rest, count);
}
