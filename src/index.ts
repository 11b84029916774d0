/**
 * punchline: an encrypted, reliable stream between two programs that hold a ticket.
 *
 * @module
 */
export { CONGESTION_NAMES, type CongestionName } from "./congestion/create.ts";
export { connect } from "./connect.ts";
export type { Attempt, CloseReason, Refusal } from "./connection/events.ts";
export type { ConnectionStats } from "./connection/snapshot.ts";
export { type DiagnoseOptions, diagnose, diagnosePeer } from "./diagnose.ts";
export type { ExplainOptions } from "./doctor/explain.ts";
export type { DirectVerdict, PairVerdict } from "./doctor/pair-verdict.ts";
export { Redaction } from "./doctor/redaction.ts";
export type { NatReport, NetworkReport, ServerReport } from "./doctor/report.ts";
export { decodeReport, encodeReport, type ReportProblem } from "./doctor/report-string.ts";
export { verdictOf } from "./doctor/verdict.ts";
export { wordsOf } from "./doctor/words.ts";
export {
  Connection,
  type ConnectionEvents,
  type OpenStreamOptions,
  type PathInfo,
  PeerStream,
} from "./io/connection.ts";
export { type ErrorCode, type ErrorOrigin, PunchlineError } from "./io/errors.ts";
export { Identity } from "./io/identity.ts";
export { loadIdentity } from "./io/identity-file.ts";
export { Listener, type ListenerCloseOptions, type ListenerEvents } from "./io/listener.ts";
export type { OpenQlog, QlogTarget } from "./io/qlog.ts";
export type { Server } from "./io/server.ts";
export { type RedactedTicket, Ticket } from "./io/ticket.ts";
export type { PeerRequest, TicketOptions } from "./io/ticket-options.ts";
export { listen } from "./listen.ts";
export type { CommonOptions, ConnectOptions, ListenOptions } from "./options.ts";
export { type ServeOptions, serve } from "./serve.ts";
export { type LimitName, type LimitOptions, type LimitRange, SERVER_LIMITS } from "./server/limit-options.ts";
export type { ServerMachineHealth as ServerHealth } from "./server/server-machine.ts";
export type { Signalling } from "./signal/carrier.ts";
export type { Address } from "./util/machine.ts";
