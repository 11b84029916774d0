/**
 * The two modules of the npm package `stun` 2.1.0 that are used, which comes without types. Only package.ts imports them.
 *
 * @module
 */

declare module "stun/src/node_modules/message/request.js" {
  /** A message being built. */
  class StunRequest {
    setType(type: number): void;
    setTransactionId(id: Uint8Array): boolean;
    addAttribute(type: number, ...values: readonly unknown[]): unknown;
    toBuffer(): Uint8Array;
  }
  export default StunRequest;
}

declare module "stun/src/node_modules/message/decode.js" {
  /** A message that was read. */
  interface StunMessage {
    getAttribute(type: number): { readonly value: unknown } | undefined;
  }
  export default function decode(message: Uint8Array): StunMessage;
}
