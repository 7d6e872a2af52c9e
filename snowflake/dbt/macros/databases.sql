{#- What Snowflake and DuckDB say differently.  A macro NAME is written twice:
    snowflake__NAME is what the files beside this folder have, duckdb__NAME what the
    tests run. -#}

{#- The type that a column of this type in PostgreSQL has here. -#}
{% macro sql_type(postgres) %}{{ return(adapter.dispatch('sql_type', 'reengage')(postgres)) }}{% endmacro %}

{% macro snowflake__sql_type(postgres) %}
{{ return({'uuid': 'VARCHAR', 'text': 'VARCHAR', 'integer': 'NUMBER(38, 0)', 'bigint': 'NUMBER(38, 0)',
           'timestamptz': 'TIMESTAMP_TZ', 'jsonb': 'VARIANT'}[postgres]) }}
{% endmacro %}

{% macro duckdb__sql_type(postgres) %}
{{ return({'uuid': 'VARCHAR', 'text': 'VARCHAR', 'integer': 'BIGINT', 'bigint': 'BIGINT',
           'timestamptz': 'TIMESTAMPTZ', 'jsonb': 'JSON'}[postgres]) }}
{% endmacro %}

{#- A time with a zone as a time in UTC without one. -#}
{% macro in_utc(time) %}{{ return(adapter.dispatch('in_utc', 'reengage')(time)) }}{% endmacro %}

{% macro snowflake__in_utc(time) %}{{ return("CONVERT_TIMEZONE('UTC', " ~ time ~ ")::TIMESTAMP_NTZ") }}{% endmacro %}

{% macro duckdb__in_utc(time) %}{{ return("TIMEZONE('UTC', " ~ time ~ ")") }}{% endmacro %}

{#- The day of a time without a zone. -#}
{% macro day_of(time) %}{{ return(adapter.dispatch('day_of', 'reengage')(time)) }}{% endmacro %}

{% macro snowflake__day_of(time) %}{{ return('TO_DATE(' ~ time ~ ')') }}{% endmacro %}

{% macro duckdb__day_of(time) %}{{ return('CAST(' ~ time ~ ' AS DATE)') }}{% endmacro %}

{#- A time so many hours later. -#}
{% macro hours_after(hours, time) %}{{ return(adapter.dispatch('hours_after', 'reengage')(hours, time)) }}{% endmacro %}

{% macro snowflake__hours_after(hours, time) %}{{ return('DATEADD(HOUR, ' ~ hours ~ ', ' ~ time ~ ')') }}{% endmacro %}

{% macro duckdb__hours_after(hours, time) %}{{ return('(' ~ time ~ ' + INTERVAL (' ~ hours ~ ') HOUR)') }}{% endmacro %}

{#- Now, less so many days. -#}
{% macro days_ago(days) %}{{ return(adapter.dispatch('days_ago', 'reengage')(days)) }}{% endmacro %}

{% macro snowflake__days_ago(days) %}{{ return('DATEADD(DAY, -' ~ days ~ ', CURRENT_TIMESTAMP())') }}{% endmacro %}

{% macro duckdb__days_ago(days) %}{{ return('(NOW() - INTERVAL (' ~ days ~ ') DAY)') }}{% endmacro %}

{#- Microseconds since 1970 of a time. -#}
{% macro microseconds(time) %}{{ return(adapter.dispatch('microseconds', 'reengage')(time)) }}{% endmacro %}

{% macro snowflake__microseconds(time) %}{{ return('DATE_PART(EPOCH_MICROSECOND, ' ~ time ~ ')') }}{% endmacro %}

{% macro duckdb__microseconds(time) %}{{ return('EPOCH_US(' ~ time ~ ')') }}{% endmacro %}

{#- The time of so many milliseconds since 1970. -#}
{% macro time_of_milliseconds(number) %}
{{ return(adapter.dispatch('time_of_milliseconds', 'reengage')(number)) }}
{% endmacro %}

{% macro snowflake__time_of_milliseconds(number) %}{{ return('TO_TIMESTAMP_LTZ(' ~ number ~ ', 3)') }}{% endmacro %}

{% macro duckdb__time_of_milliseconds(number) %}{{ return('MAKE_TIMESTAMPTZ(' ~ number ~ ' * 1000)') }}{% endmacro %}

{#- JSON of its text. -#}
{% macro json_of(text) %}{{ return(adapter.dispatch('json_of', 'reengage')(text)) }}{% endmacro %}

{% macro snowflake__json_of(text) %}{{ return('PARSE_JSON(' ~ text ~ ')') }}{% endmacro %}

{% macro duckdb__json_of(text) %}{{ return('CAST(' ~ text ~ ' AS JSON)') }}{% endmacro %}

{#- A member of a JSON object, as a type of PostgreSQL. -#}
{% macro json_member(object, name, postgres) %}
{{ return(adapter.dispatch('json_member', 'reengage')(object, name, postgres)) }}
{% endmacro %}

{% macro snowflake__json_member(object, name, postgres) %}
{{ return(object ~ ':' ~ name ~ '::' ~ reengage.sql_type(postgres)) }}
{% endmacro %}

{% macro duckdb__json_member(object, name, postgres) %}
{{ return('(' ~ object ~ "->>'" ~ name ~ "')::" ~ reengage.sql_type(postgres)) }}
{% endmacro %}

{#- The lowest bits, 63 at most, of the MD5 of a text, as a number. -#}
{% macro md5_low_bits(text, bits) %}{{ return(adapter.dispatch('md5_low_bits', 'reengage')(text, bits)) }}{% endmacro %}

{% macro snowflake__md5_low_bits(text, bits) %}
{{ return('BITAND(MD5_NUMBER_LOWER64(' ~ text ~ '), ' ~ (2 ** bits - 1) ~ ')') }}
{% endmacro %}

{% macro duckdb__md5_low_bits(text, bits) %}
{{ return("(('0x' || SUBSTR(MD5(" ~ text ~ "), 17, 16))::UBIGINT & " ~ (2 ** bits - 1) ~ ')::BIGINT') }}
{% endmacro %}
