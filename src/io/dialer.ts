/**
 * The endpoints that a process dials from: one for each set of local addresses, shared by all calls, and gone with the
 * last connection.
 *
 * @module
 */
import { DEFAULT_CONFIG } from "../connection/config.ts";
import type { PeerStream } from "./connection.ts";
import { type Call, Endpoint, type Reach } from "./endpoint.ts";
import { Identity } from "./identity.ts";
import type { SocketPlan } from "./open-sockets.ts";

/** What callers share an endpoint for. */
export interface DialPlan {
  readonly sockets: SocketPlan;
  readonly reach: Reach;
}

const endpoints = new Map<string, Promise<Endpoint>>();

/**
 * Calls a listener from the shared endpoint of the plan.
 *
 * @throws {@link PunchlineError} as `connect` does.
 */
export async function dial(plan: DialPlan, call: Call): Promise<PeerStream> {
  if (call.channel !== undefined) return dialAlone(plan, call);
  let endpoint = await shared(plan);
  // Its last connection may have ended while we waited.
  while (endpoint.isOver) endpoint = await shared(plan);
  if (call.signal?.aborted) {
    endpoint.release();
    throw call.signal.reason;
  }
  return endpoint.connect(call);
}

/** A channel brings what concerns one call, so that call has an endpoint of its own. */
async function dialAlone(plan: DialPlan, call: Call): Promise<PeerStream> {
  const endpoint = await open(plan, () => {});
  try {
    call.signal?.throwIfAborted();
    return await endpoint.connect(call);
  } finally {
    endpoint.release();
  }
}

function shared(plan: DialPlan): Promise<Endpoint> {
  const key = JSON.stringify(plan);
  const known = endpoints.get(key);
  if (known !== undefined) return known;
  const opening = open(plan, () => {
    if (endpoints.get(key) === opening) endpoints.delete(key);
  });
  endpoints.set(key, opening);
  return opening;
}

/** Opens an endpoint; `onGone` is called when it cannot be shared any more. */
async function open(plan: DialPlan, onGone: () => void): Promise<Endpoint> {
  try {
    // Each call brings its own identity; this one is never shown to anybody.
    const identity = Identity.generate().keyPair;
    const { sockets, reach } = plan;
    return await Endpoint.open({ plan: sockets, reach, config: DEFAULT_CONFIG, identity, onEnd: onGone });
  } catch (error) {
    onGone();
    throw error;
  }
}
