/**
 * Lets the search for the path's MTU and the detector of black holes work on a connection (spec/mtu.md).
 *
 * Each path has its own of both. This file asks for probes when there is use for them, tells both what became of packets,
 * and everybody else when the size of datagrams changes.
 *
 * @module
 */
import { headersOf } from "../path/mtu-search.ts";
import type { Instant } from "../util/time.ts";
import { BASE_DATAGRAM_SIZE, MAX_DATAGRAM_SIZE } from "../wire/datagram.ts";
import { PACKET_OVERHEAD } from "../wire/packet-header.ts";
import type { Core } from "./core.ts";
import type { Path } from "./paths.ts";

// Specification

/** The MTU of an interface that is unknown: Ethernet's. */
const ASSUMED_MTU = 1500;

/** Bytes of a DATAGRAM frame beside its data: type and length (RFC 9221 §4). */
const DATAGRAM_FRAME_OVERHEAD = 3;

// Implementation

/** Bytes that must have arrived before the search begins: the initial window. Shorter exchanges gain nothing by it. */
const MIN_DELIVERED = 12_000;

/** The size of a probe that should go out on the active path now, where there is data to send; `undefined` for none. */
export function mtuProbeSize(core: Core, now: Instant): number | undefined {
  const path = core.paths.active;
  const { recovery } = core;
  // A path that is silent tells nothing about sizes.
  if (path === undefined || !path.isProven || recovery.probeCount > 0) return undefined;
  if (recovery.delivery.delivered < MIN_DELIVERED) return undefined;
  const { mtu } = path;
  if (mtu.isDue(now)) {
    mtu.begin(largestSize(core, path), now);
    followMtu(core);
  }
  // One probe at a time. It need not fit into what is left of the window, and so never waits; no more than half of the
  // window keeps it harmless, and the smallest window, two packets, below the present one (RFC 8899 §3).
  return core.probedPath === undefined ? mtu.poll(Math.floor(core.congestion.congestionWindow / 2)) : undefined;
}

/** Input: the packet with this number is a probe of the active path. */
export function onMtuProbeSent(core: Core, packetNumber: number): void {
  core.counters.mtuProbesSent += 1;
  core.probedPath = core.paths.active;
  core.probedPath?.mtu.onProbeSent(packetNumber);
}

/** Input: a datagram of this size, a probe on `path`, left in fragments or not at all. */
export function onMtuProbeRefused(core: Core, path: Path, size: number, now: Instant): void {
  if (core.probedPath !== path || path.mtu.probeSize !== size) return;
  core.counters.mtuProbesLost += 1;
  core.trace?.onMtuProbeLost(path.mtu.probeNumber);
  core.probedPath = undefined;
  path.mtu.onProbeLost(now);
}

/** Input: recovery has found packets acknowledged or lost, and its lists still say which. */
export function onRecovered(core: Core, now: Instant): void {
  if (core.probedPath !== undefined) settleProbe(core, core.probedPath, now);
  const path = core.paths.active;
  if (path !== undefined && path.mtu.size > BASE_DATAGRAM_SIZE) watchForBlackHole(core, path, now);
  followMtu(core);
}

/** Tells everybody if the size of datagrams, or the path that it belongs to, is another than before. */
export function followMtu(core: Core): void {
  const path = core.paths.active;
  if (path === undefined) return;
  if (path !== core.sizedPath) {
    core.sizedPath = path;
    // What is on its way took another path.
    path.blackHole.restart(core.nextDataNumber - 1);
  }
  const { size } = path.mtu;
  if (size === core.datagramSize) return;
  core.trace?.onMtu(core.datagramSize, size);
  core.datagramSize = size;
  core.congestion.onMtuChange(size);
  core.pacer.onMtuChange(size);
  core.counters.datagramsDropped += core.datagrams.dropLonger(maxDatagramLength(core));
}

/** Longest unreliable datagram that fits into a packet now, in bytes. */
export function maxDatagramLength(core: Core): number {
  const { datagramSize, peerMaxDatagramFrame } = core;
  // RFC 9221 §3: a peer that takes no datagrams says 0.
  return Math.max(0, Math.min(datagramSize - PACKET_OVERHEAD, peerMaxDatagramFrame) - DATAGRAM_FRAME_OVERHEAD);
}

/** What the interface, the peer and our own configuration allow. */
function largestSize(core: Core, path: Path): number {
  const mtu = core.interfaceMtu(path.via, path.remote) ?? ASSUMED_MTU;
  const fits = mtu - headersOf(path.remote.family);
  return Math.min(fits, core.peerMaxDatagramSize, core.config.maxDatagramSize, MAX_DATAGRAM_SIZE);
}

function settleProbe(core: Core, path: Path, now: Instant): void {
  const { mtu } = path;
  const { sent } = core.recovery;
  if (sent.isAcked(mtu.probeNumber)) {
    mtu.onProbeAcked(now);
  } else if (sent.isLost(mtu.probeNumber)) {
    core.counters.mtuProbesLost += 1;
    core.trace?.onMtuProbeLost(mtu.probeNumber);
    mtu.onProbeLost(now);
  } else {
    return;
  }
  core.probedPath = undefined;
}

function watchForBlackHole(core: Core, path: Path, now: Instant): void {
  const { recovery } = core;
  const { blackHole } = path;
  blackHole.onAcked(recovery.spurious, recovery.sent);
  blackHole.onAcked(recovery.acked, recovery.sent);
  blackHole.onLost(recovery.lost, recovery.sent);
  if (!blackHole.isBlackHole(recovery.sent.firstInFlight)) return;
  core.counters.mtuBlackHoles += 1;
  blackHole.restart(core.nextDataNumber - 1);
  if (core.probedPath === path) core.probedPath = undefined;
  path.mtu.onBlackHole(now);
}
