/** SHA-256 of the texts of the audit log, and Ed25519 signatures of its checkpoints. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, hash, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { DomainFailure } from '../domain/failure.js';
import type { AuditSigner } from './types-audit.js';

/** Hex. */
export const sha256 = (text: string): string => hash('sha256', text);

/** The first 16 hex digits of the SHA-256 of the public key (SubjectPublicKeyInfo): an id that cannot be given to another key. */
function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
}

/** @param pem a private key of Ed25519 (PKCS #8). @throws DomainFailure AUDIT_KEY_INVALID */
export function signerOf(pem: string): AuditSigner {
  const privateKey = privateKeyOf(pem);
  const publicKey = createPublicKey(privateKey);
  return {
    keyId: keyIdOf(publicKey),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64'),
  };
}

function privateKeyOf(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below, without a word of the key itself.
  }
  throw new DomainFailure(
    'AUDIT_KEY_INVALID',
    'The audit key is not a private key of Ed25519 in PEM; `openssl genpkey -algorithm ed25519` makes one.',
  );
}

/** @param signature base64 */
export function isSignedBy(
  publicKeyPem: string,
  keyId: string,
  { text, signature }: { text: string; signature: string },
): boolean {
  const publicKey = publicKeyOf(publicKeyPem, keyId);
  return publicKey !== null && verify(null, Buffer.from(text), publicKey, Buffer.from(signature, 'base64'));
}

/** null: the text is not the public key that has this id. */
export function publicKeyOf(pem: string, keyId: string): KeyObject | null {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === 'ed25519' && keyIdOf(key) === keyId ? key : null;
  } catch {
    return null;
  }
}

/** A new private key, PEM. */
export function newAuditKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
