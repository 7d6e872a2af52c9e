/*
 * faults.h: rules that make requests fail in chosen ways.
 */
#ifndef SIMULATOR_FAULTS_H
#define SIMULATOR_FAULTS_H

#include "exchange.h"

typedef enum FaultAction
{
	FAULT_STATUS,
	FAULT_CLOSE_UNREAD,
	FAULT_CLOSE_BEFORE,
	FAULT_CLOSE_AFTER,
	FAULT_STATUS_AFTER,
	FAULT_HANG,
	FAULT_HANG_AFTER,
	FAULT_DRIP,
	FAULT_TRUNCATE,
	FAULT_HUGE,
	FAULT_GARBAGE,
	FAULT_WRONG_TYPE,
	FAULT_EMPTY,
	FAULT_REDIRECT,
	FAULT_EXPIRE_TOKEN,
	FAULT_FORBIDDEN,
	FAULT_DELAY,
	FAULT_FAIL_MESSAGE,
	FAULT_PAD
} FaultAction;

typedef struct Fault Fault;

/* Seeds the dice of rules with a rate. */
extern void faults_seed(uint64_t seed);

/* Adds the rule that this object describes; returns what is wrong with it, or NULL. */
extern const char *fault_add(struct json_object *description);

extern void faults_remove_all(void);

/* Appends the rules with their hits, as a JSON array. */
extern void faults_write(struct printbuf *buffer);

/*
 * The first rule that hits this request, or NULL. A request is offered twice:
 * when its headers have arrived, and when all of it has; each rule knows to
 * which of the two moments it belongs.
 */
extern const Fault *fault_match(const Request *request, bool complete);

extern const char *fault_name(const Fault *fault);

/* Whether the API does what it was asked before the fault strikes. */
extern bool fault_takes_effect(const Fault *fault);

/* Damages the answer. */
extern void fault_apply(const Fault *fault, const Request *request, Answer *answer);

#endif
