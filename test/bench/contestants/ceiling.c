/*
 * ceiling.c: the most that libcurl can do on this machine.
 *
 * The same pairs of GET and POST as the others make, with neither a database nor
 * any care: what one reaches of it is its efficiency.
 *
 *     ceiling URL PREFIX CONVERSATIONS IN_FLIGHT
 *
 * Says "ready", begins when it reads "go", says "done", and ends with its input.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Transfer
{
	CURL	   *curl;
	long		conversation;
	bool		posting;
	bool		live;
} Transfer;

static const char *base_url;
static const char *prefix;
static CURLM *multi;
static struct curl_slist *json_header;

static size_t
read_status(char *data, size_t size, size_t count, void *argument)
{
	Transfer   *transfer = argument;

	if (!transfer->posting && memmem(data, size * count, "\"active\"", 8) != NULL)
		transfer->live = true;
	return size * count;
}

static void
start(Transfer *transfer)
{
	char		url[300];
	const char *body = "{\"text\": \"Are you still there?\"}";
	const char *path = "/api/v2/conversations/messaging";

	if (transfer->posting && !transfer->live)
	{
		snprintf(url, sizeof(url), "%s%s", base_url, path);
		body = "{\"to\": {\"address\": \"+13175550142\"}, \"channel\": \"sms\", \"text\": \"Are you still there?\"}";
	}
	else
		snprintf(url, sizeof(url), "%s%s/%s%ld%s", base_url, path, prefix, transfer->conversation,
				 transfer->posting ? "/notifications" : "");
	curl_easy_setopt(transfer->curl, CURLOPT_URL, url);
	if (transfer->posting)
	{
		curl_easy_setopt(transfer->curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, json_header);
	}
	else
		curl_easy_setopt(transfer->curl, CURLOPT_HTTPGET, 1L);
	curl_multi_add_handle(multi, transfer->curl);
}

static Transfer *
new_transfer(void)
{
	Transfer   *transfer = calloc(1, sizeof(Transfer));

	transfer->curl = curl_easy_init();
	curl_easy_setopt(transfer->curl, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(transfer->curl, CURLOPT_WRITEFUNCTION, read_status);
	curl_easy_setopt(transfer->curl, CURLOPT_WRITEDATA, transfer);
	return transfer;
}

/* A transfer has ended: on to its POST, or to the next conversation. */
static bool
go_on(Transfer *transfer, long *next, long conversations)
{
	curl_multi_remove_handle(multi, transfer->curl);
	if (!transfer->posting)
		transfer->posting = true;
	else if (*next < conversations)
	{
		transfer->conversation = (*next)++;
		transfer->posting = transfer->live = false;
	}
	else
		return false;
	start(transfer);
	return true;
}

static void
start_some(long *next, long in_flight, long conversations)
{
	for (; *next < in_flight && *next < conversations; (*next)++)
	{
		Transfer   *transfer = new_transfer();

		transfer->conversation = *next;
		start(transfer);
	}
}

/* Goes on with each transfer that has ended; returns how many have nothing more to do. */
static long
go_on_with_all(long *next, long conversations)
{
	int			left;
	long		rest = 0;
	CURLMsg    *message;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		Transfer   *transfer;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		if (!go_on(transfer, next, conversations))
			rest++;
	}
	return rest;
}

static void
converse(long in_flight, long conversations)
{
	long		next = 0;
	long		running;

	start_some(&next, in_flight, conversations);
	running = next;
	while (running > 0)
	{
		int			active;

		curl_multi_perform(multi, &active);
		running -= go_on_with_all(&next, conversations);
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
}

static void
say(const char *word)
{
	puts(word);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	char		word[16];
	long		in_flight;

	if (argc != 5)
		return fprintf(stderr, "usage: ceiling URL PREFIX CONVERSATIONS IN_FLIGHT\n"), 1;
	base_url = argv[1];
	prefix = argv[2];
	in_flight = atol(argv[4]);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	json_header = curl_slist_append(NULL, "Content-Type: application/json");
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
	say("ready");
	if (fgets(word, sizeof(word), stdin) == NULL)
		return 1;
	converse(in_flight, atol(argv[3]));
	say("done");
	while (fgets(word, sizeof(word), stdin) != NULL)
		;
	return 0;
}
