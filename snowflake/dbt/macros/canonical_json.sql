{#- The function CANONICAL_JSON: the leaves of a document, one a line (path=value),
    in the order of their code points.  White space, the order of keys and the scale
    of numbers mean nothing, so that text, JSON and VARIANT give the same. -#}

{#- Its name: it is in the schema of the target, wherever a model is. -#}
{% macro canonical_json_here() %}{{ return(target.database ~ '.' ~ target.schema ~ '.canonical_json') }}{% endmacro %}

{#- For on-run-start: makes it where models are made or asked. -#}
{% macro functions_there() %}
{%- if flags.WHICH in ('build', 'run', 'retry', 'test') %}{{ reengage.create_canonical_json() }}{% endif -%}
{% endmacro %}

{% macro create_canonical_json() %}{{ return(adapter.dispatch('create_canonical_json', 'reengage')()) }}{% endmacro %}

{% macro snowflake__create_canonical_json() -%}
CREATE OR REPLACE FUNCTION {{ reengage.canonical_json_here() }}(DETAIL VARIANT)
RETURNS VARCHAR
LANGUAGE JAVASCRIPT
STRICT
IMMUTABLE
COMMENT = 'a JSON document as the text that PostgreSQL hashes: its leaves, one a line, in order'
AS $$
{% raw -%}
function escaped(text) {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

// As "%.16e" in C.  Of two that are equally near C takes the even one, toExponential
// the greater.  They are equally near if x * 2^(17 - exponent) is odd: only then has x
// exactly one digit more.
function number(x) {
  if (x === 0) return 'd0.0000000000000000e+00';
  if (!isFinite(x)) return x > 0 ? 'dinf' : 'd-inf';
  var parts = x.toExponential(17).split('e'), more = 17 - Number(parts[1]);
  var tie = more > 0 && Math.abs(x) * Math.pow(2, more) % 2 === 1;
  if (tie && /[02468]5$/.test(parts[0])) parts[0] = parts[0].slice(0, -1);
  else parts = x.toExponential(16).split('e');
  return 'd' + parts[0] + 'e' + parts[1].charAt(0) + (parts[1].length < 3 ? '0' : '') + parts[1].slice(1);
}

// UTF-16 has the surrogates before U+E000, and code points beyond U+FFFF come last.
function place(unit) {
  return unit >= 0xE000 ? unit - 0x800 : unit >= 0xD800 ? unit + 0x2000 : unit;
}

function inOrder(a, b) {
  for (var i = 0; i < a.length && i < b.length; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return place(a.charCodeAt(i)) - place(b.charCodeAt(i));
  }
  return a.length - b.length;
}

var lines = [], open = [['', DETAIL]];
while (open.length) {
  var here = open.pop(), path = here[0], value = here[1];
  if (typeof value === 'string') lines.push(path + '=s' + escaped(value));
  else if (typeof value === 'number') lines.push(path + '=' + number(value));
  else if (typeof value === 'boolean') lines.push(path + '=' + value);
  else if (value === null || value === undefined) lines.push(path + '=null');
  else {
    // of an array, the places
    var keys = Object.keys(value);
    if (!keys.length) lines.push(path + '=' + (Array.isArray(value) ? '[]' : '{}'));
    for (var n = 0; n < keys.length; n++) {
      open.push([path + '/' + escaped(keys[n].replace(/~/g, '~0').replace(/\//g, '~1').replace(/=/g, '~2')), value[keys[n]]]);
    }
  }
}
return lines.sort(inOrder).join('\n');
{%- endraw %}
$$
{%- endmacro %}

{% macro duckdb__create_canonical_json() -%}
CREATE OR REPLACE MACRO {{ reengage.canonical_json_here() }}(detail) AS (
  WITH RECURSIVE nodes(path, value) AS (
    SELECT '', detail::JSON
    UNION ALL
    SELECT n.path || '/' || replace(replace(replace(replace(replace(e.key::VARCHAR, '~', '~0'), '/', '~1'), '=', '~2'), '\', '\\'), chr(10), '\n'),
           e.value
    FROM nodes n, json_each(n.value) e
    WHERE json_type(n.value) IN ('OBJECT', 'ARRAY')
  ),
  leaves AS (
    SELECT path, json_type(value) AS type, value::VARCHAR AS said, json_extract_string(value, '$') AS text
    FROM nodes
    WHERE json_type(value) NOT IN ('OBJECT', 'ARRAY') OR NOT EXISTS (SELECT 1 FROM json_each(value))
  )
  SELECT string_agg(line, chr(10) ORDER BY line)
  FROM (
    SELECT path || '=' || CASE type
      WHEN 'VARCHAR' THEN 's' || replace(replace(text, '\', '\\'), chr(10), '\n')
      WHEN 'BOOLEAN' THEN said WHEN 'NULL' THEN 'null' WHEN 'OBJECT' THEN '{}' WHEN 'ARRAY' THEN '[]'
      ELSE 'd' || format('{:.16e}', 0.0::DOUBLE + said::DOUBLE) END AS line
    FROM leaves
  )
)
{%- endmacro %}
