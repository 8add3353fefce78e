// One session: the list of names, unless one is given, then each command about each. See ovs_each.h.
#include "unpriv/posternd/ovs_each.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define HASH_SIZE 16 // of SHA-256: nobody makes two lines that have one key

struct walk {
	struct ovs_each e;
	struct ovs_ctl *ctl;
	const char **names;
	size_t n, at;
	unsigned command;
	bool too_many;
};

static void ask_next(struct walk *w);

// The walk lies in the request's arena, which is gone after its answer.
static void fail_walk(struct walk *w, const struct ovs_end *end)
{
	struct ovs_ctl *ctl = w->ctl;
	struct ovs_end said = *end;

	if (w->e.page != NULL)
		lowest_clear(w->e.page);
	if (end->refused && strstr(end->fail.detail, "is not a valid command") != NULL) {
		said.fail.kind = FAIL_UNSUPPORTED;
		said.fail.hint = "Ask again if Open vSwitch has only just been started; one that is too old doesn't know the command.";
	}
	ovs_fail(w->e.rq, &said);
	ovs_ctl_close(ctl);
}

static void on_line(void *arg, char *line)
{
	struct walk *w = arg;

	w->e.line(w->e.arg, w->names[w->at], w->command, line);
}

// One that went while the others were asked is no failure; the one that was asked for, or a command that can't be, is.
static bool forgiven(const struct walk *w, const struct ovs_end *end)
{
	const char *said = end->fail.detail;
	bool gone = strstr(said, "not found") != NULL || strstr(said, "Unknown bridge") != NULL || strstr(said, "No such") != NULL;

	return w->e.commands[w->command].optional || (gone && w->e.only == NULL);
}

static void on_done(void *arg, const struct ovs_end *end)
{
	struct walk *w = arg;

	if (!end->ok && end->refused && !forgiven(w, end)) {
		struct ovs_end said = *end;
		if (w->e.only != NULL && w->command == 0) {
			said.fail.kind = FAIL_NOT_FOUND;
			said.fail.detail = arena_printf(w->e.rq->arena, "Open vSwitch has no %s %s: %s", w->e.noun, w->e.only, end->fail.detail);
		}
		fail_walk(w, &said);
		return;
	}
	if (!end->ok && !end->refused) {
		fail_walk(w, end);
		return;
	}
	if (++w->command == w->e.n_commands) {
		w->command = 0;
		w->at++;
	}
	ask_next(w);
}

static void ask_next(struct walk *w)
{
	const struct ovs_each_command *c = &w->e.commands[w->command];
	struct ovs_ctl *ctl = w->ctl;
	unsigned n = 0;

	if (w->at == w->n || (w->command == 0 && w->e.wanted != NULL && !w->e.wanted(w->e.arg, w->names[w->at]))) {
		w->e.done(w->e.arg);
		ovs_ctl_close(ctl);
		return;
	}
	struct ovs_ctl_ask ask = {.command = c->command, .line = on_line, .done = on_done, .arg = w};
	if (c->before != NULL)
		ask.args[n++] = c->before;
	if (!c->alone || w->n > 1)
		ask.args[n++] = w->names[w->at];
	if (c->behind != NULL)
		ask.args[n] = c->behind;
	ovs_ctl_ask(ctl, &ask);
}

// ---- names ----

// "NAME", or, of dpif/show, "NAME: hit:…" with lines below it that begin with blanks.
static void on_name(void *arg, char *line)
{
	struct walk *w = arg;
	char *more = strstr(line, ": ");

	if (line[0] == '\0' || line[0] == ' ')
		return;
	w->too_many = w->n == OVS_EACH_MAX;
	if (!w->too_many)
		w->names[w->n++] = arena_strndup(w->e.rq->arena, line, more != NULL ? (size_t)(more - line) : strlen(line));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void on_listed(void *arg, const struct ovs_end *end)
{
	struct walk *w = arg;

	if (!end->ok) {
		fail_walk(w, end);
		return;
	}
	if (w->too_many) {
		fail_walk(w, &(struct ovs_end){.fail = {.kind = FAIL_IO, .detail = "Open vSwitch has too many of them", .hint = "Name one."}});
		return;
	}
	qsort(w->names, w->n, sizeof(*w->names), compare);
	ask_next(w);
}

void ovs_each(const struct ovs_each *e)
{
	struct walk *w = arena_zalloc(e->rq->arena, sizeof(*w));
	struct ovs_ctl_ask list = {.command = e->list, .line = on_name, .done = on_listed, .arg = w};

	w->e = *e;
	w->ctl = ovs_ctl_open();
	w->names = arena_alloc(e->rq->arena, (e->only != NULL ? 1 : OVS_EACH_MAX) * sizeof(*w->names));
	if (e->only == NULL) {
		ovs_ctl_ask(w->ctl, &list);
		return;
	}
	w->names[w->n++] = e->only;
	ask_next(w);
}

// ---- pages ----

char *ovs_key_name(char *at, const char *name)
{
	size_t n = strnlen(name, OVS_KEY_NAME);

	memcpy(at, name, n);
	at[n] = ':';
	return at + n + 1;
}

void ovs_key_end(char *at, const char *a, const char *b, const char *c)
{
	static EVP_MD_CTX *ctx; // one for all: a dump has a hundred thousand lines
	const char *const texts[] = {a, b, c};
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};

	if (ctx == NULL)
		ctx = EVP_MD_CTX_new();
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	for (unsigned i = 0; i < 3; i++)
		EVP_DigestUpdate(ctx, texts[i], strlen(texts[i]) + 1);
	EVP_DigestFinal_ex(ctx, hash, NULL);
	*lowest_hex(at, hash, HASH_SIZE) = '\0';
}

// Not on the stack, where as many bytes would be zeroed for each line.
char *ovs_copy(const char *line)
{
	static char copy[OVS_CTL_LINE + 1];

	return memcpy(copy, line, strlen(line) + 1);
}

void ovs_keep(struct lowest *page, const char *key, const char *name, const char *line)
{
	size_t n = strlen(name) + 1, len = strlen(line) + 1;
	char *both;

	if (!lowest_wants(page, key))
		return;
	both = xmalloc(n + len);
	memcpy(both, name, n);
	memcpy(both + n, line, len);
	lowest_put(page, key, both, n + len);
	free(both);
}

char *ovs_kept_name(struct low *x)
{
	return x->data;
}

char *ovs_kept_line(struct low *x)
{
	return x->data + strlen(x->data) + 1;
}
