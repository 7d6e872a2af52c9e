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

#include "link.h"
#include "options.h"
#include "servers.h"
#include "store.h"

PG_FUNCTION_INFO_V1(reengage_preview);

static const char *
condition_of(Step step, const LoadedNudge *nudge)
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
							nudge->address, nudge->channel ? nudge->channel : "{channel}");
	}
	return NULL;
}

static CallMessage
call_of(Step step, const LoadedNudge *nudge, bool notify_is_addressed)
{
	static const Recipient unknown = {"{customer address}", "{business address}", "{channel}"};
	const Recipient *recipient = nudge->unresolved ? &nudge->post.recipient : &unknown;
	CallMessage call = {
		.call_id = step,
		.step = step,
		.render_only = 1,
		.server = nudge->server,
		.conversation_id = nudge->tip,
		.nudge_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&nudge->nudge_id))),
	};

	if (step != STEP_CHECK)
		call.text = nudge->message;
	if (step == STEP_CREATE || (step == STEP_NOTIFY && notify_is_addressed))
	{
		call.to_address = recipient->to_address;
		call.from_address = recipient->from_address;
		call.channel = recipient->channel;
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

/* Returns their number. */
static int
send_calls(Link *link, const LoadedNudge *nudge, bool notify_is_addressed)
{
	int			count = 0;

	for (Step step = STEP_CHECK; step < STEP_COUNT; step++)
		if (may_make(step, nudge))
		{
			CallMessage call = call_of(step, nudge, notify_is_addressed);

			link_send_call(link, &call);
			count++;
		}
	return count;
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
put_row(ReturnSetInfo *result, const LoadedNudge *nudge, const RenderedMessage *rendered)
{
	Step		step = (Step) rendered->call_id;
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = CStringGetTextDatum(step_name(step));
	values[1] = CStringGetTextDatum(condition_of(step, nudge));
	values[2] = to_datum(rendered->method, &nulls[2]);
	values[3] = to_datum(rendered->url, &nulls[3]);
	values[4] = to_datum(rendered->headers, &nulls[4]);
	values[5] = to_datum(rendered->body, &nulls[5]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
collect(Link *link, const LoadedNudge *nudge, int expected, ReturnSetInfo *result)
{
	ReplyMessage reply;
	RenderedMessage rendered;

	while (expected > 0)
	{
		switch (link_next(link, &reply, &rendered))
		{
			case LINK_NOTHING:
				link_wait(link, -1);
				CHECK_FOR_INTERRUPTS();
				break;
			case LINK_READY:
				break;
			case LINK_RENDERED:
				put_row(result, nudge, &rendered);
				expected--;
				break;
			case LINK_REPLY:
				ereport(ERROR,
						(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
						 errmsg("the courier could not render a request: %s",
								reply.reason ? reply.reason : "no reason given")));
				break;
			case LINK_LOST:
				ereport(ERROR,
						(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
						 errmsg("%s", link_problem(link))));
				break;
		}
	}
}

static LoadedNudge *
load(pg_uuid_t *nudge_id)
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
	Link	   *link;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	nudge = load(PG_GETARG_UUID_P(0));
	foreign = reengage_server(nudge->server);
	if (foreign == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of the nudge does not exist", nudge->server)));
	options = options_read(foreign->options);
	server = server_message(nudge->server, &options);
	link = link_open();
	PG_TRY();
	{
		link_send_server(link, &server);
		collect(link, nudge, send_calls(link, nudge, options.notify_is_addressed),
				(ReturnSetInfo *) fcinfo->resultinfo);
	}
	PG_FINALLY();
	{
		link_close(link);
	}
	PG_END_TRY();
	SPI_finish();
	return (Datum) 0;
}
