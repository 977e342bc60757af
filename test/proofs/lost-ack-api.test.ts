/**
 * Every handler that writes, with its answer lost: the same request again leaves the rows that one request leaves. Lost in four
 * ways: on the wire; with the process, before the answer was kept under its Idempotency-Key; at the database, which had committed;
 * at Temporal, which had started what it was asked to. Events and customers take no key, and need none.
 */
import { contentOf } from './support/database-content.js';
import { Losses } from './support/losses.js';
import { LossyApi } from './support/lossy-api.js';
import type { Answer, Json, Request } from './support/lossy-api.js';
import { handlers } from './support/lossy-handlers.js';
import type { Handler } from './support/lossy-handlers.js';

const key = 'the-same-key';

// The ways to lose an answer -------------------------------------------------------------------------------------------

interface Sent {
  readonly api: LossyApi;
  readonly request: Request;
  readonly handler: Handler;
}
type Way = (sent: Sent) => Promise<void>;

/** A refusal that tells that it was done before is an answer, too. */
function expectDone({ status, body }: Answer): void {
  expect({ status, body: status < 300 || status === 409 ? '' : body }).toEqual({ status, body: '' });
}

const keyOf = ({ keyed }: Handler): string | null => (keyed ? key : null);

const freeKeys = `UPDATE idempotency_keys SET locked_until = now() - interval '1 second' WHERE response_status IS NULL`;

const untilAnswered =
  (loses: (call: string) => boolean): Way =>
  async ({ api, request, handler }) => {
    api.losses = new Losses(loses);
    const attempt = async (): Promise<void> => {
      const answer = await api.send(request, keyOf(handler));
      // A key whose request died is free after a while.
      await api.sql(freeKeys);
      if (answer.status >= 500 || answer.body.includes('IDEMPOTENCY_KEY_IN_FLIGHT')) throw new Error(answer.body);
      expectDone(answer);
    };
    await api.losses.untilDone('request', attempt, () => false);
  };

const ways: Readonly<Record<string, Way>> = {
  'on the wire': async ({ api, request, handler }) => {
    const first = await api.send(request, keyOf(handler));
    const second = await api.send(request, keyOf(handler));
    expectDone(second);
    if (handler.keyed) expect(second).toEqual(first);
  },
  'with the process': async ({ api, request, handler }) => {
    const first = await api.send(request, keyOf(handler));
    await api.sql('UPDATE idempotency_keys SET response_status = NULL, response_body = NULL, locked_until = now()');
    await api.sql(freeKeys);
    const second = await api.send(request, keyOf(handler));
    expectDone(second);
    if (handler.knowsItself === true) expect(second.status).toBe(first.status);
  },
  'at the database': untilAnswered((call) => !call.startsWith('temporal.')),
  'at Temporal': untilAnswered((call) => call.startsWith('temporal.')),
};

const once: Way = async ({ api, request, handler }) => {
  const { status, body } = await api.send(request, keyOf(handler));
  expect({ status, body: status < 300 ? '' : body }).toEqual({ status, body: '' });
};

/** What lost an acknowledgement, but for the keys. */
function lostCalls({ losses }: LossyApi): readonly string[] {
  const calls = [...(losses?.lost ?? [])].map((point) => {
    const [call = '', number = ''] = point.split(' ').slice(-2);
    return call === 'ledger.append' && number !== '1' ? `${call} ${number}` : call;
  });
  return [...new Set(calls)].filter((call) => !call.startsWith('idempotency.')).sort();
}

interface After {
  readonly content: Readonly<Record<string, readonly string[]>>;
  readonly lost: readonly string[];
}

/** What the database holds after a request; keys are control rows, and positions are used up by a repeated ingest. */
async function sentIn(way: Way, handler: Handler): Promise<After> {
  const api = await LossyApi.start();
  try {
    await handler.before(api);
    const leavingOut = { ...leaving, columns: [...leaving.columns, ...(handler.answers ?? [])] };
    const before = await contentOf(api.url, leavingOut);
    await way({ api, request: await handler.request(api), handler });
    await api.quiet();
    const content = await contentOf(api.url, leavingOut);
    expect(content).not.toEqual(before);
    return { content, lost: lostCalls(api) };
  } finally {
    await api.close();
  }
}
const leaving = {
  tables: ['idempotency_keys'],
  columns: ['position', 'cutoff_position', 'accumulated_position'],
};

/** Questions whose answer needs a body. */
const reading = ['POST /audit/anchors/verify'];

test('every handler that writes is here', async () => {
  const api = await LossyApi.start();
  try {
    const { paths } = (await api.routes()) as { paths: Readonly<Record<string, Json>> };
    const writing = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method))
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(writing.filter((route) => !reading.includes(route)).sort()).toEqual(Object.keys(handlers).sort());
  } finally {
    await api.close();
  }
});

const atTemporal = (call: string): boolean => call.startsWith('temporal.');
const lostIn: Readonly<Record<string, (handler: Handler) => readonly string[]>> = {
  'at the database': ({ writes }) => writes.filter((call) => !atTemporal(call)),
  'at Temporal': ({ writes }) => writes.filter(atTemporal),
};

describe.each(Object.entries(handlers))('%s', (_name, handler) => {
  let reference: After['content'];
  beforeAll(async () => {
    reference = (await sentIn(once, handler)).content;
  });

  test.each(Object.entries(ways))('its answer is lost %s', async (name, way) => {
    const { content, lost } = await sentIn(way, handler);
    expect(content).toEqual(reference);
    expect(lost).toEqual(lostIn[name]?.(handler) ?? []);
  });
});
