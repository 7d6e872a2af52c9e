/*
 * replies.c: what each idempotency key was answered, for --honour-keys.
 *
 * Refusals are kept like successes, as common APIs do: the key stands for the
 * answer and not only for the effect.
 */
#include "replies.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/linkhash.h>

#include "answer.h"
#include "memory.h"
#include "settings.h"

typedef struct Reply
{
	unsigned int status;
	char		body[];
} Reply;

static struct lh_table *replies = NULL; /* key -> Reply */

static void
free_entry(struct lh_entry *entry)
{
	free(lh_entry_k(entry));
	free((void *) lh_entry_v(entry));
}

bool
reply_replay(Request *request, Answer *answer)
{
	void	   *found;
	const Reply *reply;

	if (!settings.honour_keys || request->idempotency_key == NULL || replies == NULL)
		return false;
	if (!lh_table_lookup_ex(replies, request->idempotency_key, &found))
		return false;
	reply = found;
	request->replayed = true;
	answer_start(answer, reply->status);
	answer_set_body(answer, "application/json", reply->body);
	return true;
}

void
reply_remember(const Request *request, const Answer *answer)
{
	Reply	   *reply;
	char	   *key;

	if (!settings.honour_keys || request->idempotency_key == NULL)
		return;
	key = allocated(strdup(request->idempotency_key));
	reply = allocated(malloc(sizeof(Reply) + answer->body->bpos + 1));
	reply->status = answer->status;
	memcpy(reply->body, answer->body->buf, answer->body->bpos + 1);
	if (replies == NULL)
		replies = lh_kchar_table_new(1024, free_entry);
	lh_table_insert(replies, key, reply);
}

void
replies_forget(void)
{
	if (replies != NULL)
		lh_table_free(replies);
	replies = NULL;
}
