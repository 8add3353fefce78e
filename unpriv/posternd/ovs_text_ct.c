// Lines of dpctl/dump-conntrack (lib/ct-dpif.c of Open vSwitch). See ovs_text.h.
#include <arpa/inet.h>
#include <string.h>

#include "unpriv/posternd/ovs_text.h"

// Cuts the next "name=value" off, where value may stand in parentheses, which go. Returns what follows the comma behind it; NULL where that is
// wrong. At the end *name is NULL.
static char *next_member(char *text, char **name, char **value)
{
	size_t n = strcspn(text, "=,()");

	*name = NULL;
	if (*text == '\0')
		return text;
	if (text[n] != '=' || n == 0)
		return NULL;
	*name = text;
	text[n] = '\0';
	text += n + 1;
	bool wrapped = *text == '(';
	text += wrapped;
	*value = text;
	n = strcspn(text, wrapped ? ")" : ",()");
	if (wrapped && text[n] != ')')
		return NULL;
	if (wrapped)
		text[n++] = '\0';
	if (text[n] != ',' && text[n] != '\0')
		return NULL;
	bool last = text[n] == '\0';
	text[n] = '\0';
	return text + n + !last;
}

static bool is_address(const char *text, int family)
{
	unsigned char address[16];

	return inet_pton(family, text, address) == 1;
}

static bool take_tuple(char *text, struct ovs_tuple *t)
{
	char *name, *value;
	struct {
		const char *name;
		bool *has;
		uint64_t *to;
	} numbers[] = {
	    {"sport", &t->has_sport, &t->sport}, {"dport", &t->has_dport, &t->dport}, {"id", &t->has_id, &t->id},
	    {"type", &t->has_type, &t->type},    {"code", &t->has_code, &t->code},    {"packets", &t->has_packets, &t->packets},
	    {"bytes", &t->has_bytes, &t->bytes},
	};

	while ((text = next_member(text, &name, &value)) != NULL && name != NULL) {
		if (strcmp(name, "src") == 0)
			t->src = value;
		else if (strcmp(name, "dst") == 0)
			t->dst = value;
		for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
			if (strcmp(name, numbers[i].name) == 0 && !(*numbers[i].has = ovs_text_number(value, numbers[i].to)))
				return false;
	}
	return text != NULL && t->src != NULL && t->dst != NULL &&
	       ((is_address(t->src, AF_INET) && is_address(t->dst, AF_INET)) || (is_address(t->src, AF_INET6) && is_address(t->dst, AF_INET6)));
}

// "state=S", or "state_orig=S,state_reply=S,…".
static bool take_state(char *text, struct ovs_conn_line *out)
{
	char *name, *value;

	while ((text = next_member(text, &name, &value)) != NULL && name != NULL)
		if (strcmp(name, "state") == 0 || strcmp(name, "state_orig") == 0)
			out->state = value;
	return text != NULL;
}

static bool take(const char *name, char *value, struct ovs_conn_line *out)
{
	if (strcmp(name, "orig") == 0)
		return take_tuple(value, &out->orig);
	if (strcmp(name, "reply") == 0)
		return take_tuple(value, &out->reply);
	if (strcmp(name, "protoinfo") == 0)
		return take_state(value, out);
	if (strcmp(name, "zone") == 0)
		return ovs_text_number(value, &out->zone);
	if (strcmp(name, "mark") == 0)
		return ovs_text_number(value, &out->mark);
	if (strcmp(name, "timeout") == 0)
		return out->has_timeout = ovs_text_number(value, &out->timeout);
	if (strcmp(name, "labels") == 0)
		out->labels = value;
	else if (strcmp(name, "helper") == 0)
		out->helper = value;
	return true;
}

bool ovs_text_conn(char *line, struct ovs_conn_line *out)
{
	char *rest = strchr(line, ','), *name, *value;

	*out = (struct ovs_conn_line){.proto = line, .state = "", .labels = "", .helper = ""};
	if (rest == NULL || rest == line)
		return false;
	*rest++ = '\0';
	while ((rest = next_member(rest, &name, &value)) != NULL && name != NULL)
		if (!take(name, value, out))
			return false;
	return rest != NULL && strcspn(out->proto, "=() ") == strlen(out->proto) && out->orig.src != NULL && out->reply.src != NULL;
}
