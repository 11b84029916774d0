/**
 * A carrier that loses, repeats, delays and reorders: a handshake comes through once, whatever arrives how often.
 *
 * @module
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { InitiatorHandshake, ResponderHandshake } from "../../src/crypto/handshake.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { deriveTicketKeys } from "../../src/crypto/ticket-keys.ts";
import type { Signalling } from "../../src/signal/carrier.ts";
import { decodeEnvelope, encodeEnvelope } from "../../src/signal/envelope.ts";
import { counting, LISTENER, OTHER } from "../server/raw.ts";

/** Two ends of a channel whose messages the test delivers as it likes. */
class Channel {
  readonly sent: { readonly to: 0 | 1; readonly bytes: Uint8Array }[] = [];
  readonly ends: readonly [Signalling, Signalling] = [this.#end(1), this.#end(0)];
  readonly #receivers: ((bytes: Uint8Array) => void)[] = [];

  deliver(index: number): void {
    const message = this.sent[index % this.sent.length];
    if (message !== undefined) this.#receivers[message.to]?.(message.bytes.slice());
  }

  #end(to: 0 | 1): Signalling {
    return {
      send: (bytes) => this.sent.push({ to, bytes }),
      onMessage: (receive) => {
        this.#receivers[1 - to] = receive;
      },
    };
  }
}

const KEYS = deriveTicketKeys({ key: LISTENER.publicKey, secret: counting(0xd0, 16), core: counting(1, 53) });

test("both ends get the keys of one session, once, over any order of deliveries and with garbage between them (RDV-13)", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 4 }),
      (order, garbage) => {
        const channel = new Channel();
        const [caller, listener] = channel.ends;
        const initiator = new InitiatorHandshake({
          keys: KEYS,
          listenerKey: LISTENER.publicKey,
          identity: OTHER,
          ephemeral: keyPairFromSeed(counting(0xa0, 32)),
          payload: counting(1, 9),
        });
        const sessions: string[] = [];
        let answer: Uint8Array | undefined;
        listener.onMessage((bytes) => {
          const envelope = decodeEnvelope(bytes);
          if (envelope?.kind !== "core1") return;
          const noise1 = ResponderHandshake.openSeal(envelope.content, KEYS);
          if (noise1 === undefined) return;
          // A copy gets the same answer: it is named by its ephemeral key.
          answer ??= ResponderHandshake.read(noise1, KEYS, LISTENER)?.respond(
            counting(2, 9),
            keyPairFromSeed(counting(0x40, 32)),
          ).core2;
          if (answer !== undefined) listener.send(encodeEnvelope({ kind: "core2", content: answer }));
        });
        caller.onMessage((bytes) => {
          const envelope = decodeEnvelope(bytes);
          const opened = envelope?.kind === "core2" ? initiator.readCore2(envelope.content) : undefined;
          if (opened !== undefined) sessions.push(Buffer.from(opened.session.handshakeHash).toString("hex"));
        });
        caller.send(encodeEnvelope({ kind: "core1", content: initiator.core1 }));
        for (const bytes of garbage) {
          caller.send(bytes);
          listener.send(bytes);
        }
        for (const index of order) channel.deliver(index);
        // At last everything arrives.
        for (let i = 0; i < channel.sent.length && i < 40; i++) channel.deliver(i);
        expect(sessions).toHaveLength(1);
      },
    ),
    { numRuns: 40 },
  );
});
