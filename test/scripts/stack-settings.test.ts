import { evaluate } from '../support/evaluate.js';

const settings = (given: object): Promise<Readonly<Record<string, string>>> =>
  evaluate("return (await load('scripts/lib/stack.mjs')).settingsUnder(input)", given);
const toExport = (url: string): Promise<string | null> =>
  evaluate("return (await load('scripts/lib/stack.mjs')).urlToExport(input)", url);

test('what is given holds; a seller of one’s own is not printed over the address of the example’s', async () => {
  expect(await settings({ LOG_LEVEL: 'warn' })).toMatchObject({
    RECKONER_SELLER_NAME: 'Reckoner Local Ltd',
    RECKONER_SELLER_ADDRESS: '1 Example Street, Example City',
    LOG_LEVEL: 'warn',
  });
  const named = await settings({ RECKONER_SELLER_NAME: 'Acme' });
  expect(named).toMatchObject({ RECKONER_SELLER_NAME: 'Acme', RECKONER_RELAY_TICK: 'PT0.25S' });
  expect(named).not.toHaveProperty('RECKONER_SELLER_ADDRESS');
  const whole = { RECKONER_SELLER_NAME: 'Acme', RECKONER_SELLER_ADDRESS: '2 High Street' };
  expect(await settings(whole)).toMatchObject(whole);
});

test('where the API is has to be told only when it is on another port than the command line expects', async () => {
  expect(await toExport('http://127.0.0.1:8080')).toBeNull();
  expect(await toExport('http://127.0.0.1:9090')).toBe('export RECKONER_URL=http://127.0.0.1:9090');
});
