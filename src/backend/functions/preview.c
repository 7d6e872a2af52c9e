/*
 * preview.c: reengage.preview(), the requests of a nudge without sending them.
 *
 * The courier renders them with the code that would send them, so that what
 * is shown is what would go out.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "address_form.h"
#include "base/versions.h"
#include "config/options.h"
#include "dispatch/courier_pipe.h"
#include "dispatch/servers.h"
#include "dispatch/terms.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(reengage_preview);

/* One request: what is known of it, and of where it goes. */
typedef struct Request
{
	Step		step;
	Recipient	recipient;
	const char *fault;			/* why nothing would be sent; NULL: it would, as far as the engine knows */
} Request;

/* In alphabetical order. */
static const struct
{
	const char *reason;
	const char *meaning;
}			faults[] = {
	{"address_is_no_email", "the address is none of e-mail"},
	{"address_is_no_number", "the address is no telephone number as the API wants it: with + and country code"},
	{"channel_not_proactive", "the server's option proactive_channels does not have the channel"},
	{"channel_not_supported", "the API starts no conversation on this channel"},
	{"no_address", "nobody names an address: give the nudge one"},
	{"no_channel", "nobody names the channel: give the nudge one"},
	{"no_from_address", "nobody names the sender: set from_addresses or from_address of the server"},
	{"template_required", "on this channel a conversation begins with an approved template: name it in detail.template"},
	{"template_without_id", "detail.template has no responseId"},
	{"text_too_long", "the API takes no message of this length on this channel: shorten it"},
};

/* With what it means. */
static const char *
explained_reason(const char *reason)
{
	for (int i = 0; reason != NULL && i < lengthof(faults); i++)
		if (strcmp(faults[i].reason, reason) == 0)
			return psprintf("%s: %s", reason, faults[i].meaning);
	return reason;
}

/* As the API would get it, if the conversation tells of nobody else. */
static const char *
own_address(const LoadedNudge *nudge, const ServerOptions *options)
{
	char	   *form = palloc(strlen(nudge->address) + ADDRESS_FORM_ROOM);

	return address_to_send(form, nudge->address, nudge->channel, options->country_code, false) == ADDRESS_FAULTLESS ?
		form : nudge->address;
}

static const char *
condition_of(Step step, const LoadedNudge *nudge, const ServerOptions *options)
{
	if (nudge->unresolved)
		return "always, with the same key: the answer to this call was lost";
	switch (step)
	{
		case STEP_CHECK:
			return "always, first";
		case STEP_NOTIFY:
			return "if the check says that the conversation is live";
		case STEP_CREATE:
			if (nudge->address == NULL)
				return "if it is closed; {...} is what the check reads";
			return psprintf("if it is closed; {...} is what the check reads, or else %s on channel %s",
							own_address(nudge, options), nudge->channel ? nudge->channel : "{channel}");
	}
	return NULL;
}

/*
 * What a check would find, as far as that is known: the channel that lineage
 * has of the thread, or else the nudge's own.
 */
static Facts
presumed_facts(const LoadedNudge *nudge, const ServerOptions *options)
{
	const char *channel = store_last_channel(nudge->server, nudge->path);
	const char *own_channel = nudge->channel ? nudge->channel : channel;
	Facts		facts = {.channel = channel ? channel : nudge->channel, .customer_address = "{customer address}"};
	bool		is_contact = options->dialect->notifies_addresses && facts.channel != NULL && strcmp(facts.channel, "webmessaging") == 0;

	/* a contact of the web messenger writes to no address of ours */
	facts.business_address = is_contact ? NULL : "{business address}";
	if (nudge->address != NULL && own_channel != NULL)
		facts.own_fault = address_fault_name(address_form(palloc(strlen(nudge->address) + ADDRESS_FORM_ROOM),
			nudge->address, own_channel, options->country_code));
	return facts;
}

static Request
request_of(Step step, const LoadedNudge *nudge, const ServerOptions *options, const Facts *facts)
{
	Terms		terms = terms_of(nudge, options, &nudge->post);
	Request		request = {.step = step};
	bool		chosen = true;

	if (nudge->unresolved)
		request.recipient = nudge->post.recipient;
	else if (step != STEP_CHECK && facts->channel == NULL)
		request.recipient = (Recipient) {facts->customer_address, facts->business_address, "{channel}"};
	else if (step == STEP_CREATE)
		chosen = choose_recipient(facts, &terms, &request.recipient, &request.fault);
	else if (step == STEP_NOTIFY && options->dialect->notifies_addresses)
		chosen = choose_notified(facts, &terms, &request.recipient, &request.fault);
	if (chosen && request.recipient.to_address != NULL && request.recipient.to_address == nudge->address)
		request.recipient.to_address = own_address(nudge, options);
	return request;
}

