// What the simulator calls Genesys Cloud is what Genesys Cloud's SDK expects:
// login, the state of a conversation, agentless messages, tags, errors.
'use strict';

const sdk = require('purecloud-platform-client-v2');
const port = Number(process.argv[2]);
const client = sdk.ApiClient.instance;
const api = new sdk.ConversationsApi();
let tests = 0;
let failures = 0;

function is(got, wanted, name) {
  const same = JSON.stringify(got) === JSON.stringify(wanted);
  console.log(`${same ? 'ok' : 'not ok'} ${++tests} - ${name}`);
  if (same) return;
  failures++;
  console.log(`#   got:    ${JSON.stringify(got)}\n#   wanted: ${JSON.stringify(wanted)}`);
}

// The error that a promise is rejected with, in the SDK's shape.
async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return {};
}

function message(toAddress, changes) {
  return { fromAddress: '+13175559999', toAddress, toAddressMessengerType: 'sms', textBody: 'Hello',
    useExistingActiveConversation: false, ...changes };
}

async function send(...parts) {
  return (await api.postConversationsMessagesAgentless(message(...parts))).body;
}

// Looks at a conversation and returns its customer's communication.
async function customerOf(id) {
  const { body } = await api.getConversation(id);
  return body.participants.find((participant) => participant.purpose === 'customer').messages[0];
}

async function main() {
  client.config.live_reload_config = false;
  client.setReturnExtendedResponses(true);
  client.setGateway({ protocol: 'http', host: '127.0.0.1', port });

  const denied = await refusal(client.loginClientCredentialsGrant('demo', 'wrong'));
  is(denied.response && denied.response.status, 401, 'a wrong secret is refused');
  await client.loginClientCredentialsGrant('demo', 'secret');
  is(typeof client.authData.accessToken, 'string', 'login');

  const live = await customerOf('live-1');
  is([live.state, live.direction, live.type], ['connected', 'inbound', 'sms'], 'a live conversation');
  const closed = await api.getConversation('closed-1');
  is([closed.status, closed.body.id, typeof closed.body.endTime], [200, 'closed-1', 'string'], 'a closed one');
  const address = (await customerOf('closed-1')).fromAddress.addressNormalized;

  const created = await send(address);
  is(created.conversationId !== 'closed-1' && created.messengerType, 'sms', 'a message starts a conversation');
  is([created.message.id, created.message.status], [created.id, 'queued'], 'which has an id and a state');
  const overtaken = await refusal(send(address));
  is([overtaken.status, overtaken.body.message], [400, 'An active conversation is already in progress'],
    'a second one is refused, in the words of the API');
  const joined = await send(address, { useExistingActiveConversation: true });
  is(joined.conversationId, created.conversationId, 'unless it may go into the first');

  const tagged = await api.putConversationTags(created.conversationId, { externalTag: 'closed-1' });
  is(tagged.status, 204, 'a tag');

  const long = await refusal(send(address, { textBody: 'x'.repeat(766) }));
  is([long.status, long.body.code], [400, 'invalid.value'], 'a text that is too long');
  const gone = await refusal(api.getConversation('gone-1'));
  is([gone.status, gone.body.code, gone.body.status], [404, 'not.found', 404], 'a conversation that is not there');
  is(gone.headers['inin-correlation-id'], gone.body.contextId, 'an error names itself twice');
  client.setAccessToken('stale');
  const stale = await refusal(api.getConversation('live-1'));
  is([stale.status, stale.body.code], [401, 'bad.credentials'], 'a stale token');
}

main().then(() => {
  console.log(`1..${tests}`);
  process.exit(failures > 0 ? 1 : 0);
}, (error) => {
  console.log(`not ok ${tests + 1} - the SDK gave up: ${error && (error.stack || JSON.stringify(error))}`);
  process.exit(1);
});
