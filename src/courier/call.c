/*
 * call.c: one call, from the worker's CALL to our REPLY.
 */
#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "link.h"
#include "memory.h"
#include "test_point.h"
#include "version.h"

/* A call keeps a copy of the frame it came in, and reads it there. */
Call *
call_new(const Frame *frame)
{
	Call	   *call = allocate(sizeof(Call));
	Frame		copy = *frame;

	call->fields = allocate(frame->fields_length + 1);
	memcpy(call->fields, frame->fields, frame->fields_length);
	copy.fields = call->fields;
	if (message_get_call(&copy, &call->message))
	{
		call->begin_by_ms = call->message.time_left_ms > 0 ?
			clock_monotonic_ms() + call->message.time_left_ms : INT64_MAX;
		call->leave_by_ms = call->message.leave_by_ms > 0 ? call->message.leave_by_ms : INT64_MAX;
		return call;
	}
	call_free(call);
	return NULL;
}

/* Ends an attempt: its settings and its token are not needed any more. */
static void
forget_attempt(Call *call)
{
	settings_release(call->settings);
	call->settings = NULL;
	forget_text(call->token);
	call->token = NULL;
}

void
call_free(Call *call)
{
	forget_attempt(call);
	free(call->fields);
	free(call);
}

static bool
is_present(const char *text)
{
	return text != NULL && text[0] != '\0';
}

const char *
call_find_fault(const Call *call)
{
	const CallMessage *message = &call->message;

	if (!conversation_id_is_valid(message->conversation_id) ||
		!conversation_id_is_valid(message->nudge_id))
		return "invalid_id";
	if (message->step != STEP_CHECK && !is_present(message->text))
		return "no_text";
	if (message->step == STEP_CREATE && !is_present(message->to_address))
		return "no_address";
	if (message->step == STEP_CREATE && !is_present(message->channel))
		return "no_channel";
	return NULL;
}

/*
 * The key is the nudge's and the purpose's, not the attempt's: an API that
 * honours it can tell a repetition from a second wish.
 */
static char *
compose_headers(const CallMessage *message, const char *purpose, const char *token)
{
	bool		posts = purpose != NULL;
	bool		authorizes = token != NULL;

	return join_texts("Accept: application/json"
					  "\n" USER_AGENT_HEADER,
					  posts ? "\nContent-Type: application/json"
					  "\nIdempotency-Key: " : "",
					  posts ? message->nudge_id : "", posts ? "-" : "", posts ? purpose : "",
					  authorizes ? "\nAuthorization: Bearer " : "", authorizes ? token : "", NULL);
}

static void
compose_call(const Call *call, const Settings *settings, const char *token,
		HttpRequest *request)
{
	memset(request, 0, sizeof(*request));
	settings->dialect->compose(&call->message, settings->server.api_url, request);
	request->want_certificate = call->message.want_certificate != 0;
	if (call->begin_by_ms != INT64_MAX)
	{
		int64_t		left_ms = call->begin_by_ms - clock_monotonic_ms();

		request->begin_within_ms = left_ms > 0 ? left_ms : 1;
	}
	/* a look may take its time to connect, and opens the way for the message */
	if (call->message.step != STEP_CHECK)
		request->leave_by_ms = call->message.leave_by_ms;
	request->headers = compose_headers(&call->message, call->message.step == STEP_CHECK ?
									   NULL : step_name((Step) call->message.step), token);
}

void
call_send(Call *call, Settings *settings, const char *token, HttpDone done)
{
	HttpRequest request;

	forget_attempt(call);
	call->settings = settings_hold(settings);
	call->token = copy_text(token);
	compose_call(call, settings, token, &request);
	call->request_length = http_request_length(&request);
	http_send(&request, &settings->route, done, call);
}

void
call_note_attempt(Call *call, const HttpResponse *response)
{
	if (!response->sent)
		return;
	traffic_count(call->traffic, call->request_length, response);
	call->took_us += response->took_us;
	if (call->requests_sent++ == 0)
		call->called_at = response->sent_at;
}

/* All that the API, or whoever stands before it, could repeat. */
static Secrets
secrets_of(const Call *call)
{
	const CallMessage *message = &call->message;
	Secrets		secrets = settings_secrets(call->settings, call->token);
	Told	   *told = &secrets.told;

	told->texts[0] = message->text;
	told->texts[1] = message->to_address;
	told->texts[2] = message->from_address;
	told->texts[3] = message->template;
	told->ids[0] = message->conversation_id;
	told->ids[1] = message->nudge_id;
	told->ids[2] = message->root;
	return secrets;
}

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* Each number is told once. */
static Traffic
take_traffic(const Call *call)
{
	Traffic		taken = {0};

	if (call->traffic == NULL)
		return taken;
	taken = *call->traffic;
	*call->traffic = (Traffic) {0};
	return taken;
}

