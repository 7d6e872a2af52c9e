-- Which conversations are one customer's.  A thread belongs to the customers whose
-- address it names, and threads that share a conversation belong together, too.
-- The customer is named by the first of the roots, in the order of their letters.
--
-- Each round brings that name one thread further: a chain of more threads than there
-- are rounds would fall apart, which the test customers_are_whole finds.
WITH KEYS AS (
  SELECT SERVER, ROOT_CONVERSATION_ID, 'conversation ' || CONVERSATION_ID AS SHARED
  FROM {{ ref('conversations') }}
  UNION
  SELECT SERVER, ROOT_CONVERSATION_ID, 'address ' || ADDRESS_HASH
  FROM {{ ref('lineage') }}
  WHERE ADDRESS_HASH IS NOT NULL
),
ROUND_0 AS (
  SELECT SERVER, ROOT_CONVERSATION_ID, SHARED, ROOT_CONVERSATION_ID AS CUSTOMER
  FROM KEYS
),
{%- for n in range(1, 5) %}
MET_{{ n }} AS (
  SELECT SERVER, ROOT_CONVERSATION_ID, SHARED, MIN(CUSTOMER) OVER (PARTITION BY SERVER, SHARED) AS CUSTOMER
  FROM ROUND_{{ n - 1 }}
),
ROUND_{{ n }} AS (
  SELECT SERVER, ROOT_CONVERSATION_ID, SHARED,
         MIN(CUSTOMER) OVER (PARTITION BY SERVER, ROOT_CONVERSATION_ID) AS CUSTOMER
  FROM MET_{{ n }}
){{ "," if not loop.last }}
{%- endfor %}
SELECT C.SERVER, C.CONVERSATION_ID, MIN(R.CUSTOMER) AS CUSTOMER
FROM {{ ref('conversations') }} C
JOIN (SELECT DISTINCT SERVER, ROOT_CONVERSATION_ID, CUSTOMER FROM ROUND_4) R
  ON R.SERVER = C.SERVER AND R.ROOT_CONVERSATION_ID = C.ROOT_CONVERSATION_ID
GROUP BY C.SERVER, C.CONVERSATION_ID
