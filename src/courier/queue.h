/*
 * queue.h: the calls that wait for a server, in their order.
 */
#ifndef COURIER_QUEUE_H
#define COURIER_QUEUE_H

#include "call.h"

/* Behind all that are as urgent. */
extern void queue_put(Call **first, Call *call);

/*
 * Before all that were not tried as often: a token that is good for few calls
 * must not be used up by others each time.
 */
extern void queue_put_again(Call **first, Call *call);

/* Takes out the first one; there is one. */
extern Call *queue_take(Call **first);

#endif
