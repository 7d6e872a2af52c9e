/*
 * courier_echo_test.c: nothing of a request is left in what an API says of it,
 * however it is spelled, and the API's own words are.
 */
#include "text.h"

#include <ctype.h>
#include <stdlib.h>

#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const Secrets request = {
	.words = {"kT9-secret/Zz01", "aWQ6a1Q5LXNlY3JldC9aejAx", "eyJhbGciOi.J9-x_7Q.1009"},
	.told = {
		.texts = {
			"Hi Ann, the conversation about your order 4711 was closed.\nM\xc3\xbcller & Sons <b>50%</b>",
			"+13175550142", "+4930901820", "{\"parameters\":[{\"id\":\"1\",\"value\":\"Penthesilea\"}]}",
		},
		.ids = {"5c3e0a71-closed-0b9d", "018f2a3b-4c5d-7e6f-8a9b-0c1d2e3f4a5b", NULL},
	},
};

typedef struct SaidCase
{
	const char *said;
	const char *wanted;
} SaidCase;

static const SaidCase cases[] = {
	/* an API's own words stay, though the request has them, too */
	{"Cannot send notification to closed conversation", "Cannot send notification to closed conversation"},
	{"The conversation is closed", "The conversation is closed"},
	{"Conversation is not in a state that allows adding messages", "Conversation is not in a state that allows adding messages"},
	{"An active conversation is already in progress", "An active conversation is already in progress"},
	{"Rate limit exceeded the maximum. Retry the request in [42] seconds", "Rate limit exceeded the maximum. Retry the request in [42] seconds"},
	{"(#131009) Parameter value is not valid", "(#131009) Parameter value is not valid"},
	{"Attempt to send to unsubscribed recipient", "Attempt to send to unsubscribed recipient"},
	{"Failed to connect to 127.0.0.1 port 4712 after 0 ms: Couldn't connect to server", "Failed to connect to 127.0.0.1 port 4712 after 0 ms: Couldn't connect to server"},
	{"authorised missing conversation:message:create", "authorised missing conversation:message:create"},
	{"ConversationBlockedByUser", "ConversationBlockedByUser"},
	{"", ""},

	/* the message */
	{"Invalid text: Hi Ann, the conversation about your order 4711 was closed.", "Invalid text: ***."},
	{"Invalid text: hi ann, THE CONVERSATION about", "Invalid text: ***"},
	{"Invalid text: Hi+Ann%2C+the+conversation+about+your", "Invalid text: ***"},
	{"Invalid text: Hi%20Ann%2c%20the%20conversation", "Invalid text: ***"},
	{"Invalid text: Hi%2520Ann%252C%2520the%2520conversation", "Invalid text: ***"},
	{"Invalid text: Hi \\u0041nn, the \\u0063onversation about", "Invalid text: ***"},
	{"Invalid text: Hi \\\\u0041nn, the \\\\u0063onversation about", "Invalid text: ***"},
	{"Invalid text: was closed.\\nM\\u00fcller &amp; Sons \\u003cb>50%", "Invalid text: ***%"},
	{"Invalid text: was closed.<br>M&uuml;ller &amp; Sons", "Invalid text: ***"},
	{"Invalid text: closed. M\xfcller & Sons", "Invalid text: ***"},
	{"Invalid text: closed. M&#252;ller &#38; Sons", "Invalid text: ***"},
	{"Invalid text: =48=69=20=41=6E=6E=2C=20=74=68=65=20=63", "Invalid text: ***"},
	{"Invalid text: H-i A.n_n t/h/e c o n v e r s a t i o n a b o u t", "Invalid text: ***"},
	{"Invalid text: <i>Hi</i> <i>Ann</i> the conversation about", "Invalid text: <i>***"},
	{"Invalid text: SGkgQW5uLCB0aGUgY29udmVyc2F0aW9u", "Invalid text: ***"},
	{"Invalid body: eyJ0ZXh0IjoiSGkgQW5uLCB0aGUgY29udmVyc2F0aW9uIGFib3V0", "Invalid body: eyJ0ZXh0Ijoi***"},
	{"Invalid body: eyJ0eCI6IkhpIEFubiwgdGhlIGNvbnZlcnNhdGlvbiBhYm91dA", "Invalid body: eyJ0eCI6Ikhp***A"},
	{"Invalid body: eyJ0eHQiOiJIaSBBbm4sIHRoZSBjb252ZXJzYXRpb24gYWJvdXQ", "Invalid body: eyJ0eHQiOiJI***"},
	{"Ann may not be called Ann", "*** may not be called ***"},
	{"Order 4711 of Annabel", "*** of Annabel"},
	{"The sons are \"SONS\"", "The *** are \"***\""},
	{"Parameter 1 is penthesil", "Parameter 1 is ***"},

	/* addresses */
	{"Cannot send to +1 (317) 555-0142", "Cannot send to ***"},
	{"Cannot send to 317.555.0142", "Cannot send to ***"},
	{"Cannot send to ...0142", "Cannot send to ...***"},
	{"Cannot send to 0\xc2\xa0" "1\xc2\xa0" "4\xc2\xa0" "2", "Cannot send to ***"},
	{"Cannot send to %2B1317555", "Cannot send to ***"},
	{"from 4930901820", "from ***"},

	/* ids and secrets */
	{"No conversation 5C3E0A71-CLOSED-0B9D", "No conversation ***"},
	{"Key 018f2a3b4c5d7e6f8a9b0c1d2e3f4a5b-notify is used", "Key ***-notify is used"},
	{"code 131009 and 4712", "code 131009 and 4712"},
	{"Bearer eyJhbGciOi.J9-x_7", "Bearer ***"},
	{"Bearer yJhbGciOi.J9-x_7Q", "Bearer ***"},
	{"Bearer EYJHBGCIOI.J9-X_7Q", "Bearer ***"},
	{"kT9-secret\\/Zz0", "***"},
	{"kT9-secret%2FZz01", "***"},
	{"kT9%2dsecret%2fZz01", "***"},
	{"secret", "***"},
};

