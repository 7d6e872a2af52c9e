/*
 * wakes.c: what became due, as sessions tell it the worker.
 */
#include "base/wakes.h"

const Wakes wake_everybody = {.everybody = DT_NOBEGIN, .any = true};
const Wakes wake_nobody = {.everybody = DT_NOEND, .any = true};

void
wakes_init(Wakes *wakes)
{
	wakes->everybody = DT_NOEND;
	wakes->any = false;
	wakes->news = false;
	wakes->count = 0;
}

void
wakes_add_everybody(Wakes *wakes, TimestampTz due_at)
{
	wakes->any = true;
	wakes->everybody = Min(wakes->everybody, due_at);
}

void
wakes_add(Wakes *wakes, const Wake *wake)
{
	wakes->any = true;
	for (int i = 0; i < wakes->count; i++)
	{
		Wake	   *known = &wakes->list[i];

		if (strcmp(known->asker, wake->asker) != 0 || strcmp(known->server, wake->server) != 0)
			continue;
		known->priorities |= wake->priorities;
		known->due_at = Min(known->due_at, wake->due_at);
		return;
	}
	if (wakes->count < WAKES_MAX)
		wakes->list[wakes->count++] = *wake;
	else
		wakes_add_everybody(wakes, wake->due_at);
}

void
wakes_add_news(Wakes *wakes)
{
	wakes->any = true;
	wakes->news = true;
}

void
wakes_add_all(Wakes *wakes, const Wakes *more)
{
	wakes->news = wakes->news || more->news;
	if (more->any)
		wakes_add_everybody(wakes, more->everybody);
	for (int i = 0; i < more->count; i++)
		wakes_add(wakes, &more->list[i]);
}
