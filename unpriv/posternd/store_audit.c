// The audit chain: each row's hash covers the row before, so that a row can't be changed or taken out without every later one showing it.
#include <openssl/evp.h>
#include <string.h>

#include "unpriv/posternd/store_impl.h"

static void add_u64(EVP_MD_CTX *ctx, uint64_t v)
{
	uint8_t b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	EVP_DigestUpdate(ctx, b, sizeof(b));
}

void audit_hash(const uint8_t before[STORE_HASH_SIZE], int64_t at, const char *const text[5], uint8_t out[STORE_HASH_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	EVP_DigestUpdate(ctx, before, STORE_HASH_SIZE);
	add_u64(ctx, (uint64_t)at);
	for (int i = 0; i < 5; i++) {
		add_u64(ctx, strlen(text[i]));
		EVP_DigestUpdate(ctx, text[i], strlen(text[i]));
	}
	EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
}

int db_audit(struct db *db, const struct write *w, uint8_t tail[STORE_HASH_SIZE])
{
	const char *text[5];
	uint8_t hash[STORE_HASH_SIZE];
	int rc = sqlite3_bind_int64(db->audit, 1, w->v[0].num);

	for (int i = 0; i < 5; i++) {
		text[i] = w->v[i + 1].text;
		if (rc == SQLITE_OK)
			rc = sqlite3_bind_text(db->audit, i + 2, text[i], -1, SQLITE_STATIC);
	}
	audit_hash(tail, w->v[0].num, text, hash);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(db->audit, 7, hash, sizeof(hash), SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(db->audit) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db->sql);
	sqlite3_reset(db->audit);
	sqlite3_clear_bindings(db->audit);
	if (rc == SQLITE_OK)
		memcpy(tail, hash, sizeof(hash));
	return rc;
}
