// Reads the rows only; everything that is said about a method, on the terminal or in a man page, comes from here.  See verbs.h.
#include "unpriv/postern/verbs.h"

#include <string.h>

int verb_find(int argc, char *const *argv, const struct rpc_method **m)
{
	char name[128];
	size_t len = 0;
	int used = 0;

	for (int i = 0; i < argc && argv[i][0] != '-' && argv[i][0] != '\0'; i++) {
		size_t n = strlen(argv[i]);

		if (len + n + 2 > sizeof(name))
			break;
		if (i > 0)
			name[len++] = '.';
		for (size_t k = 0; k < n; k++)
			name[len++] = argv[i][k] == '-' ? '_' : argv[i][k];
		name[len] = '\0';
		for (size_t k = 0; k < RPC_COUNT; k++) {
			if (strcmp(rpc_methods[k].name, name) == 0) {
				*m = &rpc_methods[k];
				used = i + 1;
			}
		}
	}
	return used;
}

static size_t copy_fields(const struct rpc_field *f, struct rpc_field *out, size_t room)
{
	size_t n = 0;

	for (; n < room && f[n].name != NULL; n++)
		out[n] = f[n];
	return n;
}

static bool pages(const struct rpc_method *m)
{
	for (const struct rpc_field *f = m->result; f->name != NULL; f++)
		if (f->page_key != NULL)
			return true;
	return false;
}

size_t verb_params(const struct rpc_method *m, struct rpc_field out[VERB_FIELDS_MAX])
{
	size_t n = copy_fields(m->params, out, VERB_FIELDS_MAX - 3);

	if (pages(m)) {
		out[n++] = (struct rpc_field){.name = "limit", .kind = KIND_limit, .doc = "most elements of one answer"};
		out[n++] = (struct rpc_field){.name = "cursor", .kind = KIND_str, .doc = "go on where an answer's next_cursor says"};
	}
	if (m->right >= RIGHT_WRITE)
		out[n++] = (struct rpc_field){.name = "dry_run", .kind = KIND_flag, .doc = "say what would change, and change nothing"};
	return n;
}

size_t verb_results(const struct rpc_method *m, struct rpc_field out[VERB_FIELDS_MAX])
{
	size_t n = copy_fields(m->result, out, VERB_FIELDS_MAX - 2);

	if (pages(m))
		out[n++] = (struct rpc_field){.name = "next_cursor", .kind = KIND_str, .doc = "there is more: cursor for the next call"};
	if (m->right >= RIGHT_WRITE)
		out[n++] = (struct rpc_field){.name = "changed", .kind = KIND_flag, .need = RPC_REQ, .doc = "false: everything was so already"};
	return n;
}

const char *verb_right(enum rpc_right right)
{
	switch (right) {
	case RIGHT_NONE: return "none";
	case RIGHT_READ: return "read";
	case RIGHT_WRITE: return "write";
	case RIGHT_ADMIN: return "admin";
	}
	return "?";
}

void verb_kind(FILE *out, const struct rpc_field *f)
{
	const struct kind_info *k = &rpc_kinds[f->kind];

	if (f->list)
		fputs("list of: ", out);
	if (k->class == CLASS_ENUM) {
		fputs("one of ", out);
		for (size_t i = 0; k->values[i] != NULL; i++)
			fprintf(out, "%s%s", i > 0 ? ", " : "", k->values[i]);
	} else if (k->class == CLASS_OBJECT) {
		fputs("an object of ", out);
		for (const struct rpc_field *m = k->fields; m->name != NULL; m++)
			fprintf(out, "%s%s", m == k->fields ? "" : ", ", m->name);
	} else {
		fputs(k->allowed, out);
	}
}

// By kind, for those whose first allowed value says nothing.
static const char *const examples[KIND_COUNT] = {
    [KIND_str] = "text",
    [KIND_blob] = "text",
    [KIND_id] = "7",
    [KIND_name] = "web",
    [KIND_ifname] = "pt-br0",
    [KIND_cidr] = "10.0.0.1/24",
    [KIND_destination] = "10.0.0.0/8",
    [KIND_ip] = "10.0.0.1",
    [KIND_mac] = "02:00:00:00:00:01",
    [KIND_relpath] = "data",
    [KIND_abspath] = "/dev/disk/by-id/virtio-data",
    [KIND_comment] = "text",
    [KIND_word] = "word",
    [KIND_flag] = "true",
    [KIND_num] = "0.5",
    [KIND_strmap] = "KEY=value",
    [KIND_raw] = "{}",
    [KIND_port] = "8080",
    [KIND_port_range] = "8000-8100",
    [KIND_mtu] = "1500",
    [KIND_uid] = "1000",
    [KIND_mib] = "256",
    [KIND_percent] = "100",
};

const char *verb_example(enum rpc_kind kind)
{
	const struct kind_info *k = &rpc_kinds[kind];

	if (examples[kind] != NULL)
		return examples[kind];
	if (k->class == CLASS_ENUM)
		return k->values[0];
	if (k->class == CLASS_OBJECT)
		return "{}";
	return k->min <= 10 && k->max >= 10 ? "10" : "1";
}

void verb_words(FILE *out, const struct rpc_method *m)
{
	for (const char *p = m->name; *p != '\0'; p++)
		fputc(*p == '.' ? ' ' : *p, out);
}

void verb_example_line(FILE *out, const struct rpc_method *m)
{
	bool argv = false;

	fputs("postern ", out);
	verb_words(out, m);
	for (const struct rpc_field *f = m->params; f->name != NULL; f++) {
		if (f->need != RPC_REQ)
			continue;
		if (f->list && f->kind == KIND_str)
			argv = true;
		else
			fprintf(out, " --%s %s", f->name, verb_example(f->kind));
	}
	if (argv)
		fputs(" -- uname -a", out);
}
