/*
 * echo.c: what in the words of an API is not the API's own.
 *
 * Both texts are read several times: as they are, and with one layer of escapes
 * after the other taken off.  Of each reading only ASCII letters and digits are
 * compared, in lower case: so it does not matter how all else was spelled, or
 * lost.  The windows of what was said are put into a table, which is asked for
 * each window of what was told: the work is proportional to both together.
 */
#include "echo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "unescape.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Six letters in a row that are the same by chance are part of a longer word. */
#define RUN 6

/* Of numbers the last four digits are what people go by. */
#define DIGITS 4

#define SHORTEST_WORD 3

/* So many words that every API uses say nothing of a message that has them, too. */
#define OWN_WORDS_MAX 3

/* --- windows ------------------------------------------------------------------------- */

/* Twice the windows that the longest text has in all readings, three at a letter. */
#define SLOTS_MAX (32 * 1024)

typedef struct Table
{
	size_t		size;			/* a power of 2; the rest is not looked at */
	uint64_t	keys[SLOTS_MAX];	/* 0: free */
	bool		told[SLOTS_MAX];
	bool		has[256];		/* letters and digits, in lower case, that were said at all */
} Table;

/* A stretch of a reading that is compared: its first and its last letter. */
typedef struct Window
{
	uint64_t	key;
	size_t		first;
	size_t		last;
} Window;

typedef void (*WindowVisit) (const Window *window, void *argument);

enum
{
	KEY_RUN = 1,
	KEY_DIGITS,
	KEY_WORD
};

/* Of at most six letters or digits, so that no two have the same. */
static uint64_t
key_of(int kind, const unsigned char *letters, int count)
{
	uint64_t	key = (uint64_t) kind;

	for (int i = 0; i < count; i++)
		key = key * 37 + (is_digit(letters[i]) ? letters[i] - '0' + 1 : (letters[i] | 0x20) - 'a' + 11);
	return key;
}

/* The last letters and digits, and the same of the word that they are in. */
typedef struct Tail
{
	unsigned char letters[RUN];
	size_t		places[RUN];
	int			count;
} Tail;

static void
tail_add(Tail *tail, unsigned char c, size_t place)
{
	if (tail->count == RUN)
	{
		memmove(tail->letters, tail->letters + 1, RUN - 1);
		memmove(tail->places, tail->places + 1, (RUN - 1) * sizeof(size_t));
		tail->count--;
	}
	tail->letters[tail->count] = c;
	tail->places[tail->count++] = place;
}

static void
offer_tail(int kind, const Tail *tail, int count, WindowVisit visit, void *argument)
{
	int			start = tail->count - count;
	Window		window = {key_of(kind, tail->letters + start, count), tail->places[start], tail->places[tail->count - 1]};

	visit(&window, argument);
}

static bool
ends_in_digits(const Tail *tail)
{
	if (tail->count < DIGITS)
		return false;
	for (int i = tail->count - DIGITS; i < tail->count; i++)
		if (!is_digit(tail->letters[i]))
			return false;
	return true;
}

static void
visit_windows(const Unescaped *reading, WindowVisit visit, void *argument)
{
	Tail		run = {.count = 0};
	Tail		word = {.count = 0};

	for (size_t i = 0; i <= reading->count; i++)
	{
		unsigned char c = i < reading->count ? reading->letters[i].c : ' ';

		if (is_alnum(c))
		{
			tail_add(&run, c, i);
			tail_add(&word, c, i);
			if (run.count == RUN)
				offer_tail(KEY_RUN, &run, RUN, visit, argument);
			if (ends_in_digits(&run))
				offer_tail(KEY_DIGITS, &run, DIGITS, visit, argument);
		}
		else if (!is_in_word(c))
		{
			/* longer ones have windows of their own */
			if (word.count >= SHORTEST_WORD && word.count < RUN)
				offer_tail(KEY_WORD, &word, word.count, visit, argument);
			word.count = 0;
		}
	}
}

