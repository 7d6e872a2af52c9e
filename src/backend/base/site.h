/*
 * site.h: where this server runs, for the fence.
 */
#ifndef REENGAGE_SITE_H
#define REENGAGE_SITE_H

/*
 * A name of this site: of reengage.instance_key where it is set, else of the
 * machine and the data directory.  A hash, so that neither is told; allocated
 * in the current memory context.
 */
extern const char *site_name(void);

/* The timeline of the WAL that is written here; of a standby, that it replays. */
extern int32 site_timeline(void);

#endif
