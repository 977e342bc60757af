/** What signatures, commitments and anchors of the audit log add to its chains. */
import type pg from 'pg';
import { newAuditKey, signerOf } from '../../src/storage/audit-hashes.js';
import { loadSigner, requireSigner } from '../../src/storage/audit-keys.js';
import { customerScope } from '../../src/storage/types-audit.js';
import { createActivityFixture, issuedAt } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { connect, creditOf, invoiceOf, postingDate, rearm, verify, whole } from './audit-fixture.js';

let fixture: ActivityFixture;
let client: pg.Client;
beforeEach(async () => {
  fixture = await createActivityFixture();
  client = await connect(fixture.url);
});
afterEach(async () => {
  await client.end();
  await fixture.close();
});

const invoice = (customerId: string): Promise<void> => invoiceOf(fixture, customerId);

describe('signatures', () => {
  test('keys rotate: what earlier ones have signed still verifies, and only keys that are trusted may have signed', async () => {
    const { audit } = fixture.storage;
    const [first, second] = [signerOf(newAuditKey()), signerOf(newAuditKey())];
    await audit.sign(first, issuedAt);
    await fixture.addCustomer('a');
    const [checkpoint] = await audit.sign(second, issuedAt);
    expect(checkpoint?.heads.map(({ scope }) => scope)).toEqual(['customer/a', 'deployment']);
    const trustedKeys = [first.keyId, second.keyId];
    expect(await verify(audit, { trustedKeys })).toMatchObject({ ...whole, keyIds: trustedKeys });
    expect((await verify(audit, { trustedKeys: [first.keyId] })).problem).toMatchObject({
      what: 'key_unknown',
      sequence: checkpoint?.checkpoint,
    });
    expect((await audit.keys()).map(({ keyId }) => keyId).sort()).toEqual([...trustedKeys].sort());
    const { rows } = await client.query<{ all: string }>(`SELECT string_agg(k::text, '') AS all FROM audit_keys k`);
    expect(rows[0]?.all).not.toContain('PRIVATE');
  });

  test('two who sign at once make one chain of checkpoints', async () => {
    const { audit } = fixture.storage;
    const signer = signerOf(newAuditKey());
    for (const id of ['a', 'b', 'c', 'd', 'e']) await fixture.addCustomer(id);
    await Promise.all([1, 2, 3].map(() => audit.sign(signer, issuedAt, { headsMax: 2 })));
    expect(await verify(audit)).toMatchObject(whole);
  });

  test('a signature of another key under the name of a known one does not hold', async () => {
    const { audit } = fixture.storage;
    const known = signerOf(newAuditKey());
    await audit.sign(known, issuedAt);
    await fixture.addCustomer('a');
    await audit.sign({ ...known, sign: (text) => signerOf(newAuditKey()).sign(text) }, issuedAt);
    expect((await verify(audit)).problem).toMatchObject({
      what: 'signature_wrong',
      table: 'audit_checkpoints',
      sequence: 2,
    });
  });

  test('a key that is no key, a file that is not there, or no key at all: said, without a word of the key', async () => {
    expect(() => signerOf('-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----')).toThrow(
      /AUDIT_KEY_INVALID(?!.*secret)/,
    );
    await expect(loadSigner({ key: null, keyFile: '/nowhere/key.pem' })).rejects.toMatchObject({
      code: 'AUDIT_KEY_INVALID',
    });
    await expect(requireSigner({ key: null, keyFile: null })).rejects.toMatchObject({ code: 'AUDIT_KEY_MISSING' });
    expect(await loadSigner({ key: null, keyFile: null })).toBeNull();
  });
});