/* Where a key is, or belongs. */
static size_t
slot_of(const Table *table, uint64_t key)
{
	size_t		slot = (size_t) ((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (table->size - 1);

	while (table->keys[slot] != 0 && table->keys[slot] != key)
		slot = (slot + 1) & (table->size - 1);
	return slot;
}

static void
table_empty(Table *table, size_t length)
{
	table->size = 64;
	while (table->size < 2 * 3 * READINGS * length && table->size < SLOTS_MAX)
		table->size *= 2;
	memset(table->keys, 0, table->size * sizeof(table->keys[0]));
	memset(table->told, 0, table->size * sizeof(table->told[0]));
	memset(table->has, false, sizeof(table->has));
}

static void
note_said(const Window *window, void *argument)
{
	Table	   *table = argument;

	table->keys[slot_of(table, window->key)] = window->key;
}

static void
note_windows_said(const Unescaped *reading, void *argument)
{
	Table	   *table = argument;

	for (size_t i = 0; i < reading->count; i++)
		if (is_alnum(reading->letters[i].c))
			table->has[reading->letters[i].c | 0x20] = true;
	visit_windows(reading, note_said, table);
}

static void
note_told(const Window *window, void *argument)
{
	Table	   *table = argument;
	size_t		slot = slot_of(table, window->key);

	table->told[slot] = table->keys[slot] != 0;
}

static void
note_windows_told(const Unescaped *reading, void *argument)
{
	visit_windows(reading, note_told, argument);
}

/* --- what was told ---------------------------------------------------------------------- */

/*
 * Ids are full of digits that are the same by chance as those of an error's code,
 * so only runs are compared.  What has a letter that was never said is no run of
 * what was: most of what was told is passed over without a look into the table.
 */
typedef struct Runs
{
	Table	   *table;
	unsigned char letters[RUN];
	int			count;
} Runs;

static void
runs_add(Runs *runs, unsigned char c)
{
	Window		window = {0};

	if (!is_alnum(c))
		return;
	if (!runs->table->has[c | 0x20])
	{
		runs->count = 0;
		return;
	}
	if (runs->count == RUN)
		memmove(runs->letters, runs->letters + 1, --runs->count);
	runs->letters[runs->count++] = c;
	if (runs->count < RUN)
		return;
	window.key = key_of(KEY_RUN, runs->letters, RUN);
	note_told(&window, runs->table);
}

static void
note_runs_of_reading(const Unescaped *reading, void *argument)
{
	Runs		runs = {.table = argument};

	for (size_t i = 0; i < reading->count; i++)
		runs_add(&runs, reading->letters[i].c);
}

static void
note_runs_told(const char *text, Table *table)
{
	Runs		runs = {.table = table};

	if (may_be_escaped(text))
		read_each_way(text, strlen(text), note_runs_of_reading, table);
	else
		for (; *text != '\0'; text++)
			runs_add(&runs, (unsigned char) *text);
}

/* In the middle of other base64 it begins at any of three places. */
static void
note_base64_told(const char *text, Table *table)
{
	size_t		length = strlen(text);

	for (size_t start = 0; start < 3; start++)
	{
		Runs		runs = {.table = table};

		for (size_t at = start; at < length; at += 3)
		{
			char		digits[BASE64_GROUP];

			base64_group(digits, text + at, length - at);
			for (int i = 0; i < BASE64_GROUP; i++)
				runs_add(&runs, (unsigned char) digits[i]);
		}
	}
}

static void
note_all_told(const Told *told, Table *table)
{
	for (int i = 0; i < TOLD_MAX; i++)
	{
		const char *text = told->texts[i];
		const char *id = told->ids[i];

		if (text != NULL && text[0] != '\0')
		{
			if (told->only_runs)
				note_runs_told(text, table);
			else
				read_each_way(text, strlen(text), note_windows_told, table);
			note_base64_told(text, table);
		}
		if (id != NULL && id[0] != '\0')
			note_runs_told(id, table);
	}
}

/* --- what is hidden ----------------------------------------------------------------------- */

/* Of these words errors are made. */
static const char *const own_words[] = {
	"a", "an", "as", "at", "be", "by", "id", "if", "in", "is", "it", "no", "of", "on", "or", "to", "up",
	"able", "accept", "accepted", "access", "account", "action", "active", "address", "allow", "allowed",
	"allows", "already", "and", "another", "answer", "any", "api", "are", "attempt", "attempts",
	"authentication", "authorization", "authorized", "bad", "been", "before", "blocked", "body", "busy", "bytes",
	"call", "can", "cannot", "certificate", "channel", "check", "client", "close", "closed", "code", "configuration",
	"conflict", "connect", "connection", "contact", "content", "conversation", "conversations", "could", "create",
	"created", "creating", "credentials", "customer", "data", "day", "days", "deleted", "delivered", "delivery",
	"denied", "description", "detail", "details", "did", "disabled", "does", "due", "duplicate", "email", "empty",
	"enabled", "ended", "error", "errors", "exceed", "exceeded", "exceeds", "exist", "exists", "expired", "failed",
	"failure", "field", "for", "forbidden", "format", "found", "from", "gateway", "grant", "has", "have", "header",
	"host", "html", "http", "https", "integration", "internal", "invalid", "json", "later", "length", "limit",
	"limits", "live", "login", "long", "malformed", "maximum", "may", "media", "message", "messages", "messaging",
	"method", "minute", "minutes", "missing", "more", "must", "name", "network", "new", "not", "notification",
	"notify", "number", "object", "open", "operation", "opt", "opted", "organization", "out", "outside", "page",
	"parameter", "parameters", "parse", "participant", "per", "permission", "permissions", "permitted", "phone",
	"please", "policy", "processing", "progress", "provided", "rate", "reached", "receive", "received",
	"recipient", "refused", "rejected", "request", "requested", "requests", "required", "reset", "resource", "response",
	"retry", "second", "seconds", "send", "sender", "sending", "sent", "server", "service", "session", "set", "should",
	"size", "sms", "state", "status", "stop", "stopped", "subscribed", "supported", "system", "template", "temporarily",
	"text", "than", "that", "the", "there", "this", "time", "timed", "timeout", "token", "too", "try", "type",
	"unable", "unauthorized", "unavailable", "unexpected", "unknown", "unsubscribed", "unsupported", "url", "use",
	"user", "valid", "value", "was", "whatsapp", "when", "which", "while", "window", "with", "within", "without",
	"you", "your",
};

static bool
is_own_word(const Unescaped *reading, size_t first, size_t end)
{
	char		word[24];

	if (end - first >= sizeof(word))
		return false;
	for (size_t i = first; i < end; i++)
		word[i - first] = (char) reading->letters[i].c;
	word[end - first] = '\0';
	for (size_t i = 0; i < COUNT(own_words); i++)
		if (strcasecmp(word, own_words[i]) == 0)
			return true;
	return false;
}

/* Is this letter in the word of the one before?  In "ConversationBlocked" there are two. */
static bool
goes_on(const Unescaped *reading, size_t at)
{
	unsigned char c = reading->letters[at].c;
	unsigned char before = at > 0 ? reading->letters[at - 1].c : ' ';

	return is_in_word(c) && is_in_word(before) &&
		!(c >= 'A' && c <= 'Z' && before >= 'a' && before <= 'z');
}

/* Are all words that these letters are of the API's own, and only a few? */
static bool
are_own_words(const Unescaped *reading, size_t first, size_t last)
{
	int			words = 0;

	while (first > 0 && goes_on(reading, first))
		first--;
	while (first <= last)
	{
		size_t		end = first;

		if (is_in_word(reading->letters[first].c))
			for (end++; end < reading->count && goes_on(reading, end);)
				end++;
		if (end > first && (++words > OWN_WORDS_MAX || !is_own_word(reading, first, end)))
			return false;
		first = end > first ? end : first + 1;
	}
	return true;
}

typedef struct Hiding
{
	const Table *table;
	bool	   *marks;
	const Unescaped *reading;
	size_t		first;			/* of the run that goes on */
	size_t		last;
	bool		running;
} Hiding;

static void
end_run(Hiding *hiding)
{
	if (hiding->running && !are_own_words(hiding->reading, hiding->first, hiding->last))
		mark_letters(hiding->reading, hiding->first, hiding->last, hiding->marks);
	hiding->running = false;
}

/* Windows come in the order of their ends, and those that overlap are one run. */
static void
hide_window(const Window *window, void *argument)
{
	Hiding	   *hiding = argument;

	if (!hiding->table->told[slot_of(hiding->table, window->key)])
		return;
	if (!hiding->running || window->first > hiding->last)
	{
		end_run(hiding);
		hiding->running = true;
		hiding->first = window->first;
	}
	if (window->first < hiding->first)
		hiding->first = window->first;
	hiding->last = window->last;
}

static void
hide_told(const Unescaped *reading, void *argument)
{
	Hiding	   *hiding = argument;

	hiding->reading = reading;
	visit_windows(reading, hide_window, hiding);
	end_run(hiding);
}

void
echo_mark(const char *said, size_t length, const Told *told, bool *marks)
{
	static Table table;
	Hiding		hiding = {.table = &table, .marks = marks};

	table_empty(&table, length);
	read_each_way(said, length, note_windows_said, &table);
	note_all_told(told, &table);
	read_each_way(said, length, hide_told, &hiding);
}
