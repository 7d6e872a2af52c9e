/*
 * control.h: the interface for tests, under /_sim/.
 */
#ifndef SIMULATOR_CONTROL_H
#define SIMULATOR_CONTROL_H

#include "exchange.h"

/* Whether the request is for control, and not for the simulated API. */
extern bool control_owns(const Request *request);

/* Does what was asked, and writes the answer. */
extern void control_answer(const Request *request, Answer *answer);

#endif
