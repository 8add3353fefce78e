// Writes postern-helper.8 to standard output: the page given as argument, with the operations of helper.def, and why an untrusted caller
// may have each, in the place of the line ".\" OPERATIONS".
#include <stdio.h>
#include <string.h>

#include "proto/helper.h"
#include "unpriv/gen/mdoc.h"

static const char *const cell_programs[CELL_COUNT] = {
    [CELL_NET] = "postern-net", [CELL_VOL] = "postern-vol", [CELL_JAIL] = "postern-jail", [CELL_SPAWN] = "postern-spawn"};

static void print_operations(enum op_cell cell)
{
	printf(".Ss %s\n.Bl -tag -width Ds\n", cell_programs[cell]);
	for (size_t i = 0; i < OP_COUNT; i++) {
		const struct op_row *op = &op_rows[i];

		if (op->cell != cell)
			continue;
		printf(".It Ic %s Pq ", op->name);
		mdoc_text(stdout, op->capability);
		fputc('\n', stdout);
		mdoc_text(stdout, op->doc);
		fputc('\n', stdout);
		mdoc_text(stdout, op->why_safe);
		fputc('\n', stdout);
	}
	fputs(".El\n", stdout);
}

int main(int argc, char **argv)
{
	char line[4096];
	FILE *page = argc == 2 ? fopen(argv[1], "re") : NULL;
	unsigned places = 0;

	if (page == NULL) {
		fputs("usage: helper_man PAGE\n", stderr);
		return 2;
	}
	while (fgets(line, sizeof(line), page) != NULL) {
		if (strcmp(line, ".\\\" OPERATIONS\n") != 0) {
			fputs(line, stdout);
			continue;
		}
		places++;
		for (unsigned c = 0; c < CELL_COUNT; c++)
			print_operations((enum op_cell)c);
	}
	fclose(page);
	return places == 1 && fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
