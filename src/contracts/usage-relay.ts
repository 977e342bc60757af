/** Input of the `usageRelay` workflow. */
export interface UsageRelayInput {
  /** The partitions it tails; it has one cursor and one fencing epoch. */
  readonly group: string;
  /** Without a heartbeat for this long (ms) the relay of a lost worker is started elsewhere. */
  readonly heartbeatTimeoutMs: number;
}
