/** What the CloudEvents SDK sends is taken, in each mode that it has: senders do not write the notation themselves. */
import { CloudEvent, type CloudEventV1, HTTP, type Message } from 'cloudevents';
import { exampleOfAllTests } from './support/test-api.js';

const api = exampleOfAllTests();

const event = (id: string, more: Partial<CloudEventV1<unknown>> = {}): CloudEvent<unknown> =>
  new CloudEvent<unknown>({
    id,
    source: '/sdk',
    type: 'api_call',
    subject: 'cust_1',
    time: '2024-01-15T10:00:00.123Z',
    data: { region: 'eu', bytes: 12.5 },
    ...more,
  });

async function send({ headers, body }: Message): Promise<unknown> {
  const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  return api.expect(202, 'POST', '/events', body, sent);
}

const stored = (id: string): Promise<unknown> => api.expect(200, 'GET', `/events/cust_1/${id}?source=%2Fsdk`);

test.each([
  ['binary', HTTP.binary],
  ['structured', HTTP.structured],
])('%s', async (mode, encode) => {
  const sent = event(`sdk-${mode}`, { requestid: 'r-1' });
  expect(await send(encode(sent))).toMatchObject({ accepted: 1, duplicates: 0, rejected: 0 });
  expect(await stored(sent.id)).toMatchObject({
    event_type: 'api_call',
    event_time: '2024-01-15T10:00:00.123000Z',
    metadata: { region: 'eu', bytes: 12.5 },
    request_id: 'r-1',
  });
  // The other mode sends the same event.
  const other = mode === 'binary' ? HTTP.structured : HTTP.binary;
  expect(await send(other(sent))).toMatchObject({ accepted: 0, duplicates: 1 });
});

test('a batch of its events, as its own JSON', async () => {
  const batch = [event('sdk-batch-1'), event('sdk-batch-2')];
  const headers = { 'content-type': 'application/cloudevents-batch+json' };
  expect(await send({ headers, body: JSON.stringify(batch) })).toMatchObject({ accepted: 2 });
  expect(await stored('sdk-batch-2')).toMatchObject({ metadata: { bytes: 12.5 } });
});

test('an event without data', async () => {
  const bare = new CloudEvent({
    id: 'sdk-bare',
    source: '/sdk',
    type: 'api_call',
    subject: 'cust_1',
    time: '2024-01-15T10:00:00Z',
  });
  expect(await send(HTTP.structured(bare))).toMatchObject({ accepted: 1 });
  expect(await stored('sdk-bare')).toMatchObject({ metadata: {} });
});
