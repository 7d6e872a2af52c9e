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

/* What a byte is to whoever looks for runs of what was said. */
enum
{
	NO_LETTER = 0,				/* passed over */
	FIRST_VALUE = 1,			/* a letter or digit, by its value */
	NEVER_SAID = 255			/* one that no run of it has */
};

typedef struct Table
{
	size_t		size;			/* a power of 2; the rest is not looked at */
	uint64_t	keys[SLOTS_MAX];	/* 0: free */
	bool		told[SLOTS_MAX];
	bool		any_told;
	size_t		runs;			/* that were said */
	unsigned char values[256];
} Table;

/* A stretch of a reading that is compared: its first and its last letter. */
typedef struct Window
{
	uint64_t	key;
	size_t		first;
	size_t		last;
} Window;

typedef void (*WindowVisit) (const Window *window, void *argument);

/* Letters and digits are the digits of a number, so that no two windows of a kind have the same. */
#define BASE 37
#define RUN_VALUES (UINT64_C(37) * 37 * 37 * 37 * 37 * 37)
#define DIGITS_VALUES 10000

enum
{
	KEY_RUN = 1,
	KEY_DIGITS,
	KEY_WORD
};

static uint64_t
key_of(int kind, uint64_t number)
{
	return number * 4 + (uint64_t) kind;
}

/* Of a letter or digit, in either case. */
static unsigned
value_of(unsigned char c)
{
	return (unsigned) (FIRST_VALUE + (is_digit(c) ? c - '0' : 10 + (c | 0x20) - 'a'));
}

/* The number of the last six, when another one follows. */
static uint64_t
run_with(uint64_t run, unsigned value)
{
	return (run * BASE + value) % RUN_VALUES;
}

/* The letters and digits so far, and of the word that they are in. */
typedef struct Tail
{
	size_t		count;
	size_t		places[8];		/* of the last ones: a power of 2, no less than RUN */
	uint64_t	run;
	size_t		ndigits;		/* so many of the last ones are digits */
	uint64_t	digits;
	size_t		nword;
	uint64_t	word;			/* while it is no longer than RUN */
} Tail;

static void
tail_add(Tail *tail, unsigned char c, size_t place)
{
	unsigned	value = value_of(c);

	tail->places[tail->count++ % 8] = place;
	tail->run = run_with(tail->run, value);
	tail->ndigits = is_digit(c) ? tail->ndigits + 1 : 0;
	tail->digits = (tail->digits * 10 + value) % DIGITS_VALUES;
	if (tail->nword++ < RUN)
		tail->word = tail->word * BASE + value;
}

static void
offer_tail(const Tail *tail, uint64_t key, size_t count, WindowVisit visit, void *argument)
{
	Window		window = {key, tail->places[(tail->count - count) % 8], tail->places[(tail->count - 1) % 8]};

	visit(&window, argument);
}

static void
visit_windows(const Unescaped *reading, WindowVisit visit, void *argument)
{
	Tail		tail = {.count = 0};

	for (size_t i = 0; i <= reading->count; i++)
	{
		unsigned char c = i < reading->count ? reading->letters[i].c : ' ';

		if (is_alnum(c))
		{
			tail_add(&tail, c, i);
			if (tail.count >= RUN)
				offer_tail(&tail, key_of(KEY_RUN, tail.run), RUN, visit, argument);
			if (tail.ndigits >= DIGITS)
				offer_tail(&tail, key_of(KEY_DIGITS, tail.digits), DIGITS, visit, argument);
		}
		else if (!is_in_word(c))
		{
			/* longer ones have windows of their own */
			if (tail.nword >= SHORTEST_WORD && tail.nword < RUN)
				offer_tail(&tail, key_of(KEY_WORD, tail.word), tail.nword, visit, argument);
			tail.nword = 0;
			tail.word = 0;
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
table_empty(Table *table, size_t length, size_t readings)
{
	table->size = 64;
	while (table->size < 2 * 3 * readings * length && table->size < SLOTS_MAX)
		table->size *= 2;
	memset(table->keys, 0, table->size * sizeof(table->keys[0]));
	memset(table->told, 0, table->size * sizeof(table->told[0]));
	table->any_told = false;
	table->runs = 0;
	memset(table->values, NO_LETTER, sizeof(table->values));
	memset(table->values + '0', NEVER_SAID, 10);
	memset(table->values + 'A', NEVER_SAID, 26);
	memset(table->values + 'a', NEVER_SAID, 26);
}

static void
note_said(const Window *window, void *argument)
{
	Table	   *table = argument;

	table->keys[slot_of(table, window->key)] = window->key;
}

static void
note_value(Table *table, unsigned char c)
{
	table->values[c] = (unsigned char) value_of(c);
	/* and in the other case */
	if (!is_digit(c))
		table->values[c ^ 0x20] = table->values[c];
}

static void
note_windows_said(const Unescaped *reading, void *argument)
{
	Table	   *table = argument;

	for (size_t i = 0; i < reading->count; i++)
		if (is_alnum(reading->letters[i].c))
			note_value(table, reading->letters[i].c);
	visit_windows(reading, note_said, table);
}

/* Where nothing but runs is asked for, no other windows are needed. */
static void
note_runs_said(const Unescaped *reading, void *argument)
{
	Table	   *table = argument;
	uint64_t	run = 0;
	size_t		count = 0;

	for (size_t i = 0; i < reading->count; i++)
	{
		unsigned char c = reading->letters[i].c;

		if (!is_alnum(c))
			continue;
		note_value(table, c);
		run = run_with(run, value_of(c));
		if (++count < RUN)
			continue;
		table->keys[slot_of(table, key_of(KEY_RUN, run))] = key_of(KEY_RUN, run);
		table->runs++;
	}
}

static void
note_told(Table *table, uint64_t key)
{
	size_t		slot = slot_of(table, key);

	if (table->keys[slot] != 0)
		table->told[slot] = table->any_told = true;
}

static void
note_window_told(const Window *window, void *argument)
{
	note_told(argument, window->key);
}

static void
note_windows_told(const Unescaped *reading, void *argument)
{
	visit_windows(reading, note_window_told, argument);
}

/* --- what was told ---------------------------------------------------------------------- */

/*
 * Ids and tokens are full of digits that are the same by chance as those of an
 * error's code, so only runs are compared.  What has a letter that was never said is no run of
 * what was: most of what was told is passed over without a look into the table.
 */
typedef struct Runs
{
	Table	   *table;
	uint64_t	run;
	int			count;
} Runs;

static inline void
runs_add(Runs *runs, unsigned char c)
{
	unsigned	value = runs->table->values[c];

	if (value == NO_LETTER)
		return;
	if (value == NEVER_SAID)
	{
		runs->count = 0;
		return;
	}
	runs->run = run_with(runs->run, value);
	if (++runs->count >= RUN)
		note_told(runs->table, key_of(KEY_RUN, runs->run));
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

	if (may_be_escaped(text, strlen(text)))
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
	for (int i = 0; i < TOLD_SECRETS_MAX; i++)
	{
		if (told->secrets[i] == NULL || told->secrets[i][0] == '\0')
			continue;
		note_runs_told(told->secrets[i], table);
		note_base64_told(told->secrets[i], table);
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

	table_empty(&table, length, may_be_escaped(said, length) ? READINGS : 1);
	read_each_way(said, length, told->only_runs ? note_runs_said : note_windows_said, &table);
	if (told->only_runs && table.runs == 0)
		return;
	note_all_told(told, &table);
	if (table.any_told)
		read_each_way(said, length, hide_told, &hiding);
}
