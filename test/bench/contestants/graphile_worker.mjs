// graphile-worker, tuned as its documentation says: a local queue, and completions
// in batches.  More jobs than places are under way, so that none is empty while
// outcomes are written; a job is complete when its outcome is.  What a crash left
// locked is tried again by its own rules, and may be sent again.
import { run, runMigrations } from 'graphile-worker';
import { Api, Outcomes, databasePool, message, outcomesQuery, takePart } from '../peer.mjs';

const add = `
  SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
    SELECT json_populate_record(NULL::graphile_worker.job_spec, json_build_object('identifier', 'nudge', 'max_attempts', 12,
      'payload', json_build_object('conversation_id', $1 || n, 'message', $2::text, 'campaign', $1::text)))
    FROM generate_series($3::integer, $4::integer) n))`;

async function ask(pool, prefix, nudges) {
  for (let from = 0; from < nudges; from += 10000) {
    await pool.query(add, [prefix, message, from, Math.min(from + 10000, nudges) - 1]);
  }
}

async function work(nudges, inFlight) {
  const pool = databasePool(12);
  const api = new Api(inFlight);
  const outcomes = new Outcomes((batch) => pool.query(outcomesQuery(batch)));
  const quiet = { error: console.error, warning: console.error, info() {}, debug() {} };
  const { Logger } = await import('graphile-worker');
  const logger = new Logger(() => (level, words) => (quiet[level] ?? quiet.debug)(words));
  await pool.query('SELECT 1');

  return async () => {
    const runner = await run({
      pgPool: pool, logger, noHandleSignals: true,
      preset: {
        worker: {
          concurrentJobs: 2 * inFlight, localQueue: { size: Math.max(500, 4 * inFlight) },
          completeJobBatchDelay: 0, failJobBatchDelay: 0, pollInterval: 100,
        },
      },
      taskList: {
        nudge: async (payload, { job }) => outcomes.add(await api.nudge({ id: job.id, ...payload })),
      },
    });
    while (outcomes.recorded < nudges) await new Promise((resolve) => setTimeout(resolve, 5));
    await runner.stop();
  };
}

await takePart({
  prepare: (pool) => runMigrations({ pgPool: pool }),
  ask,
  work,
});
