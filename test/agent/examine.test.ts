/**
 * Asking a listener what its network is like, without connecting to it.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { PeerAnswer } from "../../src/agent/outgoing-call.ts";
import type { CloseReason } from "../../src/connection/events.ts";
import { kind } from "../sim/punch-pair.ts";
import { Lab, type LabOptions } from "./lab.ts";

const HOME = { nat: kind("endpoint-independent", "address-dependent") };

/** What a question came to, and how long that took in ms. */
interface Outcome {
  readonly answer: PeerAnswer | undefined;
  readonly reason: CloseReason | undefined;
  readonly ms: number;
}

/** Asks the listener, and waits for the answer or for the reason why there is none. */
function ask(lab: Lab): Outcome {
  const { world, dialer, ticket } = lab;
  const startedAt = world.now;
  const servers = Array.from(lab.servers, (_, index) => lab.agentServer(index));
  const connection = dialer.machine.examine({ ticket, identity: lab.newKey(), timeout: 10_000 }, servers, world.now);
  world.wake(dialer);
  let answer: PeerAnswer | undefined;
  let reason: CloseReason | undefined;
  const look = (): boolean => {
    for (const { event } of lab.events) {
      if (event.type === "examined" && event.connection === connection) answer = event.answer;
      if (event.type !== "connection" || event.connection !== connection) continue;
      if (event.event.type === "closed") reason ??= event.event.reason;
    }
    return answer !== undefined || reason !== undefined;
  };
  world.run({ until: look, for: 20_000 });
  return { answer, reason, ms: world.now - startedAt };
}

describe("an answer (PATH-76)", () => {
  test("tells addresses, profile and round trip, three round trips after the question", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    const { answer, ms } = ask(lab);
    expect(answer?.situation.candidates).toMatchObject([{ kind: "reflexive", address: { host: "203.0.113.2" } }]);
    expect(answer?.situation.profile).toMatchObject({
      mapping: "endpoint-independent",
      filtering: "address-dependent",
    });
    // As the server measures it, the listener's delay of acknowledgements included.
    expect(answer?.rtt).toBeGreaterThanOrEqual(40);
    expect(answer?.rtt).toBeLessThan(40 + 25);
    expect(ms).toBe(3 * 40);
  });

  test("uses nothing up: a ticket for one call is good for one afterwards", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME, ticket: { singleUse: true }, uses: 1 });
    for (let turn = 0; turn < 3; turn++) expect(ask(lab).answer).toBeDefined();
    expect(lab.events.some(({ event }) => event.type === "ticket-used" || event.type === "incoming")).toBe(false);
    expect(lab.tryPair().ms).toBeDefined();
  });

  test("costs the listener no probe to anybody, and leaves nothing on either side", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME });
    let strays = 0;
    lab.listener.link.up.filter = ({ to }) => {
      if (!to.host.startsWith("192.0.2.")) strays += 1;
      return "pass";
    };
    ask(lab);
    lab.world.run({ for: 1_000 });
    expect(strays).toBe(0);
    // The session of the listener is left.
    expect(lab.servers[0]!.machine.health).toMatchObject({ sessions: 1, calls: 0 });
    expect(lab.listener.machine.endpoint.connectionCount).toBe(1);
    expect(lab.dialer.machine.endpoint.connectionCount).toBe(0);
    expect([lab.extraSockets.dialer.size, lab.extraSockets.listener.size]).toEqual([0, 0]);
  });

  test("comes by one of several servers, and the others hear of the end", () => {
    const lab = new Lab({ dialer: HOME, listener: HOME, servers: 2, link: { delay: 100 } });
    expect(ask(lab).answer).toBeDefined();
    lab.world.run({ for: 5_000 });
    for (const { machine } of lab.servers) expect(machine.health).toMatchObject({ sessions: 1, calls: 0 });
    expect(lab.listener.machine.endpoint.connectionCount).toBe(2);
  });
});

describe("no answer, and why (PATH-76)", () => {
  /** Reason of a question to which there is no answer. */
  function failure(options: LabOptions, prepare: (lab: Lab) => void = () => {}): Outcome {
    const lab = new Lab({ dialer: HOME, listener: HOME, ...options });
    prepare(lab);
    return ask(lab);
  }

  test("nobody is registered by the ticket: told at once", () => {
    const { reason, ms } = failure({ warmUp: 0 });
    expect(reason).toMatchObject({ kind: "unreachable", cause: "not-there" });
    expect(ms).toBeLessThanOrEqual(2 * 40);
  });

  test("no UDP comes through: after 3 s", () => {
    const { reason, ms } = failure({}, (lab) => {
      lab.dialer.link.up.filter = () => "drop";
    });
    expect(reason).toMatchObject({ kind: "unreachable", cause: "udp-blocked" });
    expect(ms).toBeLessThanOrEqual(3_100);
  });

  test("one server is up, but knows nobody, and the other one is down", () => {
    const { reason, ms } = failure({ servers: 2, listenerServers: [0] }, (lab) => lab.stopServer(0));
    expect(reason).toMatchObject({ kind: "unreachable", cause: "not-there" });
    expect(ms).toBeLessThanOrEqual(4_100);
  });

  test("the listener refuses", () => {
    const { reason } = failure({}, (lab) => lab.listener.machine.endpoint.revokeTicket(lab.ticketId));
    expect(reason).toMatchObject({ kind: "refused", refusal: "revoked" });
  });
});

describe("a call that ends before the inviter has shown its key (PATH-77)", () => {
  test("ends with it, unless the invitation came by another server as well", () => {
    // The caller takes the answer of the second server, whose link is faster, and cancels the call by the first one.
    const lab = new Lab({ dialer: HOME, listener: HOME, servers: 2, link: { delay: 60 } });
    lab.servers[0]!.link.down.update({ delay: 400 });
    expect(lab.tryPair().ms).toBeDefined();
  });
});
