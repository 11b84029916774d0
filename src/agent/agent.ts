/**
 * An endpoint that finds its peers through servers: the machine behind `connect` and `listen` (spec/paths.md#agent).
 *
 * Theory of operation. The endpoint knows connections, and nothing of how two sides come to know of each other. An agent
 * stands around it: it keeps sessions with servers, which are connections of the same endpoint, finds out where it may be
 * reached, carries the handshake by envelopes, and has the connection punch at the right moments with the right sockets.
 * All of that shares the transport's own sockets, because the peer must see the port that the servers saw.
 *
 * An agent without servers is its endpoint, and costs nothing more.
 *
 * @module
 */
import type { CarrierRef } from "../connection/acceptor.ts";
import type { ConnectionMachine } from "../connection/connection.ts";
import { type ConnectOptions, EndpointMachine, type EndpointOptions } from "../connection/endpoint.ts";
import type { EndpointEvent } from "../connection/endpoint-events.ts";
import type { ConnectionEvent, SocketRequest } from "../connection/events.ts";
import type { Situation } from "../connection/situation.ts";
import { deriveServerKeys } from "../crypto/server-keys.ts";
import { ticketBlind, ticketSlot } from "../crypto/slots.ts";
import { deriveTicketKeys, type TicketKeys } from "../crypto/ticket-keys.ts";
import { PunchBudget } from "../path/punch/budget.ts";
import { type TicketFields, ticketCore } from "../ticket/ticket.ts";
import { toHex } from "../util/bytes.ts";
import { Deque } from "../util/deque.ts";
import type { Address, Datagram, Machine, SocketId, Transmit } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { classify } from "../wire/datagram.ts";
import { ChannelCalls } from "./channel-calls.ts";
import type { AgentContext } from "./context.ts";
import type { AgentEvent, ServerState } from "./events.ts";
import { FilteringTests } from "./filtering-tests.ts";
import { IncomingCall, type Invitation } from "./incoming-call.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { OutgoingCall, type OutgoingCallOptions } from "./outgoing-call.ts";
import { Pasting } from "./pasting.ts";
import { Sampler } from "./sampler.ts";
import { type LinkEvent, ServerLink } from "./server-link.ts";
import { discoveryServers } from "./server-places.ts";
import { type FreshSocket, SocketDesk } from "./socket-desk.ts";
import { type MainSocket, type MappedPort, Surroundings } from "./surroundings.ts";

// Implementation

/** Sockets that a connection does not use are closed so long after it is open, in ms: the peer may have found another way. */
const SOCKET_LINGER: Duration = 2_000;

/** Invitations that wait for the application's decision; a server brings no more than this at a time. */
const MAX_INVITATIONS = 1_024;

/** What an agent is made of. */
export interface AgentOptions extends Omit<EndpointOptions, "situationFor" | "server" | "limits" | "sockets"> {
  /** The transport's own sockets. */
  readonly sockets: readonly MainSocket[];
  /** Tells every peer the addresses of this machine's interfaces, not only neighbours behind the same NAT. */
  readonly tellsHosts?: boolean;
}

/** A server through which peers are found. */
export interface AgentServer {
  /** Pin of its key. */
  readonly pin: Uint8Array;
  /** Where it can be reached, its main place first. */
  readonly addresses: readonly Address[];
}

/** See the module. */
export class AgentMachine implements Machine<AgentEvent> {
  readonly endpoint: EndpointMachine;
  readonly #options: AgentOptions;
  readonly #desk = new SocketDesk();
  readonly #surroundings: Surroundings;
  readonly #sampler: Sampler;
  readonly #filtering: FilteringTests;
  readonly #budget = new PunchBudget();
  readonly #events = new Deque<AgentEvent>();
  /** By pin, in hexadecimal. */
  readonly #links = new Map<string, ServerLink>();
  readonly #outgoing = new Map<ConnectionMachine, OutgoingCall>();
  readonly #incoming = new Map<ConnectionMachine, IncomingCall>();
  /** Invitations whose answer the endpoint owes. */
  readonly #invitations = new Map<CarrierRef, Invitation>();
  readonly #journals = new WeakMap<ConnectionMachine, Journal>();
  /** When sockets of connections that are open are closed, in order of time. */
  readonly #prunings = new Deque<{ readonly connection: ConnectionMachine; readonly at: Instant }>();
  /** The servers of a listener, in the order in which it named them. */
  #servers: readonly ServerLink[] = [];
  /** Slots of tickets by their names in events, at each server. */
  readonly #tickets = new Map<string, TicketKeys>();
  readonly #context: AgentContext;
  readonly #pasting: Pasting;
  readonly #channel: ChannelCalls;
  #lastRef: CarrierRef = 0;
  #isSampling = false;
  /** The fresh socket that a sample is taken with. */
  #sampled: SocketId | undefined;
  #now = 0 as Instant;

