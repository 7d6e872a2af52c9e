/*
 * version.h: the version of reengage, which the build defines, and who every
 * request says it is from.
 */
#ifndef COURIER_VERSION_H
#define COURIER_VERSION_H

#ifndef REENGAGE_VERSION
#define REENGAGE_VERSION "unversioned"
#endif

#define USER_AGENT_HEADER "User-Agent: reengage/" REENGAGE_VERSION

#endif
