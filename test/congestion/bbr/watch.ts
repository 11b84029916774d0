/**
 * BBR at work in the simulator, with what it thinks: every change of phase, and its state at the last acknowledgement.
 *
 * @module
 */
import { vi } from "vitest";
import { Bbr } from "../../../src/congestion/bbr/bbr.ts";
import type { AckEvent, CongestionSnapshot } from "../../../src/congestion/controller.ts";
import { type Bottleneck, type FlowOptions, Flows } from "../flows.ts";

/** One acknowledgement, as the controller left it. */
export interface Step extends CongestionSnapshot {
  readonly at: number;
  readonly bytesInFlight: number;
}

/** A change of phase. `before` is the last step of the old phase, `step` the first of the new one. */
export interface Change {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly before: Step;
  readonly step: Step;
}

/** One flow with BBR over a bottleneck. */
export class Watch {
  readonly flows: Flows;
  readonly changes: Change[] = [];
  readonly steps: Step[] = [];

  constructor(bottleneck: Bottleneck, flow: FlowOptions = {}, seed = 1) {
    const onAck = Bbr.prototype.onAck;
    let first: Bbr | undefined;
    const watch = this;
    vi.spyOn(Bbr.prototype, "onAck").mockImplementation(function (this: Bbr, event: AckEvent) {
      onAck.call(this, event);
      // The sender's: the first to have an acknowledgement with much in flight.
      if (first === undefined && event.bytesInFlight > 5_000) first = this;
      if (this === first) watch.#note({ ...this.snapshot(), at: event.now, bytesInFlight: event.bytesInFlight });
    });
    this.flows = new Flows(bottleneck, [{ ...flow, config: { ...flow.config, congestion: "bbr" } }], seed);
  }

  /** Command: lets time pass, in ms. */
  run(span: number): this {
    this.flows.run(span);
    return this;
  }

  /** Command: lets time pass until the phase changes to `phase`; returns the change. */
  runTo(phase: string, limit = 20_000): Change {
    const { length } = this.changes;
    const { world } = this.flows;
    world.run({ until: () => this.changes.slice(length).some(({ to }) => to === phase), for: limit });
    const change = this.changes.slice(length).find(({ to }) => to === phase);
    if (change === undefined) throw new Error(`no ${phase} within ${limit} ms; it is ${this.last.state}`);
    return change;
  }

  /** The phases so far, in order. */
  get phases(): readonly string[] {
    return ["startup", ...this.changes.map(({ to }) => to)];
  }

  get last(): Step {
    return this.steps.at(-1)!;
  }

  /** The flow's link. */
  get link() {
    return this.flows.link;
  }

  #note(step: Step): void {
    const before = this.steps.at(-1);
    if (before !== undefined && before.state !== step.state) {
      this.changes.push({ at: step.at, from: before.state, to: step.state, before, step });
    }
    this.steps.push(step);
  }
}

/** Bytes of UDP payload per ms that a link of so many Mbit/s carries in full packets of 1500 bytes. */
export function payloadRate(megabits: number): number {
  return (megabits * 125 * 1472) / 1500;
}
