/**
 * A lean HTTP/1.1 client: one socket a connection, no pipelining. fetch and node:http cost more CPU than the server under
 * test, and client and server share the cores here.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const json = 'content-type: application/json';
/** Of a stream of lines, compressed. */
export const gzippedLines = 'content-type: application/x-ndjson\r\ncontent-encoding: gzip';

/** Complete requests, head and body, made before the clock starts. */
export function requestsOf(path: string, bodies: readonly Buffer[], headers: string = json): Buffer[] {
  return bodies.map((body) => {
    const head = `POST ${path} HTTP/1.1\r\nhost: bench\r\n${headers}\r\ncontent-length: ${body.length}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head, 'latin1'), body]);
  });
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

class Connection {
  private received: Buffer = Buffer.alloc(0);
  private waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('error', (error) => this.waiting?.reject(error));
    socket.on('close', () => this.waiting?.reject(new Error('the server closed the connection')));
    socket.on('data', (chunk) => this.take(chunk));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Connection(socket)));
      socket.once('error', reject);
    });
  }

  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.received.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer without content-length: ${head}`);
    const end = headEnd + 4 + Number(length);
    if (this.received.length < end) return;
    const answer = { status: Number(head.slice(9, 12)), body: this.received.toString('utf8', headEnd + 4, end) };
    this.received = this.received.subarray(end);
    const { waiting } = this;
    this.waiting = null;
    waiting?.resolve(answer);
  }
}

/** Sends every request once, over `connections` sockets; any answer but 202 ends the run. */
export async function sendAll(port: number, requests: readonly Buffer[], connections: number): Promise<void> {
  await sendEach(port, requests, connections, requireAccepted);
}

/** @throws Error for any answer but 202 */
export function requireAccepted({ status, body }: Answer): void {
  if (status !== 202) throw new Error(`POST was answered ${status}: ${body.slice(0, 300)}`);
}

/** Sends every request once, over `connections` sockets; answers come with the index of their request. */
export async function sendEach(
  port: number,
  requests: readonly Buffer[],
  connections: number,
  take: (answer: Answer, index: number) => void,
): Promise<void> {
  let next = 0;
  await overConnections(port, connections, async (connection) => {
    for (let index = next++; index < requests.length; index = next++) {
      const request = requests[index];
      if (request !== undefined) take(await connection.send(request), index);
    }
  });
}

/**
 * Sends a request every so often whether or not the ones before it were answered, as senders that know nothing of each other
 * do; any answer but 202 ends the run. Returns the milliseconds of each, from the moment it was due: what a stalled
 * server makes wait counts, too.
 */
export async function sendSteadily(
  port: number,
  requests: readonly Buffer[],
  { perSecond, connections }: { readonly perSecond: number; readonly connections: number },
): Promise<readonly number[]> {
  const times: number[] = [];
  const start = performance.now();
  let next = 0;
  await overConnections(port, connections, async (connection) => {
    for (let index = next++; index < requests.length; index = next++) {
      const due = start + (index * 1_000) / perSecond;
      const early = due - performance.now();
      if (early > 0) await setTimeout(early);
      const request = requests[index];
      if (request !== undefined) requireAccepted(await connection.send(request));
      times.push(performance.now() - due);
    }
  });
  return times;
}

async function overConnections(
  port: number,
  connections: number,
  work: (connection: Connection) => Promise<void>,
): Promise<void> {
  const lane = async (): Promise<void> => {
    const connection = await Connection.open(port);
    try {
      await work(connection);
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
}
