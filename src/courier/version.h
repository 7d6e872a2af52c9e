/*
 * version.h: the version of reengage, which the build defines.
 */
#ifndef COURIER_VERSION_H
#define COURIER_VERSION_H

#ifndef REENGAGE_VERSION
#define REENGAGE_VERSION "unversioned"
#endif

#endif
