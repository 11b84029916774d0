/**
 * The small parts: numbers for people, the control stream's messages, the meter.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { ControlDecoder, encodeControl } from "../../src/cli/control-codec.ts";
import { formatBytes, formatDuration, formatRate, parseSize, printable } from "../../src/cli/format.ts";
import { Meter } from "../../src/cli/meter.ts";
import { TextReporter } from "../../src/cli/reporter.ts";

describe("numbers", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [12_345, "12.3 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [268_435_456, "268 MB"],
    [1_073_741_824, "1.07 GB"],
    [9e18, "9000 PB"],
  ])("%i bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
    expect(formatRate(bytes)).toBe(`${text}/s`);
  });

  test.each([
    [0, "0.00 ms"],
    [0.35, "0.35 ms"],
    [12.34, "12.3 ms"],
    [999.6, "1.0 s"],
    [59_940, "59.9 s"],
    [59_960, "1 min 0 s"],
    [200_000, "3 min 20 s"],
    [86_400_000, "24 h 0 min"],
  ])("%d ms are %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test.each([
    ["1000", 1000],
    ["64k", 65_536],
    ["64kB", 64_000],
    ["256MiB", 268_435_456],
    ["1.5G", 1_610_612_736],
    ["2 TB", 2e12],
    ["", undefined],
    ["-1", undefined],
    ["1 apple", undefined],
    ["1e9", undefined],
    ["9999999999T", undefined],
  ])("the size %j is %s", (text, size) => {
    expect(parseSize(text)).toBe(size);
  });

  test("text of a stranger is cut and stripped (CLI-3)", () => {
    expect(printable("\x1b]0;title\x07plain\u200e \u{1f600}")).toBe("]0;title plain \u{1f600}");
    expect(printable("x".repeat(300))).toHaveLength(200);
  });
});

describe("control stream (CLI-14)", () => {
  const delivered = { type: "delivered", bytes: 2 ** 53 - 1 } as const;
  const failed = { type: "failed", code: 0x101, reason: "no space left" } as const;

  test("messages survive any cutting", () => {
    const bytes = Buffer.concat([encodeControl(delivered), Uint8Array.of(9, 0, 0), encodeControl(failed)]);
    for (let size = 1; size <= bytes.length; size++) {
      const decoder = new ControlDecoder();
      const messages = [];
      for (let at = 0; at < bytes.length; at += size) messages.push(...decoder.push(bytes.subarray(at, at + size))!);
      expect(messages).toEqual([delivered, failed]);
    }
  });

  test("a count beyond exact numbers is malformed", () => {
    expect(new ControlDecoder().push(Uint8Array.of(1, 0, 8, 0xff, 0, 0, 0, 0, 0, 0, 0))).toBeUndefined();
  });

  test("a long reason is cut", () => {
    const long = encodeControl({ type: "failed", code: 1, reason: "x".repeat(10_000) });
    expect(long).toHaveLength(3 + 2 + 256);
  });
});

test("the meter knows first, last and the longest pause between them", async () => {
  const meter = new Meter();
  expect([meter.firstByteAt, meter.longestPause]).toEqual([undefined, 0]);
  meter.onSent(10);
  await new Promise((resolve) => setTimeout(resolve, 30));
  meter.onReceived(5);
  meter.onSent(1);
  expect([meter.sent, meter.received]).toEqual([11, 5]);
  expect(meter.longestPause).toBeGreaterThanOrEqual(29);
  expect(Number(meter.lastByteAt) - Number(meter.firstByteAt)).toBeGreaterThanOrEqual(29);
  expect(meter.takeRate()).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(meter.takeRate()).toBe(0);
});

test("the live line fits the terminal and gives way to sentences (CLI-3)", () => {
  let written = "";
  const sink = { write: (text: string) => (written += text), columns: 30 };
  const reporter = new TextReporter(sink, { live: true });
  const path = { path: "direct", remote: "192.0.2.1:443", rtt: 1 } as const;
  reporter.report({ event: "progress", sent: 1e9, received: 1e6, rate: 1e6, ...path });
  expect(written).toBe(`\r${"sent 1.00 GB  received 1.00 MB  1.00 MB/s".slice(0, 29)}\x1b[K`);
  reporter.note("a sentence");
  expect(written.endsWith("\x1b[K\r\x1b[Ka sentence\n")).toBe(true);
  written = "";
  reporter.yieldTerminal();
  reporter.report({ event: "progress", sent: 1, received: 0, rate: 0, ...path });
  expect(written).toBe("");
});
