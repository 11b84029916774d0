/**
 * punchline itself.
 *
 * @module
 */
import { importBuilt } from "../../built.ts";
import type { Stack } from "../stack.ts";

export const punchline: Stack = {
  isEncrypted: true,
  async receive(host) {
    const { listen } = await importBuilt();
    const listener = await listen({ host });
    const first = listener[Symbol.asyncIterator]().next();
    return {
      target: String(listener.ticket),
      stream: first.then((result) => result.value),
      close: () => void listener.close(),
    };
  },
  async send(target) {
    const { connect } = await importBuilt();
    return connect(target);
  },
};
