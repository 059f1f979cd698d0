/** The two attributes of Avro's decimal: at most `precision` digits in all, `scale` of them after the point. */
export interface DecimalShape {
  precision: number;
  scale: number;
}

const DECIMAL_TEXT = /^(-?)(\d+)(?:\.(\d+))?$/;
const BYTE_BITS = 8;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Several times what 38 digits need, for writers that pad with zeros. Bounded, because converting many bytes takes long. */
const MOST_BYTES = 64;
/** Numbers of this many digits are exact. A BigInt costs several times as much. */
const SAFE_DIGITS = 15;

/**
 * Decimal text (`12`, `-0.006`; no exponent) as the shortest big-endian two's complement of its unscaled value: what Java's
 * `BigInteger.toByteArray` gives.
 *
 * @throws {RangeError} when it is not decimal text, or has more decimals or digits than `shape` allows.
 */
export function decimalToBytes(text: string, { precision, scale }: DecimalShape): Buffer {
  const safe = precision < SAFE_DIGITS ? null : safeUnscaled(text, scale);
  if (safe !== null) return safeToTwosComplement(safe);
  const match = DECIMAL_TEXT.exec(text);
  if (!match)
    throw new RangeError('is not decimal text (digits, optionally a point and decimals, no exponent)');
  const [, sign = '', whole = '', fraction = ''] = match;
  const decimals = fraction.replace(/0+$/, '');
  if (decimals.length > scale) {
    throw new RangeError(`has ${decimals.length} decimals, at most ${scale} are possible`);
  }
  const unscaled = BigInt(sign + whole + decimals.padEnd(scale, '0'));
  requirePrecision(unscaled, precision);
  return toTwosComplement(unscaled);
}

/**
 * The canonical text of such bytes: no exponent, no trailing zeros, no `-0`.
 *
 * @throws {RangeError} when there are no bytes, or more digits than `shape` allows.
 */
export function bytesToDecimal(bytes: Buffer, { precision, scale }: DecimalShape): string {
  if (bytes.length === 0) throw new RangeError('has no bytes, a decimal has at least one');
  if (bytes.length > MOST_BYTES)
    throw new RangeError(`has ${bytes.length} bytes, at most ${MOST_BYTES} are read`);
  const unsigned = BigInt(`0x${bytes.toString('hex')}`);
  const unscaled = BigInt.asIntN(bytes.length * BYTE_BITS, unsigned);
  requirePrecision(unscaled, precision);
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  const decimals = digits.slice(point).replace(/0+$/, '');
  return `${negative ? '-' : ''}${digits.slice(0, point)}${decimals ? `.${decimals}` : ''}`;
}

function requirePrecision(unscaled: bigint, precision: number): void {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().length;
  if (digits > precision) {
    throw new RangeError(`has ${digits} digits with its decimals, at most ${precision} are possible`);
  }
}

/** The unscaled value of decimal text with at most 15 digits after scaling; null for any other text. */
function safeUnscaled(text: string, scale: number): number | null {
  const negative = text.charCodeAt(0) === MINUS;
  const start = negative ? 1 : 0;
  let magnitude = 0;
  let point = -1;
  for (let index = start; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === POINT && point === -1) point = index;
    else if (code >= ZERO && code <= ZERO + 9) magnitude = magnitude * 10 + (code - ZERO);
    else return null;
  }
  const decimals = point === -1 ? 0 : text.length - point - 1;
  const whole = point === -1 ? text.length - start : point - start;
  if (whole === 0 || decimals > scale || point === text.length - 1 || whole + scale > SAFE_DIGITS)
    return null;
  const unscaled = magnitude * 10 ** (scale - decimals);
  return negative ? -unscaled : unscaled;
}

/** The same for a whole number of at most 15 digits, which 7 bytes hold. */
function safeToTwosComplement(value: number): Buffer {
  let byteCount = 1;
  for (let limit = 128; value >= limit || value < -limit; limit *= 256) byteCount += 1;
  const bytes = Buffer.allocUnsafe(byteCount);
  let rest = value;
  for (let index = byteCount - 1; index >= 0; index -= 1) {
    const byte = ((rest % 256) + 256) % 256;
    bytes[index] = byte;
    rest = (rest - byte) / 256;
  }
  return bytes;
}

function toTwosComplement(value: bigint): Buffer {
  let byteCount = 1;
  while (BigInt.asIntN(byteCount * BYTE_BITS, value) !== value) byteCount += 1;
  const unsigned = BigInt.asUintN(byteCount * BYTE_BITS, value);
  return Buffer.from(unsigned.toString(16).padStart(byteCount * 2, '0'), 'hex');
}
