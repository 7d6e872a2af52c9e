/*
 * store_news.h: what other nodes of a fleet have said, and waits.
 */
#ifndef REENGAGE_STORE_NEWS_H
#define REENGAGE_STORE_NEWS_H

/*
 * Tries again what could not be done, and lets go of what has passed.  Returns the
 * milliseconds until that is worth a look again; -1: when somebody tells.
 */
extern int	store_tend_news(void);

#endif
