{#- Each day that PostgreSQL has closed is here, and so is what it has closed of today;
    what is wrong, by row and column. -#}
SELECT R.NODE, R.DAY, R.STATE, R.COLUMNS_DIFFER, F.COLUMN_NAME, F.LINEAGE_ID, F.PLACE, F.FINDING
FROM {{ ref('reconciliation') }} R
LEFT JOIN {{ ref('reconciliation_rows') }} F ON F.NODE = R.NODE AND F.DAY = R.DAY
WHERE R.STATE NOT IN ('equal', 'equal so far', 'not closed') OR F.FINDING IS NOT NULL
