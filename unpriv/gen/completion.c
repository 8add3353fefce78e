// Writes completion of the command line for bash, zsh or fish to standard output, from the rows and the table of verbs.
//
// A place is what has been typed so far: no word, the first words of a method, or a whole method.  For each the shell gets the words
// that can follow.  Values of closed lists are completed as well.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "unpriv/postern/verbs.h"

static const char *const verbs[] = {
#define VERB(name, synopsis, doc) #name,
#include "unpriv/postern/cli.def"
};
static const char *const image_verbs = "import kernel default list tag remove";

#define PLACES_MAX (4 * RPC_COUNT + 16)

struct place {
	const char *method; // of which the first len bytes are typed
	size_t len;
};

static struct place places[PLACES_MAX];
static size_t nplaces;

static void note_place(const char *method, size_t len)
{
	for (size_t i = 0; i < nplaces; i++)
		if (places[i].len == len && strncmp(places[i].method, method, len) == 0)
			return;
	if (nplaces < PLACES_MAX)
		places[nplaces++] = (struct place){method, len};
}

static void note_places(void)
{
	for (size_t i = 0; i < RPC_COUNT; i++) {
		const char *name = rpc_methods[i].name;

		for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
			note_place(name, (size_t)(dot - name));
		note_place(name, strlen(name));
	}
}

static void print_path(const struct place *p)
{
	for (size_t i = 0; i < p->len; i++)
		putchar(p->method[i] == '.' ? ' ' : p->method[i]);
}

static const struct rpc_method *method_at(const struct place *p)
{
	for (size_t i = 0; i < RPC_COUNT; i++)
		if (strlen(rpc_methods[i].name) == p->len && strncmp(rpc_methods[i].name, p->method, p->len) == 0)
			return &rpc_methods[i];
	return NULL;
}

// The words that can follow a place, a blank before each.
static void print_next(const struct place *p)
{
	for (size_t i = 0; i < nplaces; i++) {
		const struct place *q = &places[i];

		if (q->len <= p->len || strncmp(q->method, p->method, p->len) != 0 || (p->len > 0 && q->method[p->len] != '.'))
			continue;
		const char *word = q->method + p->len + (p->len > 0);
		size_t len = q->len - p->len - (p->len > 0);

		if (memchr(word, '.', len) == NULL)
			printf(" %.*s", (int)len, word);
	}
}

static void print_options(const struct rpc_method *m)
{
	struct rpc_field f[VERB_FIELDS_MAX];
	size_t n = verb_params(m, f);

	for (size_t i = 0; i < n; i++)
		printf(" --%s", f[i].name);
	fputs(" --json --help", stdout);
}

static void print_values(const struct kind_info *k)
{
	if (k->class == CLASS_FLAG)
		fputs(" true false", stdout);
	for (size_t i = 0; k->class == CLASS_ENUM && k->values[i] != NULL; i++)
		printf(" %s", k->values[i]);
}

// Two shell functions that bash and zsh both understand.
static void print_tables(void)
{
	const struct place top = {"", 0};

	puts("_postern_words() {\n\tcase \"$1\" in");
	fputs("\t'') echo \"", stdout);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("%s%s", i > 0 ? " " : "", verbs[i]);
	print_next(&top);
	puts(" --socket --json --help --version\" ;;");
	printf("\t'image') echo \"%s\" ;;\n", image_verbs);
	puts("\t'help') echo \"methods\" ;;");
	for (size_t i = 0; i < nplaces; i++) {
		const struct rpc_method *m = method_at(&places[i]);

		fputs("\t'", stdout);
		print_path(&places[i]);
		fputs("') echo \"", stdout);
		print_next(&places[i]);
		if (m != NULL)
			print_options(m);
		puts("\" ;;");
	}
	puts("\t*) return 1 ;;\n\tesac\n}\n\n_postern_values() {\n\tcase \"$1\" in");
	for (size_t i = 0; i < RPC_COUNT; i++) {
		for (const struct rpc_field *f = rpc_methods[i].params; f->name != NULL; f++) {
			const struct kind_info *k = &rpc_kinds[f->kind];

			if (k->class != CLASS_ENUM)
				continue;
			fputs("\t'", stdout);
			print_path(&(struct place){rpc_methods[i].name, strlen(rpc_methods[i].name)});
			printf(" --%s') echo \"", f->name);
			print_values(k);
			puts("\" ;;");
		}
	}
	puts("\t*) return 1 ;;\n\tesac\n}\n");
}

