/*
 * cloud.h: the published Genesys Cloud API, over the same conversations.
 */
#ifndef SIMULATOR_CLOUD_H
#define SIMULATOR_CLOUD_H

#include "exchange.h"

/* Finds what conversation an agentless message is for, which its address says. */
extern void cloud_find_conversation(Request *request);

extern void cloud_check(const Request *request, Answer *answer);
extern void cloud_tag(const Request *request, Answer *answer);
extern void cloud_send(const Request *request, Answer *answer);

/* Forgets who is in which conversation. */
extern void cloud_forget(void);

#endif
