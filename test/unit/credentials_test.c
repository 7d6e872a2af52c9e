/*
 * credentials_test.c: the credentials file, line by line.
 */
#include "credentials.h"

#include <stdlib.h>

#include "tap.h"

#define SECTION "expected a section"
#define BRACKETS "a section must read"
#define UNNAMED "must name a server"
#define TWO_SECTIONS "section stands twice"
#define TWO_NAMES "name stands twice"
#define NO_EQUALS "expected \"name = value\""
#define OTHER_NAME "expected client_id, client_secret, host or database"
#define HOSTS "host must name hosts"
#define LENGTH "1 to 1024 bytes"
#define CONTROL "control characters"

typedef struct FileCase
{
	const char *name;
	const char *text;			/* looked through for the server "genesys" */
	size_t		length;
	int			line;			/* 0: it is readable */
	const char *complaint;		/* part of it */
	bool		found;			/* and the rest: only of a readable file */
	const char *client_id;
	const char *client_secret;
} FileCase;

#define FILE_OF(name, text, ...) {name, text, sizeof(text) - 1, __VA_ARGS__}
#define READS(id, secret) 0, NULL, true, id, secret
#define LACKS 0, NULL, false, "", ""
#define FAILS(line, complaint) line, complaint, false, NULL, NULL