static const char bash[] = "_postern() {\n"
                           "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= words i\n"
                           "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
                           "\t\tcase ${COMP_WORDS[i]} in -*) break ;; esac\n"
                           "\t\tpath+=${path:+ }${COMP_WORDS[i]}\n"
                           "\tdone\n"
                           "\tif words=$(_postern_values \"$path $prev\"); then\n"
                           "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                           "\t\treturn\n"
                           "\tfi\n"
                           "\t# Words behind a method are values: what can follow the method can follow them.\n"
                           "\tuntil words=$(_postern_words \"$path\"); do\n"
                           "\t\tcase $path in *' '*) path=${path% *} ;; *) path=; COMPREPLY=($(compgen -f -- \"$cur\")); return ;; esac\n"
                           "\tdone\n"
                           "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                           "}\n"
                           "complete -F _postern postern\n";

static const char zsh[] = "_postern() {\n"
                          "\tlocal path_= words_ i\n"
                          "\tfor ((i = 2; i < CURRENT; i++)); do\n"
                          "\t\tcase ${words[i]} in -*) break ;; esac\n"
                          "\t\tpath_+=${path_:+ }${words[i]}\n"
                          "\tdone\n"
                          "\tif words_=$(_postern_values \"$path_ ${words[CURRENT-1]}\"); then\n"
                          "\t\tcompadd -- ${=words_}\n"
                          "\t\treturn\n"
                          "\tfi\n"
                          "\tuntil words_=$(_postern_words \"$path_\"); do\n"
                          "\t\tcase $path_ in *' '*) path_=${path_% *} ;; *) _files; return ;; esac\n"
                          "\tdone\n"
                          "\tcompadd -- ${=words_}\n"
                          "}\n"
                          "compdef _postern postern\n";

// In single quotes only \ and ' mean something to fish.
static void print_fish_text(const char *text)
{
	for (; *text != '\0'; text++)
		printf("%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
}

static void print_fish_options(const struct place *p, const struct rpc_method *m)
{
	struct rpc_field f[VERB_FIELDS_MAX];
	size_t n = verb_params(m, f);

	for (size_t i = 0; i < n; i++) {
		fputs("complete -c postern -n \"__postern_at '", stdout);
		print_path(p);
		printf("'\" -l %s%s -d '", f[i].name, rpc_kinds[f[i].kind].class == CLASS_FLAG ? "" : " -x");
		print_fish_text(f[i].doc);
		fputs("' -a '", stdout);
		print_values(&rpc_kinds[f[i].kind]);
		puts("'");
	}
}

static void print_fish(void)
{
	puts("# fish completion of postern, made from the rows\n"
	     "function __postern_at\n"
	     "\tset -l words (commandline -opc)\n"
	     "\tset -e words[1]\n"
	     "\tset -l typed (string match -v -- '-*' $words | string join ' ')\n"
	     "\ttest \"$typed\" = \"$argv[1]\"\n"
	     "end\n"
	     "complete -c postern -f");
	printf("complete -c postern -n \"__postern_at ''\" -a '");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("%s%s", i > 0 ? " " : "", verbs[i]);
	print_next(&(struct place){"", 0});
	printf("'\ncomplete -c postern -n \"__postern_at image\" -a '%s'\n", image_verbs);
	for (size_t i = 0; i < nplaces; i++) {
		const struct rpc_method *m = method_at(&places[i]);

		fputs("complete -c postern -n \"__postern_at '", stdout);
		print_path(&places[i]);
		fputs("'\" -a '", stdout);
		print_next(&places[i]);
		puts("'");
		if (m != NULL)
			print_fish_options(&places[i], m);
	}
}

int main(int argc, char **argv)
{
	const char *shell = argc == 2 ? argv[1] : "";

	note_places();
	if (strcmp(shell, "bash") == 0) {
		puts("# bash completion of postern, made from the rows");
		print_tables();
		fputs(bash, stdout);
	} else if (strcmp(shell, "zsh") == 0) {
		puts("#compdef postern\n# zsh completion of postern, made from the rows");
		print_tables();
		fputs(zsh, stdout);
	} else if (strcmp(shell, "fish") == 0) {
		print_fish();
	} else {
		fputs("usage: completion bash|zsh|fish\n", stderr);
		return 2;
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
