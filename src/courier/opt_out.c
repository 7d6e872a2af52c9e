/*
 * opt_out.c: whether a refusal says that the recipient wants no messages.
 *
 * Every provider has its own words for it, so they are read as words: "opted
 * out", "OPTED_OUT" and "RecipientOptedOut" are the same.  What is looked for
 * stands in the tables below; a new provider is a new line there.
 */
#define _GNU_SOURCE
#include "opt_out.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "decide.h"

#define TEXT_MAX 1000
#define WORDS_MAX 160

/* An empty word is the end of a sentence: no phrase goes across it. */
typedef struct Words
{
	char		text[2 * TEXT_MAX + 2];
	const char *word[WORDS_MAX + 1];
	int			count;
} Words;

/* --- the tables --------------------------------------------------------------- */

/* Codes that mean it whatever the message is: Twilio, Telnyx, Meta. */
static const char codes[] = "21610,40300,131050";

/* In the patterns below a capital letter is one of these. */
static const char recipients[] =
	"user,users,recipient,recipients,customer,customers,consumer,contact,subscriber,person,receiver,"
	"member,guest,participant,addressee,number,phone,destination,they";
static const char articles[] = "the,this,that,a,an,your,our,all,any,its,end";
static const char fillers[] =
	"has,have,had,is,are,was,were,be,been,being,already,currently,explicitly,previously,also,just,now,"
	"permanently,who,which,that";
static const char senders[] =
	"sender,senders,business,businesses,brand,company,merchant,bot,account,page,channel,number,us,you,"
	"messages,message,messaging,conversation,contact";
static const char lists[] = "optout,unsubscribe,unsubscribed,suppression,dnc,dnd";

/* What may follow "stopped": of those who stopped answering nothing is known. */
static const char unwanted[] =
	"receiving,messages,message,messaging,marketing,promotional,notifications,texts,sms,whatsapp,"
	"communication,communications,us,you,from,and";

/* Behind "opted out of" and "unsubscribed from". */
static const char communications[] =
	"receiving,messages,message,messaging,sms,text,texts,marketing,promotional,promotions,notifications,"
	"communication,communications,contact,being,sender,number,business,list,mailing,brand,company,whatsapp";

/* Who opts out of other things, or blocks for reasons of their own. */
static const char others[] =
	"you,we,organization,organisation,account,tenant,app,application,client,server,service,sender,"
	"business,brand,company,page,admin,administrator,merchant,webhook,api,project,workspace,agent,"
	"queue,integration,channel,topic,plan,carrier,operator,bot,feature,division,country,region,"
	"campaign,message,messages";
static const char blockers[] =
	"policy,policies,administrator,administrators,admin,server,servers,carrier,firewall,settings,role,roles,"
	"permission,permissions,group,domain,organization,agent,limit,limits,quota,management,mail,s,rule,rules";

/* Directly before a phrase they turn it round, or make it a guess. */
static const char doubts[] =
	"not,never,no,non,isnt,hasnt,havent,hadnt,wasnt,arent,werent,didnt,doesnt,dont,without,cannot,"
	"may,might,could,should,must,can,would,possibly,perhaps,if,whether,unless";
static const char conditions[] = "if,whether,unless,until";

/*
 * Words, with a "|" between those that are as good, and a "*" behind those that
 * may be missing or repeated.
 */
typedef struct Pattern
{
	const char *words;
	bool		names_subject;	/* else whoever comes before must not be one of the others */
	const char *follow;			/* NULL: anything; else one of these, or the end */
	const char *not_follow;
} Pattern;

