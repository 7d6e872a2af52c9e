// What the peers that are written for Node have in common: the calls to the API,
// the recording of outcomes, and how the contest drives them:
//
//   node PEER.mjs prepare                    make tables
//   node PEER.mjs ask PREFIX NUDGES          ask for nudges
//   node PEER.mjs work NUDGES IN_FLIGHT      say "ready"; at "go" send all of them;
//                                            say "done"; end with the input
//
// PEER_DATABASE and PEER_SOCKETS say where the database is, PEER_API where the API is.
import pg from 'pg';
import readline from 'node:readline';
import { Pool as HttpPool } from 'undici';

const conversations = '/api/v2/conversations/messaging';
const json = { 'content-type': 'application/json' };
export const message = 'Are you still there?';

export const database = {
  host: process.env.PEER_SOCKETS,
  database: process.env.PEER_DATABASE,
  user: process.env.PEER_USER,
};

export function databasePool(connections) {
  const pool = new pg.Pool({ ...database, max: connections });
  const fail = (error) => { throw error; };
  pool.on('error', fail);
  pool.on('connect', (client) => client.on('error', fail));
  return pool;
}

// The quickest way that undici offers: its streams cost half of a request.
class Answer {
  constructor(resolve, reject, request) {
    Object.assign(this, { resolve, reject, request, text: '' });
  }

  onRequestStart() {}

  onResponseStart(controller, status) {
    this.status = status;
  }

  onResponseData(controller, chunk) {
    this.text += chunk;
  }

  onResponseEnd() {
    if (this.status >= 300) this.reject(new Error(`${this.request.method} ${this.request.path}: ${this.status}`));
    else this.resolve({ status: this.status, body: JSON.parse(this.text) });
  }

  onResponseError(controller, error) {
    this.reject(error);
  }
}

// One nudge: look, then notify, or create a session.  At most so many requests are
// on the wire as the pool has connections.
export class Api {
  constructor(inFlight) {
    this.pool = new HttpPool(process.env.PEER_API, { connections: inFlight, pipelining: 1 });
  }

  request(method, path, body) {
    const request = { method, path, headers: body && json, body: body && JSON.stringify(body) };
    return new Promise((resolve, reject) => {
      this.pool.dispatch(request, new Answer(resolve, reject, request));
    });
  }

  async nudge({ id, conversation_id, message, campaign }) {
    const seen = await this.request('GET', `${conversations}/${conversation_id}`);
    const live = seen.body.status === 'active' || seen.body.status === 'ringing';
    const said = live
      ? await this.request('POST', `${conversations}/${conversation_id}/notifications`, { text: message })
      : await this.request('POST', conversations, {
        to: { address: seen.body.from.address }, channel: seen.body.channel, text: message,
        metadata: { previousConversationId: conversation_id },
      });
    return {
      id, campaign, requested: conversation_id, status: said.status,
      outcome: live ? 'notified' : 'session_created',
      conversation: live ? conversation_id : said.body.id,
    };
  }
}

export const outcomesTable = `
  CREATE TABLE outcomes (
    nudge_id text PRIMARY KEY, outcome text NOT NULL, requested_conversation_id text NOT NULL,
    conversation_id text NOT NULL, campaign text, http_status integer,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE INDEX ON outcomes (conversation_id);`;

const insertOutcomes = `
  INSERT INTO outcomes (nudge_id, outcome, requested_conversation_id, conversation_id, campaign, http_status)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])`;

export function outcomesQuery(batch, text = insertOutcomes) {
  const columns = ['id', 'outcome', 'requested', 'conversation', 'campaign', 'status'];
  return { name: text.slice(0, 40).trim(), text, values: columns.map((name) => batch.map((outcome) => outcome[name])) };
}

// Group commit: what ends while one batch is being written is the next.
export class Outcomes {
  constructor(write) {
    this.write = write;
    this.recorded = 0;
    this.waiting = [];
    this.writing = false;
  }

  add(outcome) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ outcome, resolve, reject });
      this.flush();
    });
  }

  async flush() {
    if (this.writing) return;
    this.writing = true;
    // let all that ended in this turn of the loop come along
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, 1000);
      try {
        await this.write(batch.map(({ outcome }) => outcome));
        this.recorded += batch.length;
        batch.forEach(({ resolve }) => resolve());
      } catch (error) {
        batch.forEach(({ reject }) => reject(error));
      }
    }
    this.writing = false;
  }
}

async function work(run, nudges, inFlight) {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const begin = await run(nudges, inFlight);
  console.log('ready');
  if ((await lines.next()).done) return;
  await begin();
  console.log('done');
  while (!(await lines.next()).done);
}

async function ask(enqueue, prefix, nudges) {
  const pool = databasePool(1);
  await enqueue(pool, prefix, nudges);
  await pool.end();
}

async function prepare(make) {
  const pool = databasePool(1);
  await make(pool);
  await pool.query(outcomesTable);
  await pool.end();
}

// The main program of a peer.
export async function takePart({ prepare: make, ask: enqueue, work: run }) {
  const [mode, ...rest] = process.argv.slice(2);
  if (mode === 'prepare') await prepare(make);
  else if (mode === 'ask') await ask(enqueue, rest[0], Number(rest[1]));
  else if (mode === 'work') await work(run, Number(rest[0]), Number(rest[1]));
  else throw new Error('usage: PEER prepare | ask PREFIX NUDGES | work NUDGES IN_FLIGHT');
  process.exit(0);
}
