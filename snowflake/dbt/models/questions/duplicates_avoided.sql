-- Who sends blindly starts another session from the conversation that the
-- application still has, sends again when no answer came, and starts a session
-- beside the one that the customer is in by now.
SELECT {{ reengage.day_of('ENDED_AT') }} AS DAY, SERVER,
       COUNT_IF(IS_SENT AND API_CALLS_SAVED > 0) AS LED_TO_THE_NEWEST_SESSION,
       COUNT_IF(IS_SENT AND COALESCE(REASON, '-') LIKE 'joined%') AS JOINED_THE_CUSTOMERS_SESSION,
       COUNT_IF(WAS_IN_DOUBT) AS NOT_REPEATED_ON_DOUBT,
       COUNT_IF(OUTCOME = 'resolved_sent') AS OF_THESE_HAD_BEEN_SENT,
       COUNT_IF(IS_SENT AND API_CALLS_SAVED > 0 AND STEP = 'notify' AND COALESCE(REASON, '-') NOT LIKE 'joined%')
         AS NEWEST_SESSION_WAS_LIVE,
       COUNT_IF(OUTCOME = 'cancelled' AND COALESCE(REASON, '-') = 'superseded') AS REPLACED_BY_A_NEWER_NUDGE
FROM {{ ref('nudges') }}
GROUP BY {{ reengage.day_of('ENDED_AT') }}, SERVER
