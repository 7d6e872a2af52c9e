/*
 * api.h: the contract that the simulator speaks.
 */
#ifndef SIMULATOR_API_H
#define SIMULATOR_API_H

#include "exchange.h"

/* Does what was asked, if it is allowed, and writes the answer. */
extern void api_answer(Request *request, Answer *answer);

#endif