static void
test_cases(void)
{
	for (size_t i = 0; i < COUNT(cases); i++)
	{
		char		to[301];

		text_clean(to, sizeof(to), cases[i].said, &request);
		is_text(to, cases[i].wanted, cases[i].said);
	}
}

/* --- any message in any spelling ------------------------------------------------------- */

static unsigned long state = 1;

static unsigned
chance(unsigned below)
{
	state = (state * 6364136223846793005UL + 1442695040888963407UL) & 0xFFFFFFFFFFFFFFFFUL;
	return (unsigned) (state >> 33) % below;
}

#define TEXT_MAX 160

static void
make_message(char *text)
{
	static const char letters[] = "qwertzuiopasdfghjklyxcvbnmQWERTZUIOPASDFGHJKLYXCVBNM0123456789  ,./\"\\&<>%-'\n\xc3\xbc";
	size_t		length = 20 + chance(TEXT_MAX - 21);

	for (size_t i = 0; i < length; i++)
		text[i] = letters[chance(sizeof(letters) - 1)];
	text[length] = '\0';
}

/* Spells a character in one of the ways; "to" has room for it. */
static size_t
spell(char *to, int way, unsigned char c)
{
	switch (way)
	{
		case 0:
			return (size_t) sprintf(to, "%c", c);
		case 1:
			return (size_t) sprintf(to, "%c", toupper(c));
		case 2:
			return (size_t) sprintf(to, strchr("\"\\/", c) ? "\\%c" : c == '\n' ? "\\n" : "%c", c);
		case 3:
			return (size_t) sprintf(to, "\\u%04x", c);
		case 4:
			return (size_t) sprintf(to, "\\\\u%04X", c);
		case 5:
			return (size_t) sprintf(to, isalnum(c) ? "%c" : "%%%02X", c);
		case 6:
			return (size_t) sprintf(to, "%%%02x", c);
		case 7:
			return (size_t) sprintf(to, "%%25%02x", c);
		case 8:
			return (size_t) sprintf(to, "&#%d;", c);
		case 9:
			return (size_t) sprintf(to, "&#x%x;", c);
		case 10:
			return (size_t) sprintf(to, c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '"' ? "&quot;" : "%c", c);
		case 11:
			return (size_t) sprintf(to, "%c-", c);
		default:
			return (size_t) sprintf(to, "=%02X", c);
	}
}