static const Pattern patterns[] = {
	{"opted out", false, NULL, "no,of,from"},
	{"optedout", false, NULL, "no,of,from"},
	{"opted out of|from A* C", false, NULL, NULL},
	{"unsubscribed", false, NULL, "no,from"},
	{"unsubscribed from A* C", false, NULL, NULL},
	{"unsubscribed from us|you", false, NULL, NULL},
	{"blocked by A* R", true, NULL, blockers},
	{"blocked by A* stop", true, NULL, NULL},
	{"R F* blocked A* S", true, NULL, "from,by"},
	{"R F* stopped", true, unwanted, NULL},
	{"R F* stopped to receive", true, NULL, NULL},
	{"R F* stopped A* S|marketing|promotional|notifications", true, NULL, NULL},
	{"chosen|chose|asked|requested|wants|decided to stop receiving|messages|texts|contact", true, NULL, NULL},
	{"no longer wishes|wants|wish|want to receive", true, NULL, NULL},
	{"not wish|want to receive", true, NULL, NULL},
	{"replied|texted|responded|answered with* A* stop", true, NULL, NULL},
	{"R sent stop", true, NULL, NULL},
	{"due|because to|of A* stop", true, "message,keyword,request,reply,command,word,from,by", NULL},
	{"due|because to|of A* opt out", true, NULL, NULL},
	{"due|because to|of A* optout", true, NULL, NULL},
	{"R opt out", true, "error,list", NULL},
	{"R optout", true, "error,list", NULL},
	{"on|in A* account|global|sms* L list", true, NULL, NULL},
	{"on|in A* account|global|sms* opt|opted out list", true, NULL, NULL},
	{"on|in A* do not contact|call|text list", true, NULL, NULL},
};

/* --- texts as words --------------------------------------------------------------- */

static bool
is_word_byte(char c)
{
	return isalnum((unsigned char) c) || (unsigned char) c >= 0x80;
}

/* As much of it as is a reason, with "isn't" as one word, whatever its apostrophe is. */
static void
flatten_reason(const char *text, char to[TEXT_MAX + 1])
{
	size_t		used = 0;

	while (text != NULL && *text != '\0' && used < TEXT_MAX)
	{
		size_t		apostrophe = *text == '\'' ? 1 : strncmp(text, "\xE2\x80\x99", 3) == 0 ? 3 : 0;

		if (apostrophe == 0)
			to[used++] = *text;
		else if (used == 0 || to[used - 1] != 'n' || text[apostrophe] != 't')
			to[used++] = '\'';
		text += apostrophe > 0 ? apostrophe : 1;
	}
	to[used] = '\0';
}

/* "OptedOut", and the last capital of "SMSOpted". */
static bool
begins_word(const char *text, size_t i)
{
	if (i == 0 || !is_word_byte(text[i - 1]))
		return true;
	if (!isupper((unsigned char) text[i]))
		return false;
	return !isupper((unsigned char) text[i - 1]) || islower((unsigned char) text[i + 1]);
}

/* The dots of "recipient.opted.out" are none. */
static bool
ends_phrase(const char *text, size_t i)
{
	return text[i] == '\n' ||
		(strchr(".,:;!?-", text[i]) != NULL && (text[i + 1] == '\0' || text[i + 1] == ' '));
}

static void
add_word(Words *words, const char *word)
{
	if (words->count < WORDS_MAX)
		words->word[words->count++] = word;
}

static void
split_words(const char *original, Words *words)
{
	char		text[TEXT_MAX + 1];
	char	   *to = words->text;

	flatten_reason(original, text);
	words->count = 0;
	for (size_t i = 0; text[i] != '\0'; i++)
	{
		if (!is_word_byte(text[i]))
		{
			if (ends_phrase(text, i))
				add_word(words, "");
			continue;
		}
		if (begins_word(text, i))
		{
			*to++ = '\0';
			add_word(words, to);
		}
		*to++ = (char) tolower((unsigned char) text[i]);
	}
	*to = '\0';
	words->word[words->count] = "";
}

/* --- phrases ------------------------------------------------------------------------ */

static const char *
list_of(char letter)
{
	switch (letter)
	{
		case 'R':
			return recipients;
		case 'A':
			return articles;
		case 'F':
			return fillers;
		case 'S':
			return senders;
		case 'C':
			return communications;
		default:
			return lists;
	}
}

/* Is the word one of "a|b|C"? */
static bool
is_choice(const char *word, const char *choices, size_t length)
{
	const char *end = choices + length;

	while (choices < end)
	{
		size_t		size = strcspn(choices, "| *");

		if (size == 1 && isupper((unsigned char) *choices) ? list_contains(list_of(*choices), word) :
			strlen(word) == size && memcmp(word, choices, size) == 0)
			return true;
		choices += size + 1;
	}
	return false;
}