describe('one customer', () => {
  beforeEach(async () => {
    const { audit, credits } = fixture.storage;
    const signer = signerOf(newAuditKey());
    for (const id of ['a', 'b']) {
      await fixture.addCustomer(id);
      await credits.grant(creditOf(id), postingDate);
      await audit.sign(signer, issuedAt);
    }
  });

  test('is held against the heads that were signed: a tail cut together with its rows is told, of nobody else', async () => {
    const { audit } = fixture.storage;
    expect(await verify(audit, { customerId: 'b' })).toMatchObject({ ...whole, counts: { checkpoints: 1 } });
    await client.query(`
      ALTER TABLE audit_changes DISABLE TRIGGER ALL; ALTER TABLE audit_entries DISABLE TRIGGER ALL;
      DELETE FROM audit_changes WHERE batch IN (SELECT batch FROM audit_entries WHERE scope = 'customer/b' AND sequence > 1);
      DELETE FROM audit_entries WHERE scope = 'customer/b' AND sequence > 1`);
    expect(await verify(audit, { customerId: 'b' })).toMatchObject({
      verified: false,
      problem: { what: 'entries_cut', scope: 'customer/b', sequence: 2 },
    });
    expect(await verify(audit, { customerId: 'a' })).toMatchObject(whole);
  });

  test('is told of rows of theirs that were written without the log, by a column of their own or by what they belong to', async () => {
    const { audit } = fixture.storage;
    const unlogged = async (table: string, insert: string): Promise<void> => {
      await client.query(`ALTER TABLE ${table} DISABLE TRIGGER audit`);
      await client.query(insert);
      await client.query(`ALTER TABLE ${table} ENABLE TRIGGER audit`);
    };
    await unlogged(
      'credit_grants',
      `INSERT INTO credit_grants SELECT (jsonb_populate_record(g, jsonb_build_object('grant_id', '00000000-0000-4000-8000-00000000000c'))).*
       FROM credit_grants g WHERE customer_id = 'b'`,
    );
    await unlogged(
      'credit_grant_voids',
      `INSERT INTO credit_grant_voids (grant_id, sequence, amount, reason, voided_by)
       SELECT grant_id, 1, 0, 'x', 'x' FROM credit_grants WHERE customer_id = 'b'`,
    );
    const { verified, problems } = await verify(audit, { customerId: 'b' });
    expect(verified).toBe(false);
    expect(problems.map(({ what, table }) => `${what} ${table}`).sort()).toEqual([
      'row_not_in_log credit_grant_voids',
      'row_not_in_log credit_grant_voids',
      'row_not_in_log credit_grants',
    ]);
    expect(problems.find(({ table }) => table === 'credit_grants')?.key).toBe(
      '["00000000-0000-4000-8000-00000000000c"]',
    );
    expect(await verify(audit, { customerId: 'a' })).toMatchObject(whole);
  });

  test('is held against signatures of keys that may sign, and against what they signed', async () => {
    const { audit } = fixture.storage;
    const other = await verify(audit, { customerId: 'a', trustedKeys: [signerOf(newAuditKey()).keyId] });
    expect(other.problem).toMatchObject({ what: 'key_unknown' });
    await client.query(`ALTER TABLE audit_checkpoint_heads DISABLE TRIGGER ALL;
      UPDATE audit_checkpoint_heads SET sequence = 1 WHERE scope = 'customer/b'`);
    expect((await verify(audit, { customerId: 'b' })).problem).toMatchObject({ what: 'checkpoint_changed' });
  });
});

