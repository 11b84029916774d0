/**
 * Numbers as people read and write them.
 *
 * @module
 */

// Implementation

/** Decimal units, as networks and disks are sold. */
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Suffixes of sizes on the command line, as `head -c` and `dd` take them. */
const SIZE_SUFFIXES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1000 ** 4,
  tib: 1024 ** 4,
};

/** A count of bytes in three digits: `1.07 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : threeDigits(value)} ${UNITS[unit]!}`;
}

/** A rate from bytes per second: `112 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** A span of milliseconds: `0.35 ms`, `12 ms`, `4.2 s`, `3 min 20 s`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Reads a size such as `1000`, `64k`, `256MiB`, `1.5G`; `undefined` if it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = SIZE_SUFFIXES[match?.[2]?.toLowerCase() ?? "?"];
  if (match === null || factor === undefined) return undefined;
  const size = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** Text from a stranger, fit for a terminal: no control characters, no endless lines. */
export function printable(text: string, limit = 200): string {
  // Everything that Unicode calls a control, format, surrogate or private character, and every kind of white space.
  const clean = text.replace(/[\p{C}\s]+/gu, " ").trim();
  return clean.length > limit ? `${clean.slice(0, limit - 1)}…` : clean;
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