/* How far the pattern reaches from there; -1: it is not there. */
static int
match_pattern(const Words *words, int at, const char *pattern)
{
	size_t		length = strcspn(pattern, " ");
	bool		any = length > 0 && pattern[length - 1] == '*';
	const char *rest = pattern + length + strspn(pattern + length, " ");
	int			end;

	if (length == 0)
		return at;
	if (at < words->count && is_choice(words->word[at], pattern, length))
	{
		end = match_pattern(words, at + 1, any ? pattern : rest);
		if (end >= 0)
			return end;
	}
	return any ? match_pattern(words, at, rest) : -1;
}

/* What stands before a phrase, but for the words between a subject and its verb. */
static int
subject_before(const Words *words, int at)
{
	while (--at >= 0 && list_contains(fillers, words->word[at]))
		;
	return at;
}

static bool
is_conditional(const Words *words, int at)
{
	for (int i = at - 1; i >= 0 && i >= at - 5 && words->word[i][0] != '\0'; i--)
		if (list_contains(conditions, words->word[i]))
			return true;
	return false;
}

/* Words that belong to whom the phrase is about, or to how sure it is of it. */
static bool
is_doubtful(const Words *words, int at, const Pattern *pattern)
{
	int			subject = subject_before(words, at);

	if (subject < 0)
		return false;
	if (list_contains(doubts, words->word[subject]))
		return true;
	if (pattern->names_subject)
		return false;
	return list_contains(others, words->word[subject]) ||
		(subject > 0 && strcmp(words->word[subject - 1], "no") == 0);
}

/* As in "opted_out: false". */
static bool
is_false(const Words *words, int end)
{
	while (end < words->count && words->word[end][0] == '\0')
		end++;
	return strcmp(words->word[end], "false") == 0;
}

/* A phrase counts if it is a fact, and one about the recipient. */
static bool
phrase_holds(const Words *words, int at, int end, const Pattern *pattern)
{
	const char *next = words->word[end];

	if (is_doubtful(words, at, pattern) || is_conditional(words, at) || is_false(words, end))
		return false;
	if (pattern->not_follow != NULL && list_contains(pattern->not_follow, next))
		return false;
	return pattern->follow == NULL || next[0] == '\0' || list_contains(pattern->follow, next);
}

static bool
words_say_opt_out(const Words *words)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		for (int at = 0; at < words->count; at++)
		{
			int			end = match_pattern(words, at, patterns[i].words);

			if (end >= 0 && phrase_holds(words, at, end, &patterns[i]))
				return true;
		}
	return false;
}

/* Without a word more. */
static bool
is_code(const Words *words)
{
	return match_pattern(words, 0, "opt out") == words->count || match_pattern(words, 0, "optout") == words->count;
}

/* --- the operator's words ------------------------------------------------------------ */

static bool
contains_words(const Words *words, const Words *wanted)
{
	for (int at = 0; at + wanted->count <= words->count; at++)
	{
		int			same = 0;

		while (same < wanted->count && strcmp(words->word[at + same], wanted->word[same]) == 0)
			same++;
		if (same == wanted->count)
			return true;
	}
	return false;
}

/* A number is a code, which a message may name for many a reason. */
static bool
is_entry_said(const Words *code, const Words *message, const char *entry)
{
	bool		is_number = entry[strspn(entry, "0123456789 ")] == '\0';
	Words		wanted;

	split_words(entry, &wanted);
	if (wanted.count == 0)
		return false;
	if (is_number)
		return code->count == wanted.count && contains_words(code, &wanted);
	return contains_words(code, &wanted) || contains_words(message, &wanted);
}

static bool
is_listed(const Words *code, const Words *message, const char *list)
{
	char		entry[TEXT_MAX];

	while (list != NULL && *list != '\0')
	{
		size_t		size = strcspn(list, ",");

		snprintf(entry, sizeof(entry), "%.*s", (int) size, list);
		if (is_entry_said(code, message, entry))
			return true;
		list += size + (list[size] == ',');
	}
	return false;
}

bool
opt_out_is_said(const char *code, const char *message, const char *more_words)
{
	Words		of_code;
	Words		of_message;

	split_words(code, &of_code);
	split_words(message, &of_message);
	return (code != NULL && list_contains(codes, code)) || words_say_opt_out(&of_code) || words_say_opt_out(&of_message) ||
		is_code(&of_code) || is_listed(&of_code, &of_message, more_words);
}
