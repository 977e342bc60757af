/** Anchoring: sealed, signed, and on disk outside the database; again after a crash, and without a key. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anchorAudit } from '../../src/activities/anchor-audit.js';
import type { AnchorOutput } from '../../src/contracts/activities.js';
import { parseAnchor } from '../../src/domain/audit/anchors.js';
import type { Anchor } from '../../src/domain/audit/anchors.js';
import { newAuditKey } from '../../src/storage/audit-hashes.js';
import { connect } from '../storage/audit-fixture.js';
import { createActivityFixture, issuedAt, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

let fixture: ActivityFixture;
let folder: string;
beforeEach(async () => {
  [fixture, folder] = await Promise.all([createActivityFixture(), mkdtemp(join(tmpdir(), 'reckoner-anchor-'))]);
});
afterEach(async () => {
  await fixture.close();
  await rm(folder, { recursive: true });
});

const file = (): string => join(folder, 'anchors.jsonl');
const keyFile = (): string => join(folder, 'key.pem');

function anchor(
  more: Partial<NonNullable<typeof settings.audit>> = {},
  lastResult: AnchorOutput['lastCheckpoint'] = null,
) {
  const audit = { key: null, keyFile: keyFile(), anchorFile: file(), ...more };
  const { storage } = fixture;
  const activity = anchorAudit({ storage, client: {} as never, now: () => issuedAt, settings: { ...settings, audit } });
  return fixture.run(activity, lastResult);
}

async function anchors(): Promise<readonly Anchor[]> {
  const lines = (await readFile(file(), 'utf8')).split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => parseAnchor(line) ?? []);
}

test('each run appends what is new, and answers the last signed head; a rotated key goes on', async () => {
  await writeFile(keyFile(), newAuditKey());
  await fixture.addCustomer('acme');
  await fixture.addCalls('acme', 3);
  const first = await anchor();
  expect(first).toMatchObject({
    blocks: 1,
    checkpoints: 1,
    written: 1,
    lastCheckpoint: { checkpoint: 1, block: { number: 1 } },
  });
  await writeFile(keyFile(), newAuditKey());
  const second = await anchor();
  expect(second).toMatchObject({
    blocks: 0,
    checkpoints: 1,
    written: 1,
    lastCheckpoint: { checkpoint: 2, previousHash: first.lastCheckpoint?.hash },
  });
  const lines = await anchors();
  expect(lines.map(({ checkpoint, hash }) => [checkpoint, hash])).toEqual([
    [1, first.lastCheckpoint?.hash],
    [2, second.lastCheckpoint?.hash],
  ]);
  expect(new Set(lines.map(({ keyId }) => keyId)).size).toBe(2);
  expect(lines[0]?.heads.map(({ scope }) => scope)).toEqual(['customer/acme', 'deployment']);
  for (const line of lines) expect(await fixture.storage.audit.checkAnchor(line)).toBeNull();
});

test('what a crash has kept from the file, or cut off in it, comes with the next run', async () => {
  await writeFile(keyFile(), newAuditKey());
  await anchor({ anchorFile: null });
  await fixture.addCustomer('acme');
  await anchor();
  await appendFile(file(), '{"checkpoint":3,"at":"20');
  await fixture.addCustomer('globex');
  expect(await anchor()).toMatchObject({ written: 1, lastCheckpoint: { checkpoint: 3 } });
  expect((await anchors()).map(({ checkpoint }) => checkpoint)).toEqual([1, 2, 3]);
});

test('without a key nothing is signed, and a key that cannot be read is said', async () => {
  expect(await anchor({ keyFile: null })).toMatchObject({ checkpoints: 0, written: 0, lastCheckpoint: null });
  await expect(anchor()).rejects.toMatchObject({ code: 'AUDIT_KEY_INVALID' });
});

test('the result of the last run is a witness as well: signed is nothing over a log it does not find, until a person accepts it', async () => {
  await writeFile(keyFile(), newAuditKey());
  await anchor({ anchorFile: null });
  await fixture.addCustomer('acme');
  const { lastCheckpoint } = await anchor({ anchorFile: null });
  const again = () => anchor({ anchorFile: null }, lastCheckpoint);
  expect(await again()).toMatchObject({ lastCheckpoint });
  const client = await connect(fixture.url);
  await client.query(`ALTER TABLE audit_checkpoints DISABLE TRIGGER ALL; ALTER TABLE audit_checkpoint_heads DISABLE TRIGGER ALL;
    DELETE FROM audit_checkpoint_heads WHERE checkpoint_number = 2; DELETE FROM audit_checkpoints WHERE checkpoint_number = 2`);
  await client.end();
  const { audit, findings } = fixture.storage;
  await expect(again()).rejects.toMatchObject({ code: 'AUDIT_ANCHOR_DIFFERS' });
  await expect(again()).rejects.toMatchObject({ code: 'AUDIT_ANCHOR_DIFFERS' });
  expect(await audit.checkpoints(0, 10)).toHaveLength(1);
  const [finding, ...others] = (await findings.list({}, { limit: 10 })).data;
  expect([finding, others]).toMatchObject([{ code: 'AUDIT_ANCHOR_DIFFERS', customerId: null }, []]);
  const resolution = { resolution: 'accepted', reason: 'restored from a backup', resolvedBy: 'ann' } as const;
  await findings.resolve(finding?.findingId ?? '', resolution);
  expect(await again()).toMatchObject({ lastCheckpoint: { checkpoint: 2 } });
});
