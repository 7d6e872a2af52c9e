/*
 * opt_out.h: whether a refusal says that the recipient wants no messages.
 */
#ifndef COURIER_OPT_OUT_H
#define COURIER_OPT_OUT_H

#include <stdbool.h>

/*
 * True if the code or the message of a refusal (NULL: there is none) says so,
 * certainly and of the recipient: an opt-out suppresses an address, so a "may
 * have", a "not" or a blocked server must not be taken for one.  "more_words"
 * are the operator's own: codes, words or phrases, separated by commas; NULL:
 * none.
 */
extern bool opt_out_is_said(const char *code, const char *message, const char *more_words);

#endif
