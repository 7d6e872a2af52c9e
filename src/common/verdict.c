/*
 * verdict.c: see verdict.h.
 */
#include "verdict.h"

Verdict
verdict_allow(void)
{
	return (Verdict) {.kind = VERDICT_ALLOW};
}

Verdict
verdict_end(Outcome outcome, const char *reason)
{
	return (Verdict) {.kind = VERDICT_END, .outcome = outcome, .reason = reason};
}

Verdict
verdict_wait(VerdictKind kind, int64_t until, Hold hold)
{
	return (Verdict) {.kind = kind, .until = until, .hold = hold};
}

/* What it waits for, whether or not it is looked at before. */
static int64_t
end_of_hold(Verdict verdict)
{
	return verdict.shown_until != 0 ? verdict.shown_until : verdict.until;
}

Verdict
verdict_stricter(Verdict one, Verdict other)
{
	if (one.kind == VERDICT_END || other.kind == VERDICT_ALLOW)
		return one;
	if (other.kind == VERDICT_END || one.kind == VERDICT_ALLOW)
		return other;
	return end_of_hold(other) > end_of_hold(one) ? other : one;
}