static const FileCase file_cases[] = {
	/* what it looks like */
	FILE_OF("the usual", "[genesys]\nclient_id = demo\nclient_secret = secret\n", READS("demo", "secret")),
	FILE_OF("no newline at the end", "[genesys]\nclient_id=demo\nclient_secret=secret", READS("demo", "secret")),
	FILE_OF("the other order", "[genesys]\nclient_secret=secret\nclient_id=demo\n", READS("demo", "secret")),
	FILE_OF("lines end in CRLF", "[genesys]\r\nclient_id = demo\r\nclient_secret = secret\r\n",
			READS("demo", "secret")),
	FILE_OF("CRLF, and no line end at the end", "[genesys]\r\nclient_id=demo\r\nclient_secret=secret\r",
			READS("demo", "secret")),
	FILE_OF("blanks around everything", " \t[ genesys ] \t\n\tclient_id \t=\t demo \t\n  client_secret  =  secret  \n",
			READS("demo", "secret")),
	FILE_OF("blanks within a value stay", "[genesys]\nclient_id = a b  c\nclient_secret = d\n", READS("a b  c", "d")),
	FILE_OF("comments and empty lines",
			"# one\n; two\n\n   \n\t# three\n[genesys]\n# four\nclient_id=demo\n\n;five\nclient_secret=secret\n#",
			READS("demo", "secret")),
	FILE_OF("a comment may hold anything", "# [genesys\n#\x01\x02\n#\0x\n; = ] [\n[genesys]\nclient_id=demo\n",
			READS("demo", "")),
	FILE_OF("values with = # ; quotes and brackets",
			"[genesys]\nclient_id = =a=b=\nclient_secret = \"s#e;c'r[e]t\" # no comment\n",
			READS("=a=b=", "\"s#e;c'r[e]t\" # no comment")),
	FILE_OF("UTF-8 in a value", "[genesys]\nclient_secret = gr\xc3\xbc\xc3\x9f\n", READS("", "gr\xc3\xbc\xc3\x9f")),
	FILE_OF("an id alone", "[genesys]\nclient_id = demo\n", READS("demo", "")),
	FILE_OF("a section with nothing in it", "[genesys]\n", READS("", "")),
	FILE_OF("a section with nothing in it, at the end", "[genesys]", READS("", "")),

	/* one of many */
	FILE_OF("the first of three",
			"[genesys]\nclient_id=1\n[b]\nclient_id=2\n[c]\nclient_id=3\n", READS("1", "")),
	FILE_OF("the second of three",
			"[a]\nclient_id=1\n[genesys]\nclient_id=2\n[c]\nclient_id=3\n", READS("2", "")),
	FILE_OF("the last of three",
			"[a]\nclient_id=1\nclient_secret=x\n[b]\nclient_id=2\n[genesys]\nclient_id=3\n", READS("3", "")),
	FILE_OF("nothing is taken from another section", "[genesys]\nclient_id=1\n[b]\nclient_secret=2\n", READS("1", "")),

	/* not there */
	FILE_OF("an empty file", "", LACKS),
	FILE_OF("a newline", "\n", LACKS),
	FILE_OF("blanks", " \t\r\n \n", LACKS),
	FILE_OF("comments only", "# a\n; b", LACKS),
	FILE_OF("other servers only", "[a]\nclient_id=1\nclient_secret=2\n", LACKS),
	FILE_OF("a longer name", "[genesys2]\nclient_id=1\n", LACKS),
	FILE_OF("a shorter name", "[genesy]\nclient_id=1\n", LACKS),
	FILE_OF("another case", "[Genesys]\nclient_id=1\n", LACKS),
	FILE_OF("a name with a NUL", "[genesys\0]\nclient_id=1\n", LACKS),
	FILE_OF("a name with brackets", "[[genesys]]\nclient_id=1\n", LACKS),
	FILE_OF("two names", "[genesys other]\nclient_id=1\n", LACKS),
	FILE_OF("a commented section", "#[genesys]\n[a]\nclient_id=1\n", LACKS),

	/* what is wrong with a section */
	FILE_OF("an opening bracket", "[", FAILS(1, BRACKETS)),
	FILE_OF("a pair of brackets", "[]", FAILS(1, BRACKETS)),
	FILE_OF("a pair of brackets and more", "\n[]\n[genesys]\n", FAILS(2, BRACKETS)),
	FILE_OF("blanks in brackets", "[ ]\n", FAILS(1, UNNAMED)),
	FILE_OF("no closing bracket", "[genesys\nclient_id=1\n", FAILS(1, BRACKETS)),
	FILE_OF("text behind the bracket", "[genesys] # mine\n", FAILS(1, BRACKETS)),
	FILE_OF("no opening bracket", "genesys]\n", FAILS(1, SECTION)),
	FILE_OF("the section twice", "[genesys]\nclient_id=1\n\n[genesys]\nclient_secret=2\n", FAILS(4, TWO_SECTIONS)),
	FILE_OF("the section twice, apart", "[genesys]\n[a]\n[genesys]\n", FAILS(3, TWO_SECTIONS)),
	FILE_OF("the section twice, spaced otherwise", "[genesys]\n[  genesys\t]\n", FAILS(2, TWO_SECTIONS)),

	/* what is wrong with a setting */
	FILE_OF("a setting before any section", "client_id = demo\n[genesys]\n", FAILS(1, SECTION)),
	FILE_OF("junk before any section", "# a\n\nhello\n", FAILS(3, SECTION)),
	FILE_OF("a byte order mark", "\xef\xbb\xbf[genesys]\nclient_id=1\n", FAILS(1, SECTION)),
	FILE_OF("junk", "[genesys]\nclient_id=1\nhello\n", FAILS(3, NO_EQUALS)),
	FILE_OF("junk in another section", "[genesys]\nclient_id=1\n[b]\nhello\n", FAILS(4, NO_EQUALS)),
	FILE_OF("junk at the very end", "[genesys]\nclient_id=1\nx", FAILS(3, NO_EQUALS)),
	FILE_OF("a NUL alone", "[genesys]\n\0\n", FAILS(2, NO_EQUALS)),
	FILE_OF("= alone", "[genesys]\n=\n", FAILS(2, OTHER_NAME)),
	FILE_OF("no name", "[genesys]\n= demo\n", FAILS(2, OTHER_NAME)),
	FILE_OF("another name", "[genesys]\nclient = demo\n", FAILS(2, OTHER_NAME)),
	FILE_OF("a longer name", "[genesys]\nclient_id_ = demo\n", FAILS(2, OTHER_NAME)),
	FILE_OF("another case", "[genesys]\nCLIENT_ID = demo\n", FAILS(2, OTHER_NAME)),
	FILE_OF("a name with a NUL", "[genesys]\nclient_id\0 = demo\n", FAILS(2, OTHER_NAME)),
	FILE_OF("a name of two words", "[genesys]\nclient id = demo\n", FAILS(2, OTHER_NAME)),
	FILE_OF("no value", "[genesys]\nclient_id =\n", FAILS(2, LENGTH)),
	FILE_OF("a blank value", "[genesys]\nclient_id = \t \n", FAILS(2, LENGTH)),
	FILE_OF("no value at the end", "[genesys]\nclient_id =", FAILS(2, LENGTH)),
	FILE_OF("no value in another section", "[a]\nclient_id=\n[genesys]\nclient_id=1\n", FAILS(2, LENGTH)),
	FILE_OF("the id twice", "[genesys]\nclient_id=1\nclient_id=2\n", FAILS(3, TWO_NAMES)),
	FILE_OF("the host twice", "[genesys]\nhost=a\nhost=b\n", FAILS(3, TWO_NAMES)),
	FILE_OF("a host that is a URL", "[genesys]\nhost = https://a\n", FAILS(2, HOSTS)),
	FILE_OF("a host with another behind a blank", "[genesys]\nhost = a b\n", FAILS(2, HOSTS)),
	FILE_OF("the id twice, the same", "[genesys]\nclient_id=1\nclient_secret=2\nclient_id=1\n", FAILS(4, TWO_NAMES)),
	FILE_OF("the secret twice", "[genesys]\nclient_secret=1\nclient_secret=2\n", FAILS(3, TWO_NAMES)),
	FILE_OF("a NUL within a value", "[genesys]\nclient_id = de\0mo\n", FAILS(2, CONTROL)),
	FILE_OF("a NUL at the end of a value", "[genesys]\nclient_id = demo\0\n", FAILS(2, CONTROL)),
	FILE_OF("a tab within a value", "[genesys]\nclient_id = de\tmo\n", FAILS(2, CONTROL)),
	FILE_OF("lines that end in CR alone", "[genesys]\nclient_id=demo\rclient_secret=secret\n", FAILS(2, CONTROL)),
	FILE_OF("an escape within a value", "[genesys]\nclient_id = \x1b[31m\n", FAILS(2, CONTROL)),
	FILE_OF("DEL within a value", "[genesys]\nclient_id = a\x7f" "b\n", FAILS(2, CONTROL)),
	FILE_OF("a NUL in another section's value", "[a]\nclient_id=\0\n", FAILS(2, CONTROL)),
	FILE_OF("the first of two complaints", "[genesys]\nhello\nclient_id =\n", FAILS(2, NO_EQUALS)),
	FILE_OF("lines are counted with CRLF", "\r\n# a\r\n[genesys]\r\nhello\r\n", FAILS(4, NO_EQUALS)),
};

