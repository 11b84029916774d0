/**
 * punchline itself, as it is and while both ends write traces.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importBuilt } from "../../built.ts";
import type { Stack } from "../stack.ts";

export const punchline: Stack = stackWith(() => ({}));

export const traced: Stack = stackWith(() => {
  const qlog = mkdtempSync(join(tmpdir(), "punchline-qlog-"));
  process.once("exit", () => rmSync(qlog, { recursive: true }));
  return { qlog };
});

function stackWith(options: () => { readonly qlog?: string }): Stack {
  return {
    isEncrypted: true,
    async receive(host) {
      const { listen } = await importBuilt();
      const listener = await listen({ host, ...options() });
      const first = listener[Symbol.asyncIterator]().next();
      return {
        target: String(listener.ticket),
        stream: first.then((result) => result.value),
        close: () => void listener.close(),
      };
    },
    async send(target) {
      const { connect } = await importBuilt();
      return connect(target, options());
    },
  };
}
