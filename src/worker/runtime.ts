import { isIPv6 } from 'node:net';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { LogLevel as TemporalLogLevel } from '@temporalio/worker';
import { IllegalStateError } from '@temporalio/common';
import type { Config } from '../config.js';

const levels: Readonly<Record<Config['logLevel'], TemporalLogLevel>> = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
  fatal: 'ERROR',
  silent: 'ERROR',
};

/** `127.0.0.1:9464`, `[::]:9464`. */
export function bindAddressOf({ host, port }: NonNullable<Config['metrics']>): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * The process's one Temporal runtime. Signals of the operating system are the program's own business: it stops API, relay
 * and worker in order. In a process that has a runtime already (several workers, tests) that one stays.
 */
export function installRuntime({ logLevel, metrics }: Pick<Config, 'logLevel' | 'metrics'>): void {
  try {
    Runtime.install({
      shutdownSignals: [],
      logger: new DefaultLogger(levels[logLevel]),
      telemetryOptions: {
        // Loopback unless told otherwise: metrics name task queues and workflows to whoever can read them.
        ...(metrics !== null && { metrics: { prometheus: { bindAddress: bindAddressOf(metrics) } } }),
      },
    });
  } catch (error) {
    if (!(error instanceof IllegalStateError)) throw error;
  }
}