/* Looks through a copy of exactly its size, so that reading past its end is caught. */
static int
find(const char *text, size_t length, const char *server, Credentials *credentials,
	 const char **complaint)
{
	char	   *copy = malloc(length > 0 ? length : 1);
	int			line;

	memcpy(copy, text, length);
	memset(credentials, 0xff, sizeof(*credentials));
	*complaint = NULL;
	line = credentials_find(copy, length, server, credentials, complaint);
	free(copy);
	return line;
}

static void
test_file(const FileCase *c)
{
	Credentials credentials;
	const char *complaint;
	int			line = find(c->text, c->length, "genesys", &credentials, &complaint);

	is_number(line, c->line, c->name);
	if (c->line != 0)
	{
		if (!ok(complaint != NULL && strstr(complaint, c->complaint) != NULL, "the complaint"))
			printf("#   got:    %s\n#   wanted: %s\n", complaint != NULL ? complaint : "NULL", c->complaint);
		return;
	}
	ok(credentials.found == c->found, "the section is %s", c->found ? "found" : "not there");
	is_text(credentials.client_id, c->client_id, "client_id");
	is_text(credentials.client_secret, c->client_secret, "client_secret");
}

/* A section with a value of a length, in the name "client_id" or "client_secret". */
static void
test_value_of(const char *name, size_t value_length)
{
	char		text[2 * CREDENTIAL_MAX];
	int			head = snprintf(text, sizeof(text), "[genesys]\n%s =   ", name);
	Credentials credentials;
	const char *complaint;
	const char *value = strcmp(name, "client_id") == 0 ?
		credentials.client_id : credentials.client_secret;
	int			line;

	memset(text + head, 'x', value_length);
	memcpy(text + head + value_length, "  \n", 3);
	line = find(text, (size_t) head + value_length + 3, "genesys", &credentials, &complaint);
	if (value_length <= CREDENTIAL_MAX)
		ok(line == 0 && strlen(value) == value_length && strspn(value, "x") == value_length,
		   "%s of %zu bytes", name, value_length);
	else
		ok(line == 2 && strstr(complaint, LENGTH) != NULL, "%s of %zu bytes is refused", name, value_length);
}

static void
test_lengths(void)
{
	static const size_t lengths[] = {1, 2, CREDENTIAL_MAX - 1, CREDENTIAL_MAX, CREDENTIAL_MAX + 1};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		test_value_of("client_id", lengths[i]);
		test_value_of("client_secret", lengths[i]);
	}
}

static void
test_pins(void)
{
	static const char text[] = "[a]\nhost=other\n[genesys]\nclient_id=1\nhost = a.example:8443 , b \ndatabase = my shop\n";
	Credentials credentials;
	const char *complaint;

	is_number(find(text, sizeof(text) - 1, "genesys", &credentials, &complaint), 0, "hosts and a database");
	is_text(credentials.host, "a.example:8443 , b", "the hosts");
	is_text(credentials.database, "my shop", "the database");
	is_number(find(text, sizeof(text) - 1, "a", &credentials, &complaint), 0, "a host");
	is_text(credentials.database, "", "no database");
}

/* Server names are SQL identifiers, so they may be quoted and odd. */
static void
test_server_names(void)
{
	static const char *const names[] = {"a", "my server", "a]", "[a", "a=b", "a#b", "\xc3\xa4"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char		text[80];
		int			length = snprintf(text, sizeof(text), "[x]\nclient_id=1\n[%s]\nclient_id=2\n", names[i]);
		Credentials credentials;
		const char *complaint;

		ok(find(text, (size_t) length, names[i], &credentials, &complaint) == 0 &&
		   credentials.found && strcmp(credentials.client_id, "2") == 0, "server \"%s\"", names[i]);
	}
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(file_cases) / sizeof(file_cases[0]); i++)
		test_file(&file_cases[i]);
	test_lengths();
	test_pins();
	test_server_names();
	return done_testing();
}
