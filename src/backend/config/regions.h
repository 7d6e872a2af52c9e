/*
 * regions.h: the regions of Genesys Cloud.
 */
#ifndef REENGAGE_REGIONS_H
#define REENGAGE_REGIONS_H

/* The domain of a region, of which api. and login. are the hosts; NULL: there is none such. */
extern const char *region_domain(const char *region);

/* All names, separated by commas. */
extern const char *region_names(void);

#endif
