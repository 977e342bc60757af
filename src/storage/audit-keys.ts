/** The key that signs, from the configuration. It stays in the process: no table, log or answer has it. */
import { readFile } from 'node:fs/promises';
import { DomainFailure } from '../domain/failure.js';
import { signerOf } from './audit-hashes.js';
import type { AuditSigner } from './types-audit.js';

export interface AuditKeySettings {
  /** PEM. */
  readonly key: string | null;
  readonly keyFile: string | null;
}

/**
 * null: none is configured. Read anew each time, so that a key that was exchanged signs from then on.
 * @throws DomainFailure AUDIT_KEY_INVALID
 */
export async function loadSigner({ key, keyFile }: AuditKeySettings): Promise<AuditSigner | null> {
  if (key !== null) return signerOf(key);
  return keyFile === null ? null : signerOf(await contentOf(keyFile));
}

/** @throws DomainFailure AUDIT_KEY_MISSING, AUDIT_KEY_INVALID */
export async function requireSigner(settings: AuditKeySettings): Promise<AuditSigner> {
  const signer = await loadSigner(settings);
  if (signer !== null) return signer;
  throw new DomainFailure(
    'AUDIT_KEY_MISSING',
    'No key is configured to sign with: set RECKONER_AUDIT_KEY_FILE (or RECKONER_AUDIT_KEY) to a private key of Ed25519.',
  );
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new DomainFailure('AUDIT_KEY_INVALID', `RECKONER_AUDIT_KEY_FILE names a file that cannot be read: ${file}`);
  }
}
