/*
 * answer.c: composing answers.
 */
#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "quoting.h"
#include "report.h"

static const struct
{
	unsigned int status;
	const char *code;
	const char *message;
}			usual_errors[] =
{
	{400, "bad.request", "The request could not be understood due to malformed syntax."},
	{401, "bad.credentials", "Invalid login credentials."},
	{403, "missing.permissions", "Unable to perform the requested action. You must have the permission"
	 " conversation:message:create; verify OAuth scopes for outbound messaging."},
	{404, "not.found", "The requested resource was not found."},
	{405, "method.not.allowed", "The requested method is not allowed here."},
	{408, "request.timeout", "The client did not produce a request within the server timeout limit."},
	{409, "conflict", "The request conflicts with a previous request."},
	{413, "request.entity.too.large", "The request is over the size limit."},
	{415, "unsupported.media.type", "The content type must be application/json."},
	{422, "unprocessable.entity", "The request is well formed but cannot be carried out."},
	{429, "too.many.requests", "Rate limit exceeded the maximum."},
	{500, "internal.server.error", "The server encountered an unexpected condition."},
	{502, "bad.gateway", "The server received an invalid response from an upstream server."},
	{503, "service.unavailable", "Service Unavailable - the server is currently unavailable."},
	{504, "gateway.timeout", "The request timed out."},
};

void
answer_clear(Answer *answer)
{
	answer->status = 0;
	answer->content_type[0] = '\0';
	answer->header_name = NULL;
	printbuf_reset(answer->body);
	answer->delay_ms = 0;
	answer->delivery = DELIVER_WHOLE;
	answer->amount = 0;
	report_free(answer->report);
	answer->report = NULL;
}

void
answer_start(Answer *answer, unsigned int status)
{
	answer->status = status;
	answer->header_name = NULL;
	strcpy(answer->content_type, "application/json");
	printbuf_reset(answer->body);
}

void
answer_error(Answer *answer, const Request *request, unsigned int status,
			 const char *code, const char *message)
{
	answer_start(answer, status);
	append_text(answer->body, "{\"message\":");
	append_json(answer->body, message);
	append_text(answer->body, ",\"code\":");
	append_json(answer->body, code);
	sprintbuf(answer->body, ",\"status\":%u,\"contextId\":\"%s\",\"details\":[],\"errors\":[]}",
			  status, request->correlation_id);
}

void
answer_usual_error(Answer *answer, const Request *request, unsigned int status)
{
	const size_t count = sizeof(usual_errors) / sizeof(usual_errors[0]);

	for (size_t i = 0; i < count; i++)
		if (usual_errors[i].status == status)
		{
			answer_error(answer, request, status, usual_errors[i].code, usual_errors[i].message);
			return;
		}
	answer_error(answer, request, status, "simulated", "A simulated answer.");
}

void
answer_set_content_type(Answer *answer, const char *content_type)
{
	/* The type may be the answer's own, when only its body changes. */
	if (content_type != answer->content_type)
		snprintf(answer->content_type, sizeof(answer->content_type), "%s", content_type);
}

void
answer_set_body(Answer *answer, const char *content_type, const char *body)
{
	answer_set_content_type(answer, content_type);
	printbuf_reset(answer->body);
	append_text(answer->body, body);
}

void
answer_set_header(Answer *answer, const char *name, const char *value)
{
	answer->header_name = name;
	snprintf(answer->header_value, sizeof(answer->header_value), "%s", value);
}
