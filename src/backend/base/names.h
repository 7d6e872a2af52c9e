/*
 * names.h: of what CREATE EXTENSION makes.
 */
#ifndef REENGAGE_NAMES_H
#define REENGAGE_NAMES_H

#define REENGAGE_EXTENSION "reengage"	/* also of its schema and its wrapper */
#define INTERNAL_SCHEMA "reengage_internal"

#define OPERATOR_ROLE "reengage_operator"
#define WORKER_ROLE "reengage_worker"

#endif
