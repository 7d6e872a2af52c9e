/*
 * preflight.c: reengage.preflight(), what stands between a server and its API.
 *
 * A courier of our own makes the look that precedes every nudge, with the code
 * that would make it for one, and where that fails says which checks before it
 * have passed.  A look is a GET: besides it only a token is asked for.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/versions.h"
#include "config/options.h"
#include "config/secrets.h"
#include "dispatch/courier_pipe.h"
#include "dispatch/servers.h"
#include "nudge.h"

PG_FUNCTION_INFO_V1(reengage_preflight);

/* Before its expiry, a certificate is something to look after. */
#define CERTIFICATE_WARNING_DAYS 14

/* In the order in which a call comes to them. */
typedef enum Check
{
	CHECK_OPTIONS,
	CHECK_CREDENTIALS,
	CHECK_NAME,
	CHECK_ADDRESS,
	CHECK_CONNECTION,
	CHECK_TLS,
	CHECK_TOKEN,
	CHECK_MAY_LOOK,
	CHECK_MAY_NOTIFY,
	CHECK_MAY_CREATE,
	CHECK_CONVERSATION,
	CHECK_COUNT					/* as where it failed: nowhere */
} Check;

typedef struct CheckText
{
	const char *name;
	const char *remedy;			/* if it fails */
} CheckText;

static const CheckText texts[CHECK_COUNT] = {
	[CHECK_OPTIONS] = {"options", "correct the server with ALTER SERVER ... OPTIONS"},
	[CHECK_CREDENTIALS] = {"credentials", "correct the file that reengage.credentials_file names, or use the server option auth 'none'"},
	[CHECK_NAME] = {"name", "correct the host in api_url or login_url, or the resolver of this machine"},
	[CHECK_ADDRESS] = {"address", "the host's name leads to a private address: if that is meant, name the host in the server option allow_private_address (a courier-local or shared one stays refused), else see who changed the name"},
	[CHECK_CONNECTION] = {"connection", "see that host and port are right, that the API is up, and that a firewall lets this machine out; or set the server option proxy"},
	[CHECK_TLS] = {"tls", "see that the port speaks TLS and that its certificate is valid; for an own authority set the server option ca_file"},
	[CHECK_TOKEN] = {"token", "see that login_url is right, and that client_id and client_secret in the credentials file are those of the API"},
	[CHECK_MAY_LOOK] = {"may look", "see that api_url is right, and that the API's client has the permission to read conversations"},
	[CHECK_MAY_NOTIFY] = {"may notify", NULL},
	[CHECK_MAY_CREATE] = {"may create", NULL},
	[CHECK_CONVERSATION] = {"conversation", "see that the id is one of this organisation's, and what the API answers about it"},
};

typedef struct Preflight
{
	const char *server;
	const char *conversation_id;	/* NULL: none was given */
	ServerOptions options;
	const char *api_words;		/* where it failed: why */
	ReplyMessage reply;
	Check		failed;
} Preflight;

/* The first check that this reason is about. */
typedef struct ReasonPlace
{
	const char *reason;
	Check		check;
} ReasonPlace;

static const ReasonPlace places[] = {
	{"resolve_failed", CHECK_NAME},
	{"address_refused", CHECK_ADDRESS},
	{"connect_failed", CHECK_CONNECTION},
	{"connect_timeout", CHECK_CONNECTION},
	{"connection_lost", CHECK_CONNECTION},
	{"proxy_failed", CHECK_CONNECTION},
	{"tls_failed", CHECK_TLS},
	{"certificate_refused", CHECK_TLS},
	{"bad_credentials", CHECK_TOKEN},
	{"token_unavailable", CHECK_TOKEN},
};

