/*
 * circuit.c: see circuit.h.
 */
#include "circuit.h"

#include "retry.h"

#define FIRST_PAUSE_MS (5 * 1000)
#define LONGEST_PAUSE_MS (5 * 60 * 1000)

/*
 * A refusal may be that of a few recipients after all: whoever else comes must
 * not wait for long.
 */
#define LONGEST_REFUSED_MS (60 * 1000)

/* Of rests for which the API named no time. */
#define FIRST_REST_MS 1000
#define LONGEST_REST_MS (60 * 1000)

/* So far apart are the replies of calls that were on the wire together. */
#define SAME_REST_MS 2000

bool
circuit_is_closed(const Circuit *circuit)
{
	return circuit->cause == CIRCUIT_CLOSED;
}

bool
circuit_is_open(const Circuit *circuit, Monotonic now)
{
	return !monotonic_is_reached(circuit->until, now);
}

int
circuit_room(const Circuit *circuit, int most, int under_way, Monotonic now)
{
	if (circuit_is_open(circuit, now))
		return 0;
	return (circuit_is_closed(circuit) ? most : 1) - under_way;
}

static bool
is_resting(const Circuit *circuit, Monotonic now)
{
	return circuit->cause == CIRCUIT_RESTING && circuit_is_open(circuit, now);
}

/* A client that may look is not yet one that may send. */
bool
circuit_is_cure(Step refused, Step succeeded)
{
	return refused == STEP_CHECK || succeeded != STEP_CHECK;
}

/* Only the first of many that failed together lengthens the pause. */
static void
lengthen_pause(Circuit *circuit, CircuitCause cause, int64_t first_ms, int64_t longest_ms, Monotonic now)
{
	if (circuit->cause != cause)
		circuit->pause_ms = 0;
	else if (circuit_is_open(circuit, now))
		return;
	circuit->pause_ms = next_pause_ms(circuit->pause_ms, first_ms, longest_ms);
	circuit->until = monotonic_after(now, circuit->pause_ms);
}

static void
open_circuit(Circuit *circuit, CircuitCause cause, Step step)
{
	circuit->cause = cause;
	circuit->step = step;
}

bool
circuit_block(Circuit *circuit, CircuitCause cause, Step step, Monotonic now)
{
	/* and until when it has said itself */
	if (is_resting(circuit, now))
		return false;
	lengthen_pause(circuit, cause, FIRST_PAUSE_MS,
				   cause == CIRCUIT_REFUSED ? LONGEST_REFUSED_MS : LONGEST_PAUSE_MS, now);
	open_circuit(circuit, cause, step);
	return true;
}

bool
circuit_rest(Circuit *circuit, Step step, int64_t asked_ms, Monotonic now)
{
	bool		resting = is_resting(circuit, now);
	Monotonic	until = monotonic_after(now, asked_ms);
	bool		longer = !monotonic_is_reached(until, monotonic_after(circuit->until, SAME_REST_MS));

	/* once it was a POST, a look does not tell that it is over */
	if (circuit->cause == CIRCUIT_RESTING && circuit->step != STEP_CHECK)
		step = circuit->step;
	if (asked_ms <= 0)
		lengthen_pause(circuit, CIRCUIT_RESTING, FIRST_REST_MS, LONGEST_REST_MS, now);
	else
		circuit->until = resting ? monotonic_later(circuit->until, until) : until;
	open_circuit(circuit, CIRCUIT_RESTING, step);
	return !resting || (asked_ms > 0 && longer);
}

bool
circuit_note_failure(Circuit *circuit, int most, Monotonic now)
{
	if (most == 0 || ++circuit->failures < most || is_resting(circuit, now))
		return false;
	lengthen_pause(circuit, CIRCUIT_FAILING, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, now);
	open_circuit(circuit, CIRCUIT_FAILING, STEP_CHECK);
	return true;
}

bool
circuit_note_answer(Circuit *circuit, Step step, Monotonic now)
{
	circuit->failures = 0;
	/* what was on the wire when the API asked for a rest does not end it */
	if (circuit->cause == CIRCUIT_FAILING ||
		(circuit->cause == CIRCUIT_RESTING && circuit_is_cure(circuit->step, step) && !is_resting(circuit, now)))
		return circuit_close(circuit);
	return false;
}

bool
circuit_note_success(Circuit *circuit, Step step)
{
	if ((circuit->cause == CIRCUIT_REFUSED || circuit->cause == CIRCUIT_UNUSABLE) &&
		circuit_is_cure(circuit->step, step))
		return circuit_close(circuit);
	return false;
}

bool
circuit_try_again(Circuit *circuit)
{
	/* but what the API said stays said */
	if (circuit_is_closed(circuit) || circuit->cause == CIRCUIT_RESTING)
		return false;
	circuit->until = (Monotonic) {0};
	return true;
}

bool
circuit_close(Circuit *circuit)
{
	bool		was_closed = circuit_is_closed(circuit);

	*circuit = (Circuit) {CIRCUIT_CLOSED};
	return !was_closed;
}

void
circuit_inherit_rest(Circuit *circuit, Step step, Monotonic until)
{
	open_circuit(circuit, CIRCUIT_RESTING, step);
	circuit->until = until;
}

void
circuit_inherit_refusal(Circuit *circuit, Step step)
{
	open_circuit(circuit, CIRCUIT_REFUSED, step);
}
