// pg-boss, tuned as its documentation says: several workers, each of which fetches
// a full batch again at once.  More jobs than places are under way, so that fewer
// are empty while a batch is completed.  It watches, as by default, for jobs whose
// worker has died; they are tried again, and may be sent again.
import { PgBoss } from 'pg-boss';
import { Api, Outcomes, database, databasePool, message, outcomesQuery, takePart } from '../peer.mjs';

const queue = 'nudges';

async function started(connections, supervise = false) {
  const boss = new PgBoss({ ...database, max: connections, supervise, schedule: false });
  boss.on('error', (error) => { throw error; });
  await boss.start();
  return boss;
}

async function ask(pool, prefix, nudges) {
  const boss = await started(1);
  for (let from = 0; from < nudges; from += 5000) {
    await boss.insert(queue, Array.from({ length: Math.min(5000, nudges - from) },
      (_, n) => ({ data: { conversation_id: `${prefix}${from + n}`, message, campaign: prefix } })));
  }
  await boss.stop();
}

async function work(nudges, inFlight) {
  const pool = databasePool(4);
  const api = new Api(inFlight);
  const outcomes = new Outcomes((batch) => pool.query(outcomesQuery(batch)));
  const workers = 8;
  const boss = await started(workers + 2, true);
  await pool.query('SELECT 1');

  return async () => {
    await boss.work(queue, {
      batchSize: 2 * inFlight / workers, localConcurrency: workers, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5,
    }, (jobs) => Promise.all(jobs.map(async ({ id, data }) => outcomes.add(await api.nudge({ id, ...data })))));
    while (outcomes.recorded < nudges) await new Promise((resolve) => setTimeout(resolve, 5));
    await boss.stop({ graceful: true });
  };
}

await takePart({
  prepare: async () => {
    const boss = await started(1);
    await boss.createQueue(queue);
    await boss.stop();
  },
  ask,
  work,
});