#define WAYS 13

/* The letters and digits, in lower case; stars stay. */
static void
essence(char *to, const char *from)
{
	for (; *from != '\0'; from++)
		if (isalnum((unsigned char) *from) || *from == '*')
			*to++ = (char) tolower((unsigned char) *from);
	*to = '\0';
}

/* How long a run of the message is left in what was said. */
static size_t
longest_run(const char *left, const char *message)
{
	char		said[400];
	char		told[TEXT_MAX];
	size_t		longest = 0;
	size_t		count;

	essence(said, left);
	essence(told, message);
	count = strlen(said);
	for (size_t i = 0; i < count; i++)
		for (size_t length = longest + 1; length <= count - i; length++)
		{
			char		run[400];

			memcpy(run, said + i, length);
			run[length] = '\0';
			if (strchr(run, '*') != NULL || strstr(told, run) == NULL)
				break;
			longest = length;
		}
	return longest;
}

static void
test_property(void)
{
	static const Secrets nothing = {.words = {NULL}};
	size_t		longest = 0;
	size_t		shown = 0;
	int			ways_seen[WAYS] = {0};

	for (int round = 0; round < 3000; round++)
	{
		char		message[TEXT_MAX];
		char		said[SAID_MAX * 2] = "ZZ-";
		char		left[301];
		size_t		used = 3;
		Secrets		told = nothing;
		int			way = (int) chance(WAYS);
		size_t		begin = chance(8);
		size_t		end;

		make_message(message);
		end = strlen(message) - chance(8);
		told.told.texts[round % 4] = message;
		ways_seen[way]++;
		for (size_t i = begin; i < end; i++)
			/* a gateway does not change its mind within a text, but one behind it may */
			used += spell(said + used, round % 5 == 0 ? (int) chance(WAYS) : way, (unsigned char) message[i]);
		said[used] = '\0';
		text_clean(left, sizeof(left), said, &told);
		/* of a reading that is escaped oddly, the escapes themselves are no part */
		if (longest_run(left, message) > longest)
		{
			longest = longest_run(left, message);
			printf("# way %d: %zu of: %s\n#   left of: %s\n#   is: %s\n", way, longest, message, said, left);
		}
		text_clean(left, sizeof(left), said, &nothing);
		shown += longest_run(left, message) >= 6;
	}
	ok(longest < 6, "no run of six letters or digits of a message is left, but %zu", longest);
	ok(shown > 1000, "of which %zu would be", shown);
	for (int way = 0; way < WAYS; way++)
		ok(ways_seen[way] > 0, "way %d is tried", way);
}

/* --- limits ------------------------------------------------------------------------------- */

static void
test_long(void)
{
	size_t		length = 4 * 1024 * 1024;
	char	   *page = malloc(length + 1);
	char	   *message = malloc(64 * 1024 + 1);
	char		to[301];
	Secrets		told = {.words = {NULL}};

	memset(page, 'a', length);
	page[length] = '\0';
	memset(message, '%', 64 * 1024);
	message[64 * 1024] = '\0';
	told.told.texts[0] = message;
	text_clean_bytes(to, sizeof(to), page, length, &told);
	ok(strspn(to, "a") == 300, "a long page is shown as far as there is room");
	memset(message, 'a', 64 * 1024);
	text_clean_bytes(to, sizeof(to), page, length, &told);
	is_text(to, "***", "and one that the message is part of, not at all");
	free(page);
	free(message);
}

int
main(void)
{
	test_cases();
	test_property();
	test_long();
	return done_testing();
}
