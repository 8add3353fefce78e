// Writes postern-rpc.7 from the rows of the JSON-RPC interface to standard output.
#include <stdlib.h>
#include <string.h>

#include "unpriv/gen/mdoc.h"
#include "unpriv/postern/verbs.h"

static const char head[] = ".Dd " MDOC_DATE "\n"
                           ".Dt POSTERN-RPC 7\n"
                           ".Os\n"
                           ".Sh NAME\n"
                           ".Nm postern-rpc\n"
                           ".Nd methods of the JSON-RPC interface of posternd\n"
                           ".Sh DESCRIPTION\n"
                           ".Xr posternd 8\n"
                           "serves JSON-RPC 2.0 on Unix sockets, by default\n"
                           ".Pa /run/postern/rpc.sock .\n"
                           "When the first byte of a connection is\n"
                           ".Ql {\n"
                           "or\n"
                           ".Ql \\&[\n"
                           "each message is one line, in both directions;\n"
                           "otherwise the connection is HTTP/1.1, and requests are posted to\n"
                           ".Pa /\n"
                           "or\n"
                           ".Pa /rpc .\n"
                           "A batch holds at most 1024 requests; they run at the same time, and are\n"
                           "answered in the order in which they end.\n"
                           "Reading\n"
                           ".Pa /health ,\n"
                           ".Pa /openrpc.json\n"
                           "(what\n"
                           ".Ic rpc.discover\n"
                           "answers) and\n"
                           ".Pa /metrics\n"
                           "takes no more than a GET.\n"
                           ".Pp\n"
                           "Parameters are given by name, or by position where a method has at most three.\n"
                           "Sizes are bytes unless a name ends in\n"
                           ".Ql _mib ;\n"
                           "times end in\n"
                           ".Ql _unix\n"
                           "(seconds) or\n"
                           ".Ql _unix_ms .\n"
                           "Each method needs a right: read, write or admin.\n"
                           "Each of these includes those before it.\n"
                           "A method that writes is idempotent, takes\n"
                           ".Fa dry_run\n"
                           "and answers\n"
                           ".Fa changed .\n";

static bool same_domain(const struct rpc_method *a, const struct rpc_method *b)
{
	return strncmp(a->name, b->name, strcspn(a->name, ".") + 1) == 0;
}

// Prints the methods whose names begin as this one's does, unless an earlier one's does too.
static void print_domain(const struct rpc_method *first)
{
	size_t count = 0;

	for (const struct rpc_method *m = rpc_methods; m < first; m++)
		if (same_domain(m, first))
			return;
	for (const struct rpc_method *m = first; m < rpc_methods + RPC_COUNT; m++)
		count += same_domain(m, first);
	printf(".Ss %.*s: %zu method%s\n", (int)strcspn(first->name, "."), first->name, count, count > 1 ? "s" : "");
	fputs(".Bl -column \"compute.vm.console.endpoint\" \"admin\"\n", stdout);
	for (const struct rpc_method *m = first; m < rpc_methods + RPC_COUNT; m++) {
		if (!same_domain(m, first))
			continue;
		printf(".It %s Ta %s Ta\n", m->name, verb_right(m->right));
		mdoc_text(stdout, m->doc);
		fputc('\n', stdout);
	}
	fputs(".El\n", stdout);
}

static void print_field(const struct rpc_field *f, bool param)
{
	char *text = NULL;
	size_t size;
	FILE *kind = open_memstream(&text, &size);

	if (kind == NULL)
		exit(1);
	verb_kind(kind, f);
	fclose(kind);
	printf(".It Fa %s%s\n", f->name, param && f->need == RPC_REQ ? " Pq required" : "");
	mdoc_text(stdout, f->doc);
	fputs(";\n", stdout);
	mdoc_text(stdout, text);
	fputs(".\n", stdout);
	free(text);
}

static void print_fields(const char *title, const struct rpc_field *f, size_t n, bool params)
{
	if (n == 0)
		return;
	printf(".Pp\n%s:\n.Bl -tag -width dry_run -compact\n", title);
	for (size_t i = 0; i < n; i++)
		print_field(&f[i], params);
	fputs(".El\n", stdout);
}

// A word that is just "--" would be taken for a dash that somebody couldn't type.
static void print_example(const struct rpc_method *m)
{
	char *text = NULL, *dashes;
	size_t size;
	FILE *line = open_memstream(&text, &size);

	if (line == NULL)
		exit(1);
	verb_example_line(line, m);
	fclose(line);
	dashes = strstr(text, " -- ");
	printf(".Pp\nExample:\n.Dl %.*s%s%s\n", dashes != NULL ? (int)(dashes - text) : (int)size, text, dashes != NULL ? " \\-\\- " : "",
	       dashes != NULL ? dashes + 4 : "");
	free(text);
}

static void print_method(const struct rpc_method *m)
{
	struct rpc_field f[VERB_FIELDS_MAX];

	printf(".Ss %s\n", m->name);
	mdoc_text(stdout, m->doc);
	printf("\nRight: %s.\n", verb_right(m->right));
	if (m->job)
		fputs("It answers a job at once.\n", stdout);
	print_fields("Parameters", f, verb_params(m, f), true);
	print_fields("Answer", f, verb_results(m, f), false);
	print_example(m);
}

static void print_objects(void)
{
	fputs(".Sh OBJECTS\n", stdout);
	for (size_t k = 0; k < KIND_COUNT; k++) {
		const struct kind_info *info = &rpc_kinds[k];
		size_t n = 0;

		if (info->class != CLASS_OBJECT)
			continue;
		while (info->fields[n].name != NULL)
			n++;
		printf(".Ss %s\n", info->name);
		mdoc_text(stdout, info->doc);
		fputc('\n', stdout);
		print_fields("Members", info->fields, n, false);
	}
}

static const char tail[] = ".Sh FAILURES\n"
                           "Besides the codes of JSON-RPC there are\n"
                           ".Bl -tag -width -32001 -compact\n"
                           ".It -32001\n"
                           "the caller has no identity and needs one;\n"
                           ".It -32003\n"
                           "the caller's right is too low: the data says which is needed and which is held;\n"
                           ".It -32000\n"
                           "the method failed.\n"
                           ".El\n"
                           ".Pp\n"
                           "The data of a failure holds\n"
                           ".Fa kind ,\n"
                           ".Fa detail\n"
                           "and, where there is advice,\n"
                           ".Fa hint .\n"
                           "Kinds are:\n";

int main(void)
{
	fputs(head, stdout);
	fputs(".Sh OVERVIEW\n", stdout);
	for (size_t i = 0; i < RPC_COUNT; i++)
		print_domain(&rpc_methods[i]);
	fputs(".Sh METHODS\n", stdout);
	for (size_t i = 0; i < RPC_COUNT; i++)
		print_method(&rpc_methods[i]);
	print_objects();
	fputs(tail, stdout);
	for (size_t i = 0; i < FAIL_COUNT; i++)
		printf(".Sy %s%s\n", rpc_fail_names[i], i + 1 < FAIL_COUNT ? " ," : " .");
	fputs(".Sh SEE ALSO\n.Xr postern 1 ,\n.Xr posternd 8\n", stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
