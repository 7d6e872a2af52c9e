--
-- Advisory locks, by which those who decide about a nudge wait for each other.
--
COMMENT ON FUNCTION reengage_internal.lock(text, text[]) IS
	'until the end of the transaction, or unlock(), the worker begins no call of a campaign (server, name), server (name), thread (server, root) or customer (address_hash); of those that lock an import (id), the imports of a campaign (server, campaign), a publication, what retention lets go, the tip (server, conversation) of a thread that gets a successor, news of some customers (stripe), or some threads of a campaign in which nudges supersede others (server, role, campaign, stripe), one waits for the other; a null in the key: nothing';