static void
answer_call(Call *call, const Reading *reading, bool too_late)
{
	Traffic		traffic = take_traffic(call);
	ReplyMessage reply = {
		.call_id = call->message.call_id,
		.class = reading->class,
		.http_status = reading->http_status,
		.retry_after_ms = reading->retry_after_ms,
		.api_calls = call->requests_sent,
		.called_at = call->called_at,
		.too_late = too_late,
		.answered_ms = clock_monotonic_ms(),
		.took_us = call->took_us,
		.token_requests = traffic.token_requests,
		.bytes_sent = traffic.bytes_sent,
		.bytes_received = traffic.bytes_received,
		.reason = text_or_null(reading->reason),
		.live = reading->live,
		.busy = reading->busy,
		.last_inbound_at = reading->last_inbound_at,
		.status = text_or_null(reading->status),
		.channel = text_or_null(reading->channel),
		.customer_address = text_or_null(reading->customer_address),
		.business_address = text_or_null(reading->business_address),
		.conversation_id = text_or_null(reading->conversation_id),
		.message_id = text_or_null(reading->message_id),
		.opted_out = reading->opted_out,
		.error_code = text_or_null(reading->error_code),
		.error_message = text_or_null(reading->error_message),
		.correlation_id = text_or_null(reading->correlation_id),
		.certificate_issuer = text_or_null(reading->certificate_issuer),
		.certificate_expires_at = reading->certificate_expires_at,
	};

	TEST_POINT(call->message.step == STEP_CHECK ? "courier_check_unreported" : "courier_post_unreported");
	link_send_reply(&reply);
	call_free(call);
}

void
call_end_with(Call *call, const Reading *reading)
{
	answer_call(call, reading, false);
}

void
call_give_back(Call *call, const char *reason)
{
	Reading		reading;

	reading_init(&reading, REPLY_NOT_APPLIED, reason);
	answer_call(call, &reading, true);
}

/*
 * An API that is still busy with the first request of a key answers the second
 * with 409 (draft-ietf-httpapi-idempotency-key-header-07, section 2.6): it will
 * know more later.
 */
static void
read_conflict(const Call *call, Reading *reading)
{
	if (call->message.repeats && reading->http_status == 409 &&
		reading->class == REPLY_REJECTED)
		reading_set(reading, REPLY_AMBIGUOUS, "in_progress");
}

/*
 * Some proxies mix up answers.  A look that is answered with another
 * conversation has found out nothing, least of all whom to write to.
 */
static void
read_mistaken_identity(const Call *call, Reading *reading)
{
	int			status = reading->http_status;

	if (call->message.step != STEP_CHECK || reading->class != REPLY_DONE ||
		reading->conversation_id[0] == '\0' ||
		strcasecmp(reading->conversation_id, call->message.conversation_id) == 0)
		return;
	reading_init(reading, REPLY_NOT_APPLIED, "other_conversation");
	reading->http_status = status;
}

static void
read_certificate(const HttpCertificate *certificate, const Secrets *secrets, Reading *reading)
{
	text_clean_id(reading->certificate_issuer, ISSUER_SIZE, certificate->issuer, secrets);
	reading->certificate_expires_at = certificate->expires_at;
}

/* An API makes ids of ids, but not of what it is to deliver. */
static void
read_message_id(Secrets secrets, Reading *reading)
{
	char		clean[MESSAGE_ID_SIZE];

	memset(secrets.told.ids, 0, sizeof(secrets.told.ids));
	text_clean_id(clean, sizeof(clean), reading->message_id, &secrets);
	if (strcmp(clean, reading->message_id) != 0)
		reading->message_id[0] = '\0';
}

static void
on_tagged(void *owner, const HttpResponse *response)
{
	/* the outcome is known and told: a tag that fails changes nothing */
	(void) response;
	settings_release(owner);
}

/* False: the new conversation is not to be tagged. */
static bool
compose_tag(const Call *call, const Reading *reading, HttpRequest *request)
{
	const Dialect *dialect = call->settings->dialect;

	memset(request, 0, sizeof(*request));
	if (call->message.step != STEP_CREATE || reading->class != REPLY_DONE ||
		call->message.root == NULL || dialect->compose_tag == NULL)
		return false;
	dialect->compose_tag(reading->conversation_id, call->message.root,
						 call->settings->server.api_url, request);
	request->headers = compose_headers(&call->message, "tag", call->token);
	return true;
}

int
call_end(Call *call, const HttpResponse *response)
{
	Secrets		secrets = secrets_of(call);
	Reading		reading;
	HttpRequest tag;
	Settings   *settings = settings_hold(call->settings);
	bool		tags;

	call->settings->dialect->read((Step) call->message.step, response, &secrets,
								  call->settings->server.opt_out_words, &reading);
	read_conflict(call, &reading);
	read_mistaken_identity(call, &reading);
	read_certificate(&response->certificate, &secrets, &reading);
	read_message_id(secrets, &reading);
	tags = compose_tag(call, &reading, &tag);
	call_end_with(call, &reading);
	if (tags)
		http_send(&tag, &settings->route, on_tagged, settings);
	else
		settings_release(settings);
	return tags ? 1 : 0;
}

void
call_refuse(Call *call, ReplyClass class, const char *reason)
{
	Reading		reading;

	reading_init(&reading, class, reason);
	call_end_with(call, &reading);
}

void
call_render(Call *call, const Settings *settings, const char *fault)
{
	HttpRequest request;
	RenderedMessage rendered;
	bool		shown;

	compose_call(call, settings, settings->server.login_url != NULL ? "***" : NULL, &request);
	rendered = (RenderedMessage) {
		.call_id = call->message.call_id,
		.method = request.body != NULL ? "POST" : "GET",
		.url = request.url,
		.headers = request.headers,
		.body = request.body,
		.fault = fault,
	};
	shown = link_send_rendered(&rendered);
	http_request_free(&request);
	if (shown)
		call_free(call);
	else
		call_refuse(call, REPLY_REJECTED, "too_long");
}