  constructor(options: AgentOptions) {
    this.#options = options;
    const { random, pool, sockets } = options;
    this.endpoint = new EndpointMachine({ ...options, situationFor: (ref) => this.#situationFor(ref) });
    this.#surroundings = new Surroundings({ sockets, random, pool, desk: this.#desk });
    this.#sampler = new Sampler({ random, pool });
    this.#filtering = new FilteringTests({ endpoint: this.endpoint, desk: this.#desk, random });
    this.#context = {
      ...{ endpoint: this.endpoint, desk: this.#desk, surroundings: this.#surroundings },
      ...{ sampler: this.#sampler, budget: this.#budget },
      journal: (connection) => this.#journals.get(connection),
    };
    this.#pasting = new Pasting(this.#context, { sockets, random, tellsHosts: options.tellsHosts === true });
    this.#channel = new ChannelCalls(this.#context, {
      tellsHosts: options.tellsHosts === true,
      newRef: () => this.#newRef(),
      onInvited: () => this.#onInvitedHere(),
    });
  }

  // Inputs

  receive(datagram: Datagram, now: Instant): void {
    this.#advance(now);
    const { payload } = datagram;
    const kind = payload.length === 0 ? "foreign" : classify(payload[0]!);
    if (kind === "stun") {
      this.#surroundings.receive(datagram, this.#now);
      this.#sampler.receive(datagram, this.#now);
    } else if (kind === "witness") {
      this.#filtering.receive(datagram, this.#now);
    } else {
      this.endpoint.receive(datagram, this.#now);
    }
    this.#proceed();
  }

  handleTimeout(now: Instant): void {
    this.#advance(now);
    this.endpoint.handleTimeout(this.#now);
    this.#surroundings.handleTimeout(this.#now);
    this.#sampler.handleTimeout(this.#now);
    this.#filtering.handleTimeout(this.#now);
    for (const link of this.#links.values()) link.handleTimeout(this.#now);
    for (const call of this.#outgoing.values()) call.handleTimeout(this.#now);
    for (const call of this.#incoming.values()) call.handleTimeout(this.#now);
    this.#pasting.handleTimeout(this.#now);
    this.#channel.handleTimeout(this.#now);
    this.#prune();
    this.#proceed();
  }

  onMtuProbeRefused(via: SocketId, to: Address, size: number, now: Instant): void {
    this.endpoint.onMtuProbeRefused(via, to, size, now);
  }

  /** Input: a message of the channel, of any origin and contents. */
  onChannelMessage(bytes: Uint8Array, now: Instant): void {
    this.#advance(now);
    this.#channel.onMessage(bytes, this.#now);
    this.#proceed();
  }

  /** Input: the sockets that a `sockets-wanted` asked for, or as many as there are. */
  onSockets(request: number, sockets: readonly FreshSocket[], now: Instant): void {
    this.#advance(now);
    this.#desk.onSockets(request, sockets, this.#now);
    this.#proceed();
  }

  /** Input: the addresses of this machine that mean something elsewhere; their ports do not count. */
  onInterfaces(addresses: readonly Address[], now: Instant): void {
    this.#advance(now);
    this.#surroundings.onInterfaces(addresses);
    this.#proceed();
  }

  /** Input: the router has given us a port for the first socket of IPv4, or has taken it back. */
  onMappedPort(mapped: MappedPort | undefined, now: Instant): void {
    this.#advance(now);
    this.#surroundings.onMappedPort(mapped);
    this.#proceed();
  }

  /** Input: the router says that this is its outer address. */
  onRouterAddress(host: string, now: Instant): void {
    this.#advance(now);
    this.#surroundings.onRouterAddress(host, this.#now);
    this.#proceed();
  }

  // Commands

  /** Calls the listener of a ticket; the servers of the ticket come by {@link introduce}. */
  connect(options: ConnectOptions, now: Instant): ConnectionMachine {
    this.#advance(now);
    const connection = this.endpoint.connect(options, this.#now);
    this.#journals.set(connection, new Journal(this.#now));
    return connection;
  }

  /** Calls by way of servers as well. Once for a connection, while it is calling. */
  introduce(connection: ConnectionMachine, ticket: TicketFields, servers: readonly AgentServer[], now: Instant): void {
    this.#advance(now);
    if (connection.state !== "connecting" || servers.length === 0 || this.#outgoing.has(connection)) return;
    this.#surroundings.gather(discoveryServers(servers), this.#now);
    this.#call({ connection, routes: this.#routesTo(ticket, servers) });
  }

  /**
   * Asks the listener of a ticket where it is and what its network is like. The answer comes as an `examined` event, or the
   * connection says why there is none. It opens in no case, and no use of the ticket is counted.
   */
  examine(options: ConnectOptions, servers: readonly AgentServer[], now: Instant): ConnectionMachine {
    const ticket = { ...options.ticket, addresses: [] };
    const connection = this.connect({ ...options, ticket }, now);
    this.#surroundings.gather(discoveryServers(servers), this.#now);
    this.#call({
      connection,
      routes: this.#routesTo(ticket, servers),
      onAnswer: (answer) => this.#events.push({ type: "examined", connection, answer }),
    });
    return connection;
  }

  /** Registers the endpoint's tickets, now and later, at these servers. Once. */
  useServers(servers: readonly AgentServer[], now: Instant): void {
    this.#advance(now);
    this.#servers = servers.map((server) => this.#linkTo(server));
    for (const link of this.#servers) link.hold(this.#now);
    for (const keys of this.#tickets.values()) this.#register(keys);
    this.#surroundings.gather(discoveryServers(servers), this.#now);
    this.#proceed();
  }

  /** Calls a listener that is told by hand: a `pasting-invitation` follows. */
  connectPasted(options: ConnectOptions, servers: readonly Address[], now: Instant): ConnectionMachine {
    // Whatever arrives before the listener has opened its NAT may close that for good (spec/paste.md#waiting).
    const connection = this.connect({ ...options, ticket: { ...options.ticket, addresses: [] } }, now);
    this.#pasting.call(connection, options.ticket.addresses, servers, this.#now);
    this.#proceed();
    return connection;
  }

  /** Finds out where callers may reach us who tell by hand that they call: a `pasting-ready` follows, or `pasting-blocked`. */
  listenPasted(servers: readonly Address[], now: Instant): void {
    this.#advance(now);
    this.#pasting.listen(servers, this.#now);
    this.#proceed();
  }

  /** Calls by a channel of the application as well: `envelope` events follow. Once for a connection, while it is calling. */
  callByChannel(connection: ConnectionMachine, servers: readonly Address[], now: Instant): void {
    this.#advance(now);
    this.#channel.call(connection, servers, this.#now);
    this.#proceed();
  }

  /** Answers who calls by a channel of the application, from now on. The servers tell by STUN where we are. */
  useChannel(servers: readonly Address[], now: Instant): void {
    this.#advance(now);
    this.#channel.listen(servers, this.#now);
    this.#proceed();
  }

  /** Input: a message that came by hand. Returns why nothing comes of it, if so; `refused` means that the caller is told. */
  onPasted(core1: Uint8Array, now: Instant): string | undefined {
    this.#advance(now);
    const ref = this.#newRef();
    this.#pasting.expect(ref);
    const dropped = this.endpoint.onInvitation(core1, ref, this.#now);
    if (dropped !== undefined) this.#pasting.forget(ref);
    this.#proceed();
    return dropped ?? (this.#pasting.isRefused ? "refused" : undefined);
  }

  /** Honours a ticket with the endpoint's identity. Returns the name under which it appears in events. */
  addTicket(fields: TicketFields, uses: number, now: Instant): string {
    this.#advance(now);
    const id = this.endpoint.addTicket(fields, uses);
    const keys = ticketKeysOf(fields);
    this.#tickets.set(id, keys);
    this.#register(keys);
    this.#proceed();
    return id;
  }

  /** Forgets all tickets, here and at servers. Open connections live on. */
  stopAccepting(now: Instant): void {
    this.#advance(now);
    this.endpoint.stopAccepting();
    this.#tickets.clear();
    for (const link of this.#servers) link.release(this.#now);
    this.#servers = [];
    this.#pasting.stopAccepting();
    this.#channel.stopAccepting();
    this.#proceed();
  }

  // Outputs

  pollTransmit(now: Instant): Transmit | undefined {
    this.#advance(now);
    const transmit = this.endpoint.pollTransmit(this.#now);
    if (transmit !== undefined) return transmit;
    const asked = this.#surroundings.pollTransmit(this.#now) ?? this.#sampler.pollTransmit(this.#now);
    return asked ?? this.#pasting.pollTransmit(this.#now);
  }

  pollEvent(): AgentEvent | undefined {
    // Commands to connections may have had consequences.
    this.#proceed();
    return this.#events.shift();
  }

  nextTimeout(): Instant | undefined {
    let next = earliest(this.endpoint.nextTimeout(), this.#surroundings.nextTimeout());
    next = earliest(earliest(next, this.#sampler.nextTimeout()), this.#filtering.nextTimeout());
    for (const link of this.#links.values()) next = earliest(next, link.nextTimeout());
    for (const call of this.#outgoing.values()) next = earliest(next, call.nextTimeout());
    for (const call of this.#incoming.values()) next = earliest(next, call.nextTimeout());
    next = earliest(earliest(next, this.#pasting.nextTimeout()), this.#channel.nextTimeout());
    return earliest(next, this.#prunings.first?.at);
  }

  // Getters

  /** What has happened to a connection that we called, in order of time. */
  journal(connection: ConnectionMachine): readonly JournalEntry[] {
    return this.#journals.get(connection)?.entries ?? [];
  }

  /** What is known of where we are; another generation each time. */
  get situation(): Situation {
    return this.#surroundings.announce({ withHosts: true }).situation;
  }

  /** Has a server that answers tell how our NATs filter, where nobody knows yet. */
  #learnFiltering({ target }: ServerLink): void {
    for (const family of this.#surroundings.unfiltered) this.#filtering.begin(family, target);
  }

  /** Whether nobody needs to know where we are. */
  get #isAlone(): boolean {
    const isUsed = this.#pasting.isActive || this.#channel.isActive;
    return this.#outgoing.size === 0 && this.#servers.length === 0 && !isUsed;
  }

  #stopGathering(): void {
    this.#surroundings.stop();
    this.#filtering.stop(this.#now);
  }

  #call(options: Omit<OutgoingCallOptions, "tellsHosts">): void {
    const tellsHosts = this.#options.tellsHosts === true;
    this.#outgoing.set(options.connection, new OutgoingCall(this.#context, { ...options, tellsHosts }, this.#now));
    this.#proceed();
  }

  #routesTo(ticket: TicketFields, servers: readonly AgentServer[]): OutgoingCallOptions["routes"] {
    const keys = ticketKeysOf(ticket);
    return servers.map((server) => ({
      link: this.#linkTo(server),
      slot: ticketSlot(ticket.key, ticketBlind(keys, server.pin)),
    }));
  }

  #linkTo(server: AgentServer): ServerLink {
    const key = toHex(server.pin);
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const { random, identity } = this.#options;
    const target = { keys: deriveServerKeys(server.pin), addresses: server.addresses };
    const link = new ServerLink({ endpoint: this.endpoint, target, random, identity });
    this.#links.set(key, link);
    return link;
  }

  #register(keys: TicketKeys): void {
    for (const link of this.#servers) {
      link.client.register([{ kind: "ticket", blind: ticketBlind(keys, link.target.keys.pin) }]);
      link.flush(this.#now);
    }
  }

  /** Hands on all that the parts have to say to each other, until nobody has anything to say. */
  #proceed(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (let event = this.endpoint.pollEvent(); event !== undefined; event = this.endpoint.pollEvent()) {
        this.#onEndpointEvent(event);
        isBusy = true;
      }
      for (const link of this.#links.values()) {
        link.flush(this.#now);
        for (let event = link.pollEvent(); event !== undefined; event = link.pollEvent()) {
          this.#onLinkEvent(link, event);
          isBusy = true;
        }
      }
      if (this.#sampler.takeChange()) this.#onSamples();
      for (let each = this.#filtering.pollVerdict(); each !== undefined; each = this.#filtering.pollVerdict()) {
        this.#surroundings.onFiltering(each.family, each.filtering, this.#now);
      }
      if (this.#surroundings.takeChange()) {
        for (const call of this.#outgoing.values()) call.onNews(this.#now);
        for (const call of this.#incoming.values()) call.onNews(this.#now);
        this.#pasting.onNews(this.#now);
        this.#channel.onNews(this.#now);
        isBusy = true;
      }
    }
    for (let each = this.#pasting.pollEvent(); each !== undefined; each = this.#pasting.pollEvent()) {
      this.#events.push(each);
    }
    for (let bytes = this.#channel.pollMessage(); bytes !== undefined; bytes = this.#channel.pollMessage()) {
      this.#events.push({ type: "envelope", bytes });
    }
    for (let wish = this.#desk.pollWish(); wish !== undefined; wish = this.#desk.pollWish()) this.#events.push(wish);
    this.#sweep();
  }

  #onEndpointEvent(event: EndpointEvent): void {
    switch (event.type) {
      case "answer":
        this.#onAnswer(event);
        return;
      case "client":
        return;
      case "connection":
        this.#onConnectionEvent(event.connection, event.event);
        return;
      default:
        this.#events.push(event);
    }
  }

  #onConnectionEvent(connection: ConnectionMachine, event: ConnectionEvent): void {
    for (const link of this.#links.values()) {
      if (link.connection !== connection) continue;
      link.onEvent(event, this.#now);
      return;
    }
    if (this.#filtering.onEvent(connection, event, this.#now)) return;
    const call = this.#outgoing.get(connection);
    call?.onConnectionEvent(event, this.#now);
    this.#incoming.get(connection)?.onConnectionEvent(event);
    this.#pasting.onConnectionEvent(connection, event, this.#now);
    const cause = call?.cause ?? this.#channel.causeOf(connection);
    this.#channel.onConnectionEvent(connection, event, this.#now);
    switch (event.type) {
      case "sockets":
        this.#onSocketRequest(connection, event.request);
        return;
      case "answered":
      case "exhausted":
      case "peer-moved":
        return;
      case "connected":
        this.#prunings.push({ connection, at: after(this.#now, SOCKET_LINGER) });
        break;
      case "closed":
        this.#desk.prune(connection, undefined);
        if (event.reason.kind === "unreachable" && event.reason.cause === undefined && cause !== undefined) {
          const reason = { ...event.reason, cause };
          this.#events.push({ type: "connection", connection, event: { type: "closed", reason } });
          return;
        }
        break;
      default:
        break;
    }
    this.#events.push({ type: "connection", connection, event });
  }

  /** Ports are guessed with sockets that belong to the connection. */
  #onSocketRequest(connection: ConnectionMachine, request: SocketRequest): void {
    if (request.type === "close-sockets") {
      this.#desk.close(request.sockets);
      return;
    }
    const { id, count, family } = request;
    this.#desk.ask(count, family, (sockets, now) => {
      for (const { via } of sockets) this.#desk.own(connection, via);
      connection.onSockets(
        id,
        sockets.map(({ via }) => via),
        now,
      );
      if (connection.state === "closed") this.#desk.prune(connection, undefined);
    });
  }

  #onLinkEvent(link: ServerLink, event: LinkEvent): void {
    const server = this.#servers.indexOf(link);
    switch (event.type) {
      case "welcome":
        this.#surroundings.onSeen(event.address, this.#now);
        if (server !== -1) this.#learnFiltering(link);
        return;
      case "registered":
        this.#tellServer(server, "registered");
        return;
      case "registration-failed":
        this.#tellServer(server, "refused");
        return;
      case "displaced":
        this.#tellServer(server, "displaced");
        return;
      case "invited":
        this.#onInvited(link, event);
        return;
      case "down":
        this.#tellServer(server, "unreachable");
        break;
      default:
        break;
    }
    for (const call of this.#outgoing.values()) {
      call.onLinkEvent(link, event, this.#now);
      if (event.type === "answered" && call.needsGuess) this.#learnFiltering(link);
    }
    for (const call of this.#incoming.values()) call.onLinkEvent(link, event, this.#now);
  }

  #tellServer(server: number, state: ServerState): void {
    if (server !== -1) this.#events.push({ type: "server", server, state });
  }

  #onInvited(link: ServerLink, event: Extract<LinkEvent, { type: "invited" }>): void {
    const { call, envelope, seen, rtt } = event;
    if (envelope.kind !== "core1" || this.#invitations.size >= MAX_INVITATIONS) return;
    const ref = this.#newRef();
    this.#invitations.set(ref, { link, call, seen, rtt });
    if (this.endpoint.onInvitation(envelope.content, ref, this.#now) !== undefined) {
      this.#invitations.delete(ref);
      return;
    }
    this.#onInvitedHere();
  }

  /** Where ports are given in order, the next one is to be foretold from what they are now. */
  #onInvitedHere(): void {
    if (this.#surroundings.isPredictable) this.#takeSample();
  }

  #newRef(): CarrierRef {
    this.#lastRef += 1;
    return this.#lastRef;
  }

  /** The endpoint's answer to an invitation, at once or once the application has decided. */
  #onAnswer(event: Extract<EndpointEvent, { type: "answer" }>): void {
    if (this.#pasting.onAnswer(event, this.#now) || this.#channel.onAnswer(event, this.#now)) return;
    const { ref, core, connection } = event;
    const invitation = this.#invitations.get(ref);
    this.#invitations.delete(ref);
    if (invitation === undefined) return;
    const { link, call } = invitation;
    link.client.answer(call, { kind: "core2", content: core }, this.#now);
    link.flush(this.#now);
    if (connection === undefined) return;
    const known = this.#incoming.get(connection);
    if (known !== undefined) {
      known.onCopy(invitation);
      return;
    }
    const tellsHosts = this.#options.tellsHosts === true;
    this.#incoming.set(connection, new IncomingCall(this.#context, { invitation, connection, tellsHosts }, this.#now));
  }

  #situationFor(ref: CarrierRef): Situation {
    const seen = this.#invitations.get(ref)?.seen;
    const isNeighbour = this.#surroundings.reflexive.some(({ host }) => host === seen);
    return this.#surroundings.announce({ withHosts: this.#options.tellsHosts === true || isNeighbour }).situation;
  }

  /** Asks servers about a fresh socket: the newest port that the NAT has given. */
  #takeSample(): void {
    const servers = this.#surroundings.samplingServers;
    if (this.#isSampling || servers.length === 0) return;
    this.#isSampling = true;
    this.#desk.ask(1, 4, ([socket], now) => {
      this.#sampled = socket?.via;
      this.#isSampling = socket !== undefined;
      const rtt = this.#servers.find(({ isUp }) => isUp)?.rtt;
      if (socket !== undefined) this.#sampler.sample(socket.via, servers, rtt, now);
    });
  }

  #onSamples(): void {
    for (const call of this.#outgoing.values()) call.onSamples(this.#now);
    for (const call of this.#incoming.values()) call.onSamples(this.#now);
    this.#pasting.onSamples(this.#now);
    this.#channel.onSamples(this.#now);
    const via = this.#sampled;
    if (via === undefined || !this.#sampler.isComplete(via)) return;
    this.#surroundings.onSample(this.#sampler.mapped(via), this.#now);
    this.#sampled = undefined;
    this.#isSampling = false;
    this.#sampler.forget(via);
    this.#desk.close([via]);
  }

  /** Forgets what is over. */
  #sweep(): void {
    for (const [connection, call] of this.#outgoing) {
      if (!call.isOver) continue;
      this.#outgoing.delete(connection);
      if (this.#isAlone) this.#stopGathering();
    }
    const hasEnded = [this.#pasting.sweep(), this.#channel.sweep()].includes(true);
    if (hasEnded && this.#isAlone) this.#stopGathering();
    for (const [connection, call] of this.#incoming) {
      if (!call.isOver) continue;
      this.#incoming.delete(connection);
      // Nobody hears of a connection that never opened.
      if (connection.state === "closed") this.#desk.prune(connection, undefined);
    }
    for (const [key, link] of this.#links) {
      if (!link.isHeld && link.connection === undefined) this.#links.delete(key);
    }
  }

  #prune(): void {
    for (let first = this.#prunings.first; first !== undefined && first.at <= this.#now; first = this.#prunings.first) {
      this.#prunings.shift();
      this.#desk.prune(first.connection, first.connection.paths()[0]?.local);
    }
  }

  #advance(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }
}

function ticketKeysOf(fields: TicketFields): TicketKeys {
  return deriveTicketKeys({ key: fields.key, secret: fields.secret, core: ticketCore(fields) });
}
