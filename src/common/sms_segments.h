/*
 * sms_segments.h: how long a text is as an SMS.
 *
 * What a person counts in characters leaves in segments of 140 bytes: seven
 * bits for each character if all are of the GSM alphabet, else sixteen.
 */
#ifndef REENGAGE_SMS_SEGMENTS_H
#define REENGAGE_SMS_SEGMENTS_H

#include <stdbool.h>

typedef struct SmsLength
{
	bool		is_gsm;			/* all of its characters are of the GSM alphabet */
	int			units;			/* septets, or UTF-16 units: some characters are two */
	int			segments;		/* 0: the text is empty */
} SmsLength;

/* Of valid UTF-8. */
extern SmsLength sms_length(const char *text);

/* How many units fit into so many segments of one message. */
extern int	sms_units_of(int segments, bool is_gsm);

#endif
