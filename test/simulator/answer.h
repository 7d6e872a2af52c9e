/*
 * answer.h: composing answers.
 */
#ifndef SIMULATOR_ANSWER_H
#define SIMULATOR_ANSWER_H

#include "exchange.h"

/* Empties the answer. */
extern void answer_clear(Answer *answer);

/* An empty JSON body with this status; the caller appends to answer->body. */
extern void answer_start(Answer *answer, unsigned int status);

/* An error in the shape of the contract. */
extern void answer_error(Answer *answer, const Request *request, unsigned int status,
						 const char *code, const char *message);

/* An error with the wording that an API commonly has for this status. */
extern void answer_usual_error(Answer *answer, const Request *request, unsigned int status);

/* Replaces the body. */
extern void answer_set_body(Answer *answer, const char *content_type, const char *body);

extern void answer_set_content_type(Answer *answer, const char *content_type);

/* Adds the one header that is particular to this answer. */
extern void answer_set_header(Answer *answer, const char *name, const char *value);

#endif
