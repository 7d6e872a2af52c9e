// A worker as a good engineer writes one by hand: batches claimed with SKIP LOCKED
// ahead of need, one statement that ends a batch of them, undici with connections
// that are kept.  It writes no intents: what a crash left claimed is claimed again
// after five minutes, and may be sent again.
import { Api, Outcomes, databasePool, message, outcomesQuery, takePart } from '../peer.mjs';

const table = `
  CREATE TABLE asks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, conversation_id text NOT NULL, message text NOT NULL,
    campaign text, due_at timestamptz NOT NULL DEFAULT now(), claimed_at timestamptz
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
  CREATE INDEX ON asks (due_at, id) WHERE claimed_at IS NULL;`;

const claim = `
  UPDATE asks a SET claimed_at = now()
  FROM (SELECT id FROM asks WHERE claimed_at IS NULL AND due_at <= now()
        ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED) c
  WHERE a.id = c.id RETURNING a.id, a.conversation_id, a.message, a.campaign`;

const release = `
  UPDATE asks SET claimed_at = NULL WHERE claimed_at < now() - interval '5 minutes'`;

const end = `
  WITH ended AS (DELETE FROM asks WHERE id = ANY ($1::bigint[]))
  INSERT INTO outcomes (nudge_id, outcome, requested_conversation_id, conversation_id, campaign, http_status)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])`;

// Rows that are claimed and not begun, so that no place is ever empty.
class Claims {
  constructor(pool, atOnce) {
    this.pool = pool;
    this.atOnce = atOnce;
    this.rows = [];
    this.claiming = undefined;
  }

  async refill() {
    const { rows } = await this.pool.query({ name: 'claim', text: claim, values: [this.atOnce] });
    this.rows.push(...rows.reverse());
    this.claiming = undefined;
    return rows.length;
  }

  async next() {
    if (this.rows.length <= this.atOnce / 2) this.claiming ??= this.refill();
    while (this.rows.length === 0) if (await (this.claiming ??= this.refill()) === 0 && this.rows.length === 0) return undefined;
    return this.rows.pop();
  }
}

async function work(nudges, inFlight) {
  const pool = databasePool(4);
  const api = new Api(inFlight);
  const claims = new Claims(pool, Math.max(200, 2 * inFlight));
  const outcomes = new Outcomes((batch) => pool.query(outcomesQuery(batch, end)));
  await pool.query(release);
  setInterval(() => pool.query(release), 60000).unref();

  // a place is free again when the API has answered: the outcome is written meanwhile
  async function place(writes) {
    for (let nudge; (nudge = await claims.next()) !== undefined;) writes.push(outcomes.add(await api.nudge(nudge)));
  }
  return async () => {
    const writes = [];
    await Promise.all(Array.from({ length: inFlight }, () => place(writes)));
    await Promise.all(writes);
    if (outcomes.recorded !== nudges) throw new Error(`${outcomes.recorded} outcomes of ${nudges} nudges`);
  };
}

await takePart({
  prepare: (pool) => pool.query(table),
  ask: (pool, prefix, nudges) => pool.query(
    'INSERT INTO asks (conversation_id, message, campaign) SELECT $1 || n, $2, $1 FROM generate_series(0, $3 - 1) n',
    [prefix, message, nudges]),
  work,
});
