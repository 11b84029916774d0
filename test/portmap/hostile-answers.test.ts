import { describe, expect, test } from "vitest";
import { Bench, GATEWAY } from "./bench.ts";
import { FakeGateway } from "./fake-gateway.ts";

describe("hostile answers (MAP-2)", () => {
  const open = (): { bench: Bench; answers: Uint8Array[] } => {
    const gateway = new FakeGateway();
    const answers: Uint8Array[] = [];
    const bench = new Bench(gateway, {
      loses: (bytes) => {
        answers.push(gateway.answer(bytes, bench.at)!);
        return true;
      },
    });
    bench.machine.start(bench.at);
    bench.run(10);
    return { bench, answers };
  };

  test("answers from another address or port change nothing", () => {
    const { bench, answers } = open();
    for (const answer of answers) {
      bench.deliver(answer, { ...GATEWAY, host: "192.168.1.66" });
      bench.deliver(answer, { ...GATEWAY, port: 5352 });
    }
    expect(bench.events).toEqual([]);
    expect(bench.sent).toHaveLength(2);
    bench.deliver(answers[0]!);
    expect(bench.of("mapped")).toHaveLength(1);
  });

  test("a PCP answer with another nonce or internal port changes nothing", () => {
    const { bench, answers } = open();
    for (let offset = 24; offset < 36; offset++) {
      const forged = Uint8Array.from(answers[0]!);
      forged[offset]! ^= 1;
      bench.deliver(forged);
    }
    const other = Uint8Array.from(answers[0]!);
    other[41]! ^= 1;
    bench.deliver(other);
    // A refusal with a wrong nonce does not end the attempt either.
    other[3] = 2;
    bench.deliver(other);
    expect(bench.events).toEqual([]);
    bench.deliver(answers[0]!);
    expect(bench.of("mapped")).toHaveLength(1);
  });

  test("NAT-PMP answers that nobody asked for change nothing", () => {
    const { bench, answers } = open();
    // A mapping is granted before one was asked for.
    const granted = Uint8Array.of(0, 129, 0, 0, 0, 0, 3, 232, 16, 146, 200, 0, 0, 0, 28, 32);
    bench.deliver(granted);
    expect(bench.events).toEqual([]);
    bench.deliver(answers[1]!);
    const forOther = Uint8Array.from(granted);
    forOther[9] = 147;
    bench.deliver(forOther);
    expect(bench.events).toEqual([]);
    bench.deliver(granted);
    expect(bench.of("mapped")).toMatchObject([{ mapping: { external: { port: 51_200 } } }]);
    // Later, another port.
    granted[10] = 100;
    bench.deliver(granted);
    expect(bench.of("mapped")).toHaveLength(1);
  });

  test("short, long and damaged answers change nothing and never throw", () => {
    const { bench, answers } = open();
    for (const answer of answers) {
      for (let length = 0; length < answer.length; length++) bench.deliver(answer.slice(0, length));
    }
    bench.deliver(new Uint8Array(65_507));
    bench.deliver(new Uint8Array(65_507).fill(0xff));
    const huge = new Uint8Array(1_104);
    huge.set(answers[0]!);
    bench.deliver(huge);
    expect(bench.of("mapped")).toEqual([]);
    bench.deliver(answers[0]!);
    expect(bench.of("mapped")).toHaveLength(1);
  });
});
