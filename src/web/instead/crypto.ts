/** What the verbs use of `node:crypto`: SHA-256 of bytes that arrive in pieces. */
import { Sha256 } from '../sha256.js';

export function createHash(_algorithm: 'sha256') {
  const hash = new Sha256();
  const self = {
    update(data: string | Uint8Array) {
      hash.update(typeof data === 'string' ? new TextEncoder().encode(data) : data);
      return self;
    },
    digest: (_encoding: 'hex'): string =>
      Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join(''),
  };
  return self;
}