static bool
begins_with(const char *text, const char *start)
{
	return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

/* libcurl has one code for all that takes too long, but says what it was. */
static Check
place_of_timeout(const char *words)
{
	if (begins_with(words, "Resolving"))
		return CHECK_NAME;
	return begins_with(words, "SSL") ? CHECK_TLS : CHECK_CONNECTION;
}

static Check
place_of_failure(const ReplyMessage *reply, bool id_was_given)
{
	const char *reason = reply->reason ? reply->reason : "";

	if (reply->class == REPLY_DONE)
		return CHECK_COUNT;
	if (reply->class == REPLY_NOT_FOUND)
		return id_was_given ? CHECK_CONVERSATION : CHECK_COUNT;
	if (strcmp(reason, "connect_timeout") == 0)
		return place_of_timeout(reply->error_message);
	/* once a look was made, all before it has passed */
	if (reply->api_calls > 0)
		return id_was_given && reply->http_status >= 200 && reply->http_status <= 299 ?
			CHECK_CONVERSATION : CHECK_MAY_LOOK;
	for (int i = 0; i < lengthof(places); i++)
		if (strcmp(reason, places[i].reason) == 0)
			return places[i].check;
	/* the courier could make nothing of what it was told */
	return CHECK_OPTIONS;
}

static const char *
words_of_failure(const ReplyMessage *reply)
{
	StringInfoData words;

	initStringInfo(&words);
	appendStringInfoString(&words, reply->reason ? reply->reason : "no reason given");
	if (reply->http_status > 0)
		appendStringInfo(&words, " (HTTP %d)", (int) reply->http_status);
	if (reply->error_message != NULL)
		appendStringInfo(&words, ": %s", reply->error_message);
	return words.data;
}

static bool
is_secure(const char *url)
{
	return url == NULL || pg_strncasecmp(url, "https:", strlen("https:")) == 0;
}

/* Why there is nothing to find out here, whatever comes of the look; or NULL. */
static const char *
reason_to_skip(Check check, const Preflight *preflight)
{
	const ServerOptions *options = &preflight->options;

	switch (check)
	{
		case CHECK_CREDENTIALS:
		case CHECK_TOKEN:
			return options->courier.login_url == NULL ? "auth is none" : NULL;
		case CHECK_NAME:
		case CHECK_ADDRESS:
			return options->courier.proxy != NULL ? "it is the proxy that connects" : NULL;
		case CHECK_TLS:
			return is_secure(options->courier.api_url) || is_secure(options->courier.login_url ? options->courier.login_url : "") ?
				NULL : "a loopback address is spoken to without TLS";
		case CHECK_MAY_NOTIFY:
		case CHECK_MAY_CREATE:
			return "cannot be known without sending to a customer";
		case CHECK_CONVERSATION:
			return preflight->conversation_id == NULL ? "no conversation_id was given" : NULL;
		default:
			return NULL;
	}
}

/* Seconds for which the API's certificate is still valid. */
static int64
certificate_lasts(const ReplyMessage *reply)
{
	return reply->certificate_expires_at - (int64) timestamptz_to_time_t(GetCurrentTimestamp());
}

static const char *
detail_of_certificate(const ReplyMessage *reply)
{
	const char *issuer = reply->certificate_issuer ? reply->certificate_issuer : "an unknown authority";

	if (reply->certificate_expires_at == 0)
		return reply->certificate_issuer ? psprintf("issued by %s", issuer) : NULL;
	return psprintf("issued by %s, expires %s, in " INT64_FORMAT " days", issuer,
					timestamptz_to_str(time_t_to_timestamptz(reply->certificate_expires_at)),
					certificate_lasts(reply) / SECS_PER_DAY);
}

static const char *
advice_on_success(Check check, const ReplyMessage *reply)
{
	if (check == CHECK_TLS && reply->certificate_expires_at > 0 &&
		certificate_lasts(reply) < CERTIFICATE_WARNING_DAYS * SECS_PER_DAY)
		return "see that the API's certificate is renewed before it expires: from then on nothing is sent";
	return NULL;
}

static const char *
detail_of_success(Check check, const Preflight *preflight)
{
	const ReplyMessage *reply = &preflight->reply;

	if (check == CHECK_OPTIONS)
		return preflight->options.courier.api_url;
	if (check == CHECK_TLS)
		return detail_of_certificate(reply);
	if (check == CHECK_MAY_LOOK)
		return reply->class == REPLY_NOT_FOUND && preflight->conversation_id == NULL ?
			"the API says that it has no conversation of a random id; only the id of a real one shows that api_url is right" :
			psprintf("HTTP %d", (int) reply->http_status);
	if (check == CHECK_CONVERSATION)
		return psprintf("%s: a nudge would %s", reply->status ? reply->status : "no status",
						reply->live ? "notify it" : "start a new session");
	return NULL;
}

static void
put_row(ReturnSetInfo *result, Check check, const char *state, const char *detail, const char *remedy)
{
	Datum		values[5] = {Int32GetDatum(check + 1), CStringGetTextDatum(texts[check].name),
	CStringGetTextDatum(state), (Datum) 0, (Datum) 0};
	bool		nulls[5] = {false, false, false, detail == NULL, remedy == NULL};

	if (detail != NULL)
		values[3] = CStringGetTextDatum(detail);
	if (remedy != NULL)
		values[4] = CStringGetTextDatum(remedy);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_rows(ReturnSetInfo *result, const Preflight *preflight)
{
	for (Check check = CHECK_OPTIONS; check < CHECK_COUNT; check++)
	{
		const char *skipped = reason_to_skip(check, preflight);

		if (check == preflight->failed)
			put_row(result, check, "failed", preflight->api_words, texts[check].remedy);
		else if (skipped != NULL)
			put_row(result, check, "skipped", skipped, NULL);
		else if (check > preflight->failed)
			put_row(result, check, "skipped",
					psprintf("comes after \"%s\"", texts[preflight->failed].name), NULL);
		else
			put_row(result, check, "ok", detail_of_success(check, preflight),
					advice_on_success(check, &preflight->reply));
	}
}

static void
await_reply(CourierPipe *courier, Preflight *preflight)
{
	RenderedMessage rendered;

	for (;;)
	{
		switch (courier_next(courier, &preflight->reply, &rendered))
		{
			case COURIER_NOTHING:
				courier_wait(courier, -1);
				CHECK_FOR_INTERRUPTS();
				break;
			case COURIER_READY:
			case COURIER_RENDERED:
				break;
			case COURIER_REPLY:
				return;
			case COURIER_LOST:
				ereport(ERROR,
						(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
						 errmsg("%s", courier_problem(courier))));
		}
	}
}

/* What the reply points to lives as long as the courier, so all is put down here. */
static void
look_at_server(Preflight *preflight, const ServerMessage *server, ReturnSetInfo *result)
{
	char	   *random_id = DatumGetCString(DirectFunctionCall1(uuid_out, DirectFunctionCall1(gen_random_uuid, (Datum) 0)));
	CallMessage call = {
		.step = STEP_CHECK,
		.server = server->name,
		.conversation_id = preflight->conversation_id ? preflight->conversation_id : random_id,
		.nudge_id = random_id,
		.want_certificate = 1,
	};
	CourierPipe *courier = courier_open();

	PG_TRY();
	{
		courier_send_server(courier, server);
		courier_send_call(courier, &call);
		await_reply(courier, preflight);
		preflight->failed = place_of_failure(&preflight->reply, preflight->conversation_id != NULL);
		preflight->api_words = words_of_failure(&preflight->reply);
		put_rows(result, preflight);
	}
	PG_FINALLY();
	{
		courier_close(courier);
	}
	PG_END_TRY();
}

static void
fail_check(Preflight *preflight, Check check, const char *words, ReturnSetInfo *result)
{
	preflight->failed = check;
	preflight->api_words = words;
	put_rows(result, preflight);
}

static void
run_checks(Preflight *preflight, ReturnSetInfo *result)
{
	ServerMessage message = server_message(preflight->server, &preflight->options);
	Credentials credentials = {0};
	const char *complaint = NULL;

	if (message.name == NULL)
	{
		fail_check(preflight, CHECK_OPTIONS, "the server's name cannot be converted to UTF-8", result);
		return;
	}
	if (message.login_url != NULL)
		complaint = secrets_read(preflight->server, &preflight->options, &credentials);
	message.client_id = credentials.client_id;
	message.client_secret = credentials.client_secret;
	PG_TRY();
	{
		if (complaint != NULL)
			fail_check(preflight, CHECK_CREDENTIALS, complaint, result);
		else
			look_at_server(preflight, &message, result);
	}
	PG_FINALLY();
	{
		explicit_bzero(&credentials, sizeof(credentials));
	}
	PG_END_TRY();
}

Datum
reengage_preflight(PG_FUNCTION_ARGS)
{
	Preflight	preflight = {0};
	ForeignServer *foreign;

	InitMaterializedSRF(fcinfo, 0);
	versions_agree();
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the server must not be null")));
	preflight.server = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!PG_ARGISNULL(1))
		preflight.conversation_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
	foreign = reengage_server(preflight.server);
	if (foreign == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist, or is not of the foreign-data wrapper reengage", preflight.server)));
	if (preflight.conversation_id != NULL && !conversation_id_is_valid(preflight.conversation_id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" cannot be the id of a conversation", preflight.conversation_id)));
	preflight.options = options_read(foreign->options);
	run_checks(&preflight, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}
