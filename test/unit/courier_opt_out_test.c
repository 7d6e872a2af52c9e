/*
 * courier_opt_out_test.c: which refusals say that the recipient wants no
 * messages, and which only sound like it.
 */
#include "opt_out.h"

#include "tap.h"

static const char *const opted_out_codes[] = {
	"21610", "40300", "131050", "RecipientOptedOut", "recipient.opted.out", "OPTED_OUT", "optedOut",
	"OPT_OUT", "opt-out", "DESTINATION_PHONE_NUMBER_OPTED_OUT", "ConversationBlockedByUser",
	"bot.blocked.by.user", "BlockedByRecipient", "RECIPIENT_BLOCKED_SENDER", "unsubscribed",
	"UnsubscribedRecipient", "recipient_unsubscribed", "user-stopped", "SMSOptedOut", "USER_OPT_OUT",
};

static const char *const opted_out_messages[] = {
	"Recipient has opted out",
	"The recipient opted out of receiving messages.",
	"+15550001111 is opted out",
	"This phone number is opted-out of all marketing",
	"Message was not sent: the customer has opted out.",
	"Cannot deliver because the contact previously opted out",
	"Attempt to send to unsubscribed recipient",
	"Cannot send to an unsubscribed user",
	"The customer unsubscribed from this list",
	"User unsubscribed",
	"Forbidden: bot was blocked by the user",
	"Conversation blocked by user",
	"The message was blocked by the end user",
	"Blocked due to STOP message",
	"The customer replied STOP",
	"The customer has replied with a STOP",
	"Source number blocked by STOP from destination number",
	"The user has blocked the business",
	"This person blocked your number.",
	"Recipient blocked the sender",
	"The recipient has stopped messages from your business",
	"User stopped to receive marketing messages",
	"The recipient has stopped",
	"This recipient has chosen to stop receiving marketing messages on WhatsApp from your business",
	"The customer no longer wishes to receive messages",
	"The number is on the opt-out list",
	"Recipient is in your account suppression list",
	"Phone number is on the Do Not Contact list",
	"The conversation was closed, because the customer opted out",
	"Not allowed to send to opted out recipients",
	"The recipient hasn't consented; they opted out",
};

static const char *const other_codes[] = {
	"", "bad.request", "21611", "216100", "10", "131047", "blocked", "ip.blocked", "user.blocked", "stopped",
	"conversation.stopped", "not.opted.out", "notOptedOut", "opt.out.text.missing", "missing.opt.out",
	"account.opted.out", "opted_out:false", "server.stopped", "stop", "recipient.not.unsubscribed",
	"blocked_by_policy", "blockedByAdministrator",
};

static const char *const other_messages[] = {
	"The conversation stopped",
	"The conversation was stopped by the user",
	"The server stopped responding",
	"The customer stopped responding",
	"The customer has stopped typing",
	"Service stopped due to a stop of the cluster",
	"Blocked by administrator",
	"Blocked by policy",
	"The request was blocked by the firewall",
	"Your IP address is blocked",
	"Blocked by user policy",
	"Blocked by the recipient's mail server",
	"Blocked by user agent filter",
	"The carrier blocked the sender",
	"The firewall has blocked your account",
	"User blocked: account suspended by an administrator",
	"The recipient is not opted out",
	"The recipient has not opted out",
	"The recipient hasn't opted out",
	"The recipient hasn\xE2\x80\x99t opted out",
	"The user has never unsubscribed",
	"No recipient has opted out",
	"The user has not blocked the business",
	"No user has blocked the bot",
	"The number is not on the opt-out list",
	"The recipient may have opted out",
	"The recipient might be unsubscribed or unreachable",
	"Check whether the recipient has opted out",
	"Messages fail if the user opted out",
	"The recipient has not opted in",
	"The message must have opt-out instructions",
	"Opt-out text is missing",
	"opted_out: false",
	"optedOut=false",
	"Your organization has opted out of this feature",
	"The account is unsubscribed from the API plan",
	"The user has opted out of tracking",
	"The webhook was unsubscribed",
	"You have been unsubscribed",
	"The user is not subscribed to the channel",
	"Bus stop not found",
	"Cannot send notification to closed conversation",
	"You are missing the following permission(s): conversation:message:create",
	"Rate limit exceeded the maximum. Retry the request in [42] seconds",
	"stop", "'", "''t n't", "n't", "-", ".", "",
};

static void
test_more_words(void)
{
	static const char list[] = "470, 1600 ,closed by guest,SenderMuted,dado de baja,\xC3\xA4rgerlich,,";

	ok(opt_out_is_said("470", NULL, list), "more words: a code");
	ok(opt_out_is_said("1600", "x", list), "with blanks around it");
	ok(!opt_out_is_said("4700", NULL, list), "all of it");
	ok(!opt_out_is_said(NULL, "The most are 470 characters", list), "a number is no word of a message");
	ok(opt_out_is_said(NULL, "It was CLOSED by Guest 7.", list), "a phrase in a message");
	ok(!opt_out_is_said(NULL, "It was closed by a guest", list), "word for word");
	ok(!opt_out_is_said(NULL, "closed by guests", list), "whole words");
	ok(opt_out_is_said("sender.muted", NULL, list), "a code, however it is written");
	ok(opt_out_is_said(NULL, "El cliente se ha dado de baja", list), "in another language");
	ok(opt_out_is_said(NULL, "Das ist \xC3\xA4rgerlich!", list), "with letters beyond ASCII");
	ok(!opt_out_is_said(NULL, "closed", ""), "no words at all");
	ok(!opt_out_is_said(NULL, NULL, list), "nothing said at all");
	ok(opt_out_is_said("21610", NULL, list), "the usual ones stay");
}

static void
test_length(void)
{
	static char text[5000];

	memset(text, 'a', sizeof(text) - 1);
	ok(!opt_out_is_said(text, text, text), "a long word");
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		text[i] = ' ';
	ok(!opt_out_is_said(text, text, "none of these"), "many words");
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 2 ? 'a' : 'A';
	ok(!opt_out_is_said(text, text, NULL), "many words in one");
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int
main(void)
{
	for (size_t i = 0; i < COUNT(opted_out_codes); i++)
		ok(opt_out_is_said(opted_out_codes[i], NULL, NULL), "opted out: the code %s", opted_out_codes[i]);
	for (size_t i = 0; i < COUNT(opted_out_messages); i++)
		ok(opt_out_is_said(NULL, opted_out_messages[i], NULL), "opted out: %s", opted_out_messages[i]);
	for (size_t i = 0; i < COUNT(other_codes); i++)
		ok(!opt_out_is_said(other_codes[i], NULL, NULL), "not opted out: the code %s", other_codes[i]);
	for (size_t i = 0; i < COUNT(other_messages); i++)
		ok(!opt_out_is_said(NULL, other_messages[i], NULL), "not opted out: %s", other_messages[i]);
	test_more_words();
	test_length();
	return done_testing();
}