describe('personal data', () => {
  const erase = async (): Promise<void> => {
    await client.query(`ALTER TABLE invoices DISABLE TRIGGER USER; ALTER TABLE customer_versions DISABLE TRIGGER USER;
      UPDATE invoices SET buyer = '{}' WHERE customer_id = 'acme';
      UPDATE customer_versions SET buyer = '{}', name = '' WHERE customer_id = 'acme';
      ALTER TABLE invoices ENABLE TRIGGER USER; ALTER TABLE customer_versions ENABLE TRIGGER USER;
      ALTER TABLE invoices ENABLE ALWAYS TRIGGER refuse_change; ALTER TABLE customer_versions ENABLE ALWAYS TRIGGER refuse_change`);
  };
  const eraseSalts = (): Promise<unknown> => client.query(`UPDATE audit_commitments SET salt = NULL`);

  beforeEach(async () => {
    await fixture.addCustomer('acme', {
      name: 'Jane Doe',
      buyer: { address: 'Secret Street 1', email: 'jane@example.com' },
    });
    await fixture.addCalls('acme', 5);
    await invoice('acme');
  });

  test('erased together with its salts it leaves a log that verifies, in which nothing tells of it', async () => {
    await erase();
    await eraseSalts();
    expect(await verify(fixture.storage.audit)).toMatchObject({ ...whole, counts: { erasedRows: 2 } });
    const { rows } = await client.query<{ text: string }>(
      `SELECT string_agg(t, '') AS text FROM (SELECT c::text AS t FROM audit_changes c UNION ALL SELECT m::text FROM audit_commitments m) AS x`,
    );
    expect(rows[0]?.text).not.toMatch(/Jane|Secret|example/);
  });

  test('blanked while its salt is there, or put in again after the salt is gone, it is named', async () => {
    await erase();
    const blanked = await verify(fixture.storage.audit);
    expect(blanked.problem).toMatchObject({
      what: 'personal_data_changed',
      table: 'customer_versions',
      scope: customerScope('acme'),
    });
    await eraseSalts();
    await client.query(`ALTER TABLE invoices DISABLE TRIGGER USER; UPDATE invoices SET buyer = '{"name": "Mallory"}';
      ALTER TABLE invoices ENABLE TRIGGER USER; ALTER TABLE invoices ENABLE ALWAYS TRIGGER refuse_change`);
    const [issued] = (await fixture.storage.billing.listInvoices({}, { limit: 1 })).data;
    expect((await verify(fixture.storage.audit)).problem).toMatchObject({
      what: 'personal_data_changed',
      table: 'invoices',
      key: JSON.stringify([issued?.invoiceId]),
    });
  });
});

test('whoever cuts rows and log at the tail is missed by the checkpoint, and whoever cuts that too by the anchor', async () => {
  const { audit } = fixture.storage;
  const signer = signerOf(newAuditKey());
  await fixture.addCustomer('a');
  await audit.sign(signer, issuedAt);
  await fixture.storage.credits.grant(creditOf('a'), postingDate);
  const [anchor] = await audit.sign(signer, issuedAt);
  if (anchor === undefined) throw new Error('there is a second checkpoint');
  expect(await audit.checkAnchor(anchor)).toBeNull();
  const tables = ['postings', 'journal_entries', 'credit_grants', 'audit_entries', 'audit_changes'];
  const tail = `(SELECT max(sequence) FROM audit_entries WHERE scope = 'customer/a')`;
  await client.query(`
    ${[...tables, 'audit_checkpoints', 'audit_checkpoint_heads'].map((table) => `ALTER TABLE ${table} DISABLE TRIGGER ALL;`).join('')}
    DELETE FROM postings; DELETE FROM journal_entries; DELETE FROM credit_grants;
    DELETE FROM audit_changes WHERE batch = (SELECT batch FROM audit_entries WHERE scope = 'customer/a' AND sequence = ${tail});
    DELETE FROM audit_entries WHERE scope = 'customer/a' AND sequence = ${tail};
    ${tables.map((table) => `ALTER TABLE ${table} ENABLE TRIGGER ALL;`).join('')}`);
  const cut = { what: 'entries_cut', table: 'audit_entries', scope: 'customer/a', sequence: 3 };
  expect((await verify(audit)).problem).toMatchObject(cut);
  await client.query(`DELETE FROM audit_checkpoint_heads WHERE checkpoint_number = 2; DELETE FROM audit_checkpoints WHERE checkpoint_number = 2;
    ALTER TABLE audit_checkpoints ENABLE TRIGGER ALL; ALTER TABLE audit_checkpoint_heads ENABLE TRIGGER ALL; ${rearm}`);
  expect(await verify(audit)).toMatchObject(whole);
  expect(await audit.checkAnchor(anchor)).toMatchObject(cut);
});
