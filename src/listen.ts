/**
 * Waits for callers.
 *
 * @module
 */
import { channelUse } from "./io/channel-use.ts";
import { Endpoint } from "./io/endpoint.ts";
import { Identity } from "./io/identity.ts";
import { Listener, ListenerHandlers } from "./io/listener.ts";
import { lookUpServers } from "./io/server-names.ts";
import { TicketStore } from "./io/ticket-store.ts";
import { checkListen, type ListenOptions } from "./options.ts";

/**
 * Listens for peers that hold a ticket. To anybody without one, the listener looks like nothing at all.
 *
 * With an identity file, the tickets are kept in it beside the key: a listener that is started again with the same file
 * (and port) honours what it gave out before. Only one process can listen with a file at a time.
 *
 * In paste mode, resolves once STUN servers have told where we are. With servers, resolves once one of them can lead peers here.
 *
 * @throws {@link PunchlineError} `ERR_OPTION`, `ERR_IDENTITY`, `ERR_BIND` or `ERR_SERVER`; on abort, `signal.reason`.
 */
export async function listen(options: ListenOptions = {}): Promise<Listener> {
  const checked = checkListen(options);
  const { signal } = checked;
  signal?.throwIfAborted();
  const store = typeof checked.identity === "string" ? TicketStore.open(checked.identity) : undefined;
  const identity = store?.identity ?? (checked.identity instanceof Identity ? checked.identity : Identity.generate());
  const handlers = new ListenerHandlers({ asksFirst: checked.allow !== undefined || checked.accept !== undefined });
  let endpoint: Endpoint | undefined;
  try {
    endpoint = await Endpoint.open({
      plan: { hosts: checked.hosts, needsAll: checked.hostsAreExplicit, port: checked.port },
      reach: checked.reach,
      config: checked.config,
      identity: identity.keyPair,
      handlers,
      openTrace: checked.openTrace,
    });
    signal?.throwIfAborted();
    const { allow, accept, servers, directOnly, paste } = checked;
    const addresses = paste ? await endpoint.listenPasted(await lookUpServers(checked.stun)) : checked.addresses;
    signal?.throwIfAborted();
    const lan = checked.reach.tellsHosts;
    const channel = checked.signalling !== undefined;
    const setup = { identity, allow, accept, addresses, store, servers, directOnly, lan, paste, channel };
    const listener = new Listener(endpoint, setup, checked.ticket);
    handlers.listener = listener;
    await listener.register(signal);
    const { signalling } = checked;
    if (signalling !== undefined) endpoint.useChannel(await channelUse(signalling, checked.stun));
    signal?.throwIfAborted();
    closeOnAbort(listener, signal);
    return listener;
  } catch (error) {
    endpoint?.stopListening();
    store?.close();
    throw error;
  }
}

/** The signal ends the listener, and is let go of when it has ended by itself. */
function closeOnAbort(listener: Listener, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const onAbort = (): void => void listener.close();
  signal.addEventListener("abort", onAbort, { once: true });
  listener.once("closed", () => signal.removeEventListener("abort", onAbort));
}
