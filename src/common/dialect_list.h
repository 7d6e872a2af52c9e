/*
 * dialect_list.h: the dialects, one row for each: DIALECT(name, traits...).
 *
 * What a dialect may and must is a member of DialectTraits that is set here; how
 * it spells its calls is "dialect_NAME" in courier/dialect_NAME.c.
 *
 * Included for its rows, by whoever defines DIALECT(), so it has no guard.
 */
DIALECT(messaging,
		.title = "the API",
		.proactive_channels = "sms,whatsapp,open,apple,email",
		.has_keys = true)
DIALECT(genesys_cloud,
		.title = "Genesys Cloud",
		.proactive_channels = "sms,whatsapp,open,apple",
		.never_initiates = "email",
		.has_regions = true,
		.tags_lineage = true,
		.notifies_addresses = true,
		/* the 765 characters of its documents */
		.sms_segments_max = 5,
		.text_max = 2000)
