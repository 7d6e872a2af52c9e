/*
 * nudge_test.c: the names of the vocabulary, and what a conversation id may be.
 */
#include "nudge.h"

#include "tap.h"

static const char *const step_names[] = {"check", "notify", "create"};

static const char *const class_names[] = {
	"done", "not_found", "closed", "rejected", "not_applied", "ambiguous", "blocked", "overtaken",
};

static const char *const outcome_names[] = {
	"notified", "session_created", "session_continued", "skipped_closed",
	"refused", "expired", "exhausted", "in_doubt", "answered", "suppressed", "capped", "held_out",
};

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

static void
test_names(void)
{
	is_number(COUNT(step_names), STEP_COUNT, "every step is tested");
	for (int i = 0; i < STEP_COUNT; i++)
		is_text(step_name((Step) i), step_names[i], step_names[i]);
	is_text(step_name((Step) STEP_COUNT), "invalid", "no step");

	is_number(COUNT(class_names), REPLY_CLASS_COUNT, "every class is tested");
	for (int i = 0; i < REPLY_CLASS_COUNT; i++)
		is_text(reply_class_name((ReplyClass) i), class_names[i], class_names[i]);
	is_text(reply_class_name((ReplyClass) REPLY_CLASS_COUNT), "invalid", "no class");

	is_number(COUNT(outcome_names), OUTCOME_COUNT, "every outcome is tested");
	for (int i = 0; i < OUTCOME_COUNT; i++)
		is_text(outcome_name((Outcome) i), outcome_names[i], outcome_names[i]);
	is_text(outcome_name((Outcome) OUTCOME_COUNT), "invalid", "no outcome");
}

/* What caps count, and what a statement asks for. */
static void
test_sent(void)
{
	for (int i = 0; i < OUTCOME_COUNT; i++)
	{
		bool		sent = i == OUTCOME_NOTIFIED || i == OUTCOME_SESSION_CREATED || i == OUTCOME_SESSION_CONTINUED;

		ok((outcome_has_effect((Outcome) i) != 0) == sent, "%s: the customer was spoken to, or not", outcome_names[i]);
		ok((outcome_counts_as_sent((Outcome) i) != 0) == (sent || i == OUTCOME_IN_DOUBT),
		   "%s: it counts, or not", outcome_names[i]);
	}
	is_text(OUTCOMES_SENT, "'', 'notified', 'session_created', 'session_continued'", "those that were sent");
	is_text(OUTCOMES_COUNTED, OUTCOMES_SENT ", 'in_doubt'", "and those that count");
}

typedef struct IdCase
{
	const char *id;
	bool		valid;
} IdCase;

static const IdCase id_cases[] = {
	{"a", true},
	{"-", true},
	{"_", true},
	{"~", true},
	{"7ab9e3c1-0000-4a5b-8c6d-0123456789ab", true},
	{"...", true},
	{".a", true},
	{"a.", true},
	{"..a", true},
	{"a..b", true},
	{"", false},
	{".", false},
	{"..", false},
	{" ", false},
	{" a", false},
	{"a ", false},
	{"a/b", false},
	{"/", false},
	{"%2e", false},
	{"a?b", false},
	{"a#b", false},
	{"a\\b", false},
	{"a\n", false},
	{"a:b", false},
	{"a@b", false},
	{"a+b", false},
	{"a\x7f", false},
	{"\xc3\xa9", false},
};

/* Which single bytes make an id: the unreserved ones of RFC 3986, but no dot. */
static void
test_every_byte(void)
{
	int			wrong = 0;

	for (int byte = 1; byte < 256; byte++)
	{
		char		alone[] = {(char) byte, '\0'};
		char		within[] = {'a', (char) byte, 'z', '\0'};
		bool		in_alphabet = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
			(byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '~' || byte == '-';

		if ((conversation_id_is_valid(alone) != 0) != (in_alphabet && byte != '.') ||
			(conversation_id_is_valid(within) != 0) != in_alphabet)
		{
			wrong++;
			printf("# byte 0x%02x\n", (unsigned int) byte);
		}
	}
	is_number(wrong, 0, "every byte, alone and within");
}

static void
test_length(void)
{
	static const size_t lengths[] = {1, 2, CONVERSATION_ID_MAX - 1, CONVERSATION_ID_MAX,
	CONVERSATION_ID_MAX + 1, 2 * CONVERSATION_ID_MAX};
	char		id[2 * CONVERSATION_ID_MAX + 1];

	for (int i = 0; i < COUNT(lengths); i++)
	{
		memset(id, 'x', lengths[i]);
		id[lengths[i]] = '\0';
		ok((conversation_id_is_valid(id) != 0) == (lengths[i] <= CONVERSATION_ID_MAX),
		   "%zu characters", lengths[i]);
	}
	memset(id, '.', CONVERSATION_ID_MAX);
	id[CONVERSATION_ID_MAX] = '\0';
	ok(conversation_id_is_valid(id), "nothing but dots, yet no dot segment");
	id[CONVERSATION_ID_MAX - 1] = '/';
	ok(!conversation_id_is_valid(id), "a bad character at the very end");
}

int
main(void)
{
	test_names();
	test_sent();
	for (int i = 0; i < COUNT(id_cases); i++)
		ok((conversation_id_is_valid(id_cases[i].id) != 0) == id_cases[i].valid,
		   "id %d is %s", i, id_cases[i].valid ? "valid" : "refused");
	test_every_byte();
	test_length();
	return done_testing();
}
