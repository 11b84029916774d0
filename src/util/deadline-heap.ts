/**
 * Many deadlines, one timer: a binary heap whose members know their place, so that each can be moved in O(log n).
 *
 * @module
 */
import type { Instant } from "./time.ts";

/** What a member of a {@link DeadlineHeap} lends to it. Only the heap writes these two fields. */
export interface HasDeadline {
  /** When the member wants to be woken; meaningless while it is not in the heap. */
  deadline: Instant;
  /** Place in the heap, −1 while not in it. */
  heapIndex: number;
}

/** A priority queue of members by deadline. */
export class DeadlineHeap<Member extends HasDeadline> {
  readonly #members: Member[] = [];

  /** Command: sets or, with `undefined`, removes the deadline of `member`. */
  set(member: Member, deadline: Instant | undefined): void {
    if (deadline === undefined) {
      this.#remove(member);
      return;
    }
    if (member.heapIndex === -1) {
      member.heapIndex = this.#members.length;
      this.#members.push(member);
      member.deadline = deadline;
      this.#rise(member);
      return;
    }
    const old = member.deadline;
    if (deadline === old) return;
    member.deadline = deadline;
    if (deadline < old) this.#rise(member);
    else this.#sink(member);
  }

  /** The member with the earliest deadline. */
  first(): Member | undefined {
    return this.#members[0];
  }

  /** Members with a deadline. */
  get size(): number {
    return this.#members.length;
  }

  #remove(member: Member): void {
    const index = member.heapIndex;
    if (index === -1) return;
    const last = this.#members.pop()!;
    member.heapIndex = -1;
    if (last === member) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(member: Member): void {
    let index = member.heapIndex;
    while (index > 0) {
      const parent = this.#members[(index - 1) >> 1]!;
      if (parent.deadline <= member.deadline) break;
      this.#place(parent, index);
      index = (index - 1) >> 1;
    }
    this.#place(member, index);
  }

  #sink(member: Member): void {
    const size = this.#members.length;
    let index = member.heapIndex;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#members[child + 1]!.deadline < this.#members[child]!.deadline) child += 1;
      const smaller = this.#members[child]!;
      if (smaller.deadline >= member.deadline) break;
      this.#place(smaller, index);
      index = child;
    }
    this.#place(member, index);
  }

  #place(member: Member, index: number): void {
    this.#members[index] = member;
    member.heapIndex = index;
  }
}
