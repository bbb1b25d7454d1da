/** Digests that are part of names: PaaSTA shortens long names with a piece of the MD5 of the whole name. */
import { createHash } from 'node:crypto';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** MD5 of the UTF-8 text, lower-case hexadecimal. For names only, never for security. */
export function md5Hex(text: string): string {
  return createHash('md5').update(text, 'utf8').digest('hex');
}

/** SHA-256 of the UTF-8 text, lower-case hexadecimal. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** RFC 4648 base32 of bytes, lower-case, without padding. */
export function base32(bytes: Uint8Array): string {
  let out = '';
  let bits = 0;
  let rest = 0;
  for (const byte of bytes) {
    rest = (rest << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BASE32.charAt((rest >> bits) & 31);
      rest &= (1 << bits) - 1;
    }
  }
  return bits === 0 ? out : out + BASE32.charAt((rest << (5 - bits)) & 31);
}

/** Lower-case base32 of the MD5 of the UTF-8 text: 26 characters. */
export function md5Base32(text: string): string {
  return base32(createHash('md5').update(text, 'utf8').digest());
}
