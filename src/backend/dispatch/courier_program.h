/*
 * courier_program.h: which program a courier is, and becoming it.
 *
 * It lies beside the library, and has its version in its name: a newer one may
 * have been installed since the server was started, and that one speaks another
 * protocol.  What has been installed may also be gone.
 */
#ifndef REENGAGE_COURIER_PROGRAM_H
#define REENGAGE_COURIER_PROGRAM_H

#include "postgres.h"

/*
 * While the library is preloaded: keeps the program open, so that all processes
 * of this server can start it when its file is gone.
 */
extern void courier_program_keep(void);

/* Its path; false, with errno: it cannot be started. */
extern bool courier_program_find(char path[MAXPGPATH]);

/*
 * In a child: becomes the program, which inherits no descriptor but 0, 1 and 2;
 * 1 and 2 are /dev/null.  Returns when that fails.  Only async-signal-safe calls.
 */
extern void courier_program_become(const char *path, char *const *environment);

#endif
