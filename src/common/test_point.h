/*
 * test_point.h: named places at which a test can kill the process.
 *
 * A promise about crashes is about edges: between a commit and what follows
 * it, between a reply and its record.  Signals from outside hit them by luck; a
 * test point is such an edge with a name.  Only "make TEST_POINTS=1" compiles
 * them in, and only in a copy of the tree: see test/faults/test_point.c, and
 * test/t/050_edges.t for what is expected at each of them.
 */
#ifndef REENGAGE_TEST_POINT_H
#define REENGAGE_TEST_POINT_H

#ifdef REENGAGE_TEST_POINTS

/* Kills this process if the point is armed and it is its turn; NULL: no point. */
extern void test_point(const char *name);

/* What the environment of a child must hold, so that its points can be armed too. */
extern char *test_point_variable(void);

#define TEST_POINT(name) test_point(name)
#define TEST_POINT_VARIABLE test_point_variable()

#else

#define TEST_POINT(name) ((void) 0)
#define TEST_POINT_VARIABLE NULL

#endif

#endif
