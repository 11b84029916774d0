/**
 * A laboratory with a station on each of its hosts, for tests with plain datagrams.
 *
 * @module
 */
import { type HostName, type LabOptions, NatLab } from "./lab.ts";
import { Reflector } from "./probe.ts";
import { Station } from "./station.ts";

/** See the module. */
export class Testbed {
  readonly lab: NatLab;
  readonly reflector: Reflector;
  readonly #stations: ReadonlyMap<HostName, Station>;

  /** Makes a laboratory, with stations on the named hosts and on the server. */
  static async create(hosts: readonly HostName[], options: LabOptions = {}): Promise<Testbed> {
    const lab = await NatLab.create(options);
    try {
      const names = ["srv", ...hosts] as const;
      const started = await Promise.all(names.map((name) => Station.start(lab.host(name))));
      const stations = new Map(names.map((name, index) => [name, started[index]!]));
      return new Testbed(lab, await Reflector.open(started[0]!), stations);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(lab: NatLab, reflector: Reflector, stations: ReadonlyMap<HostName, Station>) {
    this.lab = lab;
    this.reflector = reflector;
    this.#stations = stations;
  }

  /** The station on a host. */
  at(name: HostName): Station {
    const station = this.#stations.get(name);
    if (station === undefined) throw new RangeError(`there is no station on ${name}`);
    return station;
  }

  /** Ends everything and removes it. */
  async close(): Promise<void> {
    await Promise.all([...this.#stations.values()].map((station) => station.stop()));
    await this.lab.close();
  }
}
