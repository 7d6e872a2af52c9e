-- The story of one nudge: :'nudge'.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SELECT 'asked   ', n.requested_at, n.conversation_id, n.when_closed, 'due', n.due_at, 'expires', n.expires_at
FROM reengage.nudges n WHERE n.nudge_id = :'nudge';
SELECT what FROM (
	SELECT i.recorded_at AS at, format('intent   %s %s %s token %s', i.recorded_at, i.step, i.conversation_id, i.fencing_token) AS what
	FROM faults.intents i WHERE i.nudge_id = :'nudge'
	UNION ALL
	SELECT p.arrived, format('request  %s %s %s: status %s, fault %s', p.arrived, p.verb, p.asked_id, p.status, coalesce(p.fault, '-'))
	FROM faults.posts p WHERE p.nudge_id = :'nudge'
	UNION ALL
	SELECT to_timestamp(e.happened_us / 1e6), format('effect   %s %s %s after %s', to_timestamp(e.happened_us / 1e6), e.effect, e.conversation_id, coalesce(e.previous_id, '-'))
	FROM faults.effects e WHERE e.nudge_id = :'nudge'
	UNION ALL
	SELECT l.recorded_at, format('lineage  %s %s, reason %s, step %s, %s after %s, root %s, generation %s, attempts %s', l.recorded_at, l.outcome,
		coalesce(l.reason, '-'), coalesce(l.step, '-'), l.conversation_id, coalesce(l.previous_conversation_id, '-'),
		l.root_conversation_id, l.generation, l.attempts)
	FROM reengage.lineage l WHERE l.nudge_id = :'nudge'
	UNION ALL
	SELECT k.begun, format('kill     %s %s', k.begun, k.kind)
	FROM faults.kills k
	WHERE k.begun BETWEEN (SELECT min(i.recorded_at) - interval '1 s' FROM faults.intents i WHERE i.nudge_id = :'nudge')
	                  AND (SELECT max(l.recorded_at) + interval '1 s' FROM reengage.lineage l WHERE l.nudge_id = :'nudge' AND l.resolves IS NULL)
) AS story ORDER BY at;
SELECT 'due     ', d.* FROM reengage.due d WHERE d.nudge_id = :'nudge';
-- what leads to the conversations that it names, and from them
SELECT 'follows ', l.recorded_at, l.conversation_id, 'after', l.previous_conversation_id, l.outcome, coalesce(l.reason, '-'),
	'root', l.root_conversation_id, 'generation', l.generation
FROM reengage.lineage l
WHERE l.previous_conversation_id IS NOT NULL AND EXISTS (
	SELECT FROM reengage.lineage o WHERE o.nudge_id = :'nudge'
	  AND ARRAY[l.conversation_id, l.previous_conversation_id] && ARRAY[o.requested_conversation_id, o.root_conversation_id, o.conversation_id])
ORDER BY l.lineage_id LIMIT 20;