static CallMessage
call_of(const Request *request, const LoadedNudge *nudge, const ServerOptions *options)
{
	CallMessage call = {
		.call_id = request->step,
		.step = request->step,
		.render_only = 1,
		.server = nudge->server,
		.conversation_id = nudge->tip,
		.nudge_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&nudge->nudge_id))),
	};

	if (request->step != STEP_CHECK)
		call.text = nudge->message;
	if (request->step == STEP_CREATE || (request->step == STEP_NOTIFY && options->dialect->notifies_addresses))
	{
		call.to_address = request->recipient.to_address;
		call.from_address = request->recipient.from_address;
		call.channel = request->recipient.channel;
		call.template = nudge->template;
	}
	return call;
}

/* Whether the nudge's next attempt may come to this step. */
static bool
may_make(Step step, const LoadedNudge *nudge)
{
	if (nudge->unresolved)
		return step == nudge->post.step;
	return step != STEP_CREATE || !nudge->skip_when_closed;
}

static Datum
to_datum(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	if (*isnull)
		return (Datum) 0;
	return CStringGetTextDatum(pg_any_to_server(text, strlen(text), PG_UTF8));
}

static void
put_row(ReturnSetInfo *result, Step step, const char *condition, const RenderedMessage *rendered)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(step_name(step));
	values[1] = to_datum(condition, &nulls[1]);
	values[2] = to_datum(rendered->method, &nulls[2]);
	values[3] = to_datum(rendered->url, &nulls[3]);
	values[4] = to_datum(rendered->headers, &nulls[4]);
	values[5] = to_datum(rendered->body, &nulls[5]);
	values[6] = to_datum(explained_reason(rendered->fault), &nulls[6]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* As the courier would send it; what it points to lives until the next one is asked for. */
static RenderedMessage
render_call(CourierPipe *courier, const CallMessage *call)
{
	ReplyMessage reply;
	RenderedMessage rendered;

	courier_send_call(courier, call);
	for (;;)
	{
		switch (courier_next(courier, &reply, &rendered))
		{
			case COURIER_NOTHING:
				courier_wait(courier, -1);
				CHECK_FOR_INTERRUPTS();
				break;
			case COURIER_READY:
				break;
			case COURIER_RENDERED:
				return rendered;
			case COURIER_REPLY:
				ereport(ERROR,
						(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
						 errmsg("the courier could not render a request: %s",
								reply.reason ? reply.reason : "no reason given")));
				break;
			case COURIER_LOST:
				ereport(ERROR,
						(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
						 errmsg("%s", courier_problem(courier))));
				break;
		}
	}
}

static void
put_requests(ReturnSetInfo *result, CourierPipe *courier, const LoadedNudge *nudge, const ServerOptions *options)
{
	Facts		facts = presumed_facts(nudge, options);

	for (Step step = STEP_CHECK; step < STEP_COUNT; step++)
	{
		Request		request = request_of(step, nudge, options, &facts);
		RenderedMessage rendered = {.fault = leads_astray(nudge) ? "named_by_another" : request.fault};
		CallMessage call;

		if (!may_make(step, nudge))
			continue;
		if (rendered.fault == NULL)
		{
			call = call_of(&request, nudge, options);
			rendered = render_call(courier, &call);
		}
		put_row(result, step, condition_of(step, nudge, options), &rendered);
	}
}

static LoadedNudge *
load_nudge(pg_uuid_t *nudge_id)
{
	LoadedNudge *nudge;

	if (store_load(nudge_id, 1, &nudge) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("nudge %s is not due",
						DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(nudge_id)))),
				 errdetail("It does not exist, or it has ended."),
				 errhint("reengage.nudge_status shows where it stands.")));
	if (nudge->message == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("the message of the nudge cannot be converted to UTF-8")));
	return nudge;
}

Datum
reengage_preview(PG_FUNCTION_ARGS)
{
	LoadedNudge *nudge;
	ForeignServer *foreign;
	ServerOptions options;
	ServerMessage server;
	CourierPipe *courier;

	InitMaterializedSRF(fcinfo, 0);
	versions_agree();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	nudge = load_nudge(PG_GETARG_UUID_P(0));
	foreign = reengage_server(nudge->server);
	if (foreign == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of the nudge does not exist", nudge->server)));
	options = options_read(foreign->options);
	server = server_message(nudge->server, &options);
	courier = courier_open();
	PG_TRY();
	{
		courier_send_server(courier, &server);
		put_requests((ReturnSetInfo *) fcinfo->resultinfo, courier, nudge, &options);
	}
	PG_FINALLY();
	{
		courier_close(courier);
	}
	PG_END_TRY();
	SPI_finish();
	return (Datum) 0;
}
