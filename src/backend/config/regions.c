/*
 * regions.c: the regions of Genesys Cloud, as its SDKs list them.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "config/regions.h"

typedef struct Region
{
	const char *name;
	const char *domain;
} Region;

static const Region regions[] = {
	{"us_east_1", "mypurecloud.com"},
	{"us_east_2", "use2.us-gov-pure.cloud"},
	{"us_west_2", "usw2.pure.cloud"},
	{"ca_central_1", "cac1.pure.cloud"},
	{"mx_central_1", "mxc1.pure.cloud"},
	{"sa_east_1", "sae1.pure.cloud"},
	{"eu_west_1", "mypurecloud.ie"},
	{"eu_west_2", "euw2.pure.cloud"},
	{"eu_central_1", "mypurecloud.de"},
	{"eu_central_2", "euc2.pure.cloud"},
	{"eusc_de_east_1", "edee1.eusc-pure.cloud"},
	{"me_central_1", "mec1.pure.cloud"},
	{"ap_south_1", "aps1.pure.cloud"},
	{"ap_southeast_1", "apse1.pure.cloud"},
	{"ap_southeast_2", "mypurecloud.com.au"},
	{"ap_northeast_1", "mypurecloud.jp"},
	{"ap_northeast_2", "apne2.pure.cloud"},
	{"ap_northeast_3", "apne3.pure.cloud"},
};

const char *
region_domain(const char *region)
{
	for (int i = 0; i < lengthof(regions); i++)
		if (strcmp(regions[i].name, region) == 0)
			return regions[i].domain;
	return NULL;
}

const char *
region_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(regions); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", regions[i].name);
	return names.data;
}
