// A description as JSON and back.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/vm_desc.h"

static json_t *text_or_null(const char *s)
{
	return s != NULL ? json_string(s) : json_null();
}

static json_t *disks_json(const struct vm_desc *d)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < d->ndisks; i++)
		json_array_append_new(list, json_pack("{s:s, s:b}", "path", d->disks[i].path, "readonly", d->disks[i].readonly));
	return list;
}

static json_t *nets_json(const struct vm_desc *d)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < d->nnets; i++) {
		const struct vm_desc_net *n = &d->nets[i];
		json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:b}", "bridge", text_or_null(n->bridge), "tap", text_or_null(n->tap), "mac",
		                                      n->mac, "nat", n->nat));
	}
	return list;
}

static json_t *labels_json(const struct vm_desc *d)
{
	json_t *map = json_object();

	for (size_t i = 0; i < d->labels.n; i++)
		json_object_set_new(map, d->labels.v[i].key, json_string(d->labels.v[i].value));
	return map;
}

const char *vm_desc_text(const struct vm_desc *d, struct arena *a)
{
	json_t *j = json_pack("{s:I, s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:I, s:I, s:I}", "vcpus", (json_int_t)d->vcpus, "memory_mib",
	                      (json_int_t)d->memory_mib, "kernel", d->kernel, "initramfs", text_or_null(d->initramfs), "cmdline", d->cmdline, "disks",
	                      disks_json(d), "nets", nets_json(d), "labels", labels_json(d), "vsock", d->vsock, "console", d->console, "autostart",
	                      d->autostart, "cpu_percent", (json_int_t)d->cpu_percent, "memory_max_mib", (json_int_t)d->memory_max_mib, "pids_max",
	                      (json_int_t)d->pids_max);
	char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	const char *out = arena_strdup(a, text);

	free(text);
	json_decref(j);
	return out;
}

static const char *get_text(const json_t *j, const char *key, struct arena *a)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? arena_strdup(a, s) : NULL;
}

static int64_t get_int(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static bool get_flag(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

static void get_lists(struct vm_desc *d, const json_t *j, struct arena *a)
{
	const json_t *disks = json_object_get(j, "disks"), *nets = json_object_get(j, "nets");

	for (size_t i = 0; i < json_array_size(disks) && i < VM_DISKS_MAX; i++) {
		const json_t *k = json_array_get(disks, i);
		d->disks[d->ndisks++] = (struct vm_desc_disk){.path = get_text(k, "path", a), .readonly = get_flag(k, "readonly")};
	}
	for (size_t i = 0; i < json_array_size(nets) && i < VM_NETS_MAX; i++) {
		const json_t *k = json_array_get(nets, i);
		d->nets[d->nnets++] = (struct vm_desc_net){
		    .bridge = get_text(k, "bridge", a), .tap = get_text(k, "tap", a), .mac = get_text(k, "mac", a), .nat = get_flag(k, "nat")};
	}
}

static void get_labels(struct vm_desc *d, json_t *map, struct arena *a)
{
	const char *key;
	json_t *value;

	d->labels.v = arena_alloc(a, json_object_size(map) * sizeof(*d->labels.v) + 1);
	json_object_foreach(map, key, value)
	{
		const char *text = json_string_value(value);
		if (text != NULL)
			d->labels.v[d->labels.n++] = (struct kv){arena_strdup(a, key), arena_strdup(a, text)};
	}
}

bool vm_desc_parse(struct vm_desc *d, const char *text, struct arena *a)
{
	json_t *j = text != NULL ? json_loads(text, 0, NULL) : NULL;

	*d = (struct vm_desc){.vcpus = get_int(j, "vcpus"),
	                      .memory_mib = get_int(j, "memory_mib"),
	                      .kernel = get_text(j, "kernel", a),
	                      .initramfs = get_text(j, "initramfs", a),
	                      .cmdline = get_text(j, "cmdline", a),
	                      .vsock = get_flag(j, "vsock"),
	                      .console = get_flag(j, "console"),
	                      .autostart = get_flag(j, "autostart"),
	                      .cpu_percent = get_int(j, "cpu_percent"),
	                      .memory_max_mib = get_int(j, "memory_max_mib"),
	                      .pids_max = get_int(j, "pids_max")};
	get_lists(d, j, a);
	get_labels(d, json_object_get(j, "labels"), a);
	json_decref(j);
	return d->kernel != NULL && d->cmdline != NULL;
}
